"""``spikearm run``: one closed-loop run, from a configuration to a run folder."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from spikearm.controller.clock import FreeRunning, RealTime
from spikearm.controller.interruption import StopRequest
from spikearm.controller.loop import Loop, LoopResult
from spikearm.controller.ticklog import TickLog, read_ticks
from spikearm.controller.tickschema import TickRecord, schema_for
from spikearm.hardware.backend import Program
from spikearm.hardware.conductances import Conducts
from spikearm.hardware.cost import CostModel
from spikearm.hardware.meter import EnergyMeter, Metered, make_meter
from spikearm.hardware.utilisation import Describes
from spikearm.hardware.wear import Ages, Wears
from spikearm.launch.compose import Control, Run, compose
from spikearm.launch.conductances import save_conductances
from spikearm.launch.config import NETWORKED, RunConfig
from spikearm.launch.mapping import to_mapping
from spikearm.launch.realtime import no_collections
from spikearm.launch.run_folder import (
    WITHOUT_ADAPTATION,
    make_run_folder,
    require_place,
    write_json,
    write_run_json,
)
from spikearm.launch.spikes import SpikeRecorder, spike_recorder, with_spikes
from spikearm.launch.summary import mean_counts, summarise

_log = logging.getLogger(__name__)

Drive: TypeAlias = Callable[[TickLog, EnergyMeter | None, SpikeRecorder | None, StopRequest], LoopResult]
"""Carries out the loops of a run; given its log, the meter, what watches the neurons, and who may end it."""


@dataclass(frozen=True)
class Finished:
    """A run that has ended.

    Attributes:
        summary: The document of ``--json``.
        folder: The run folder.
        baseline: Summary of the same reaches without adaptation; None unless the run was adaptive.
    """

    summary: dict[str, Any]
    folder: Path
    baseline: dict[str, Any] | None = None


def execute(
    config: RunConfig,
    *,
    on_tick: Callable[[TickRecord], None] | None = None,
    on_first_tick: Callable[[TickRecord], None] | None = None,
    baseline: bool = True,
) -> Finished:
    """Carry out a run.

    Args:
        config: What to run.
        on_tick: Called with every tick's record, for a display.
        on_first_tick: The same for the reaches without adaptation, which come first.
        baseline: Whether an adaptive run is preceded by the same reaches without adaptation.

    Raises:
        SpikearmError: The configuration cannot be composed, the run folder cannot be made, or the run
            failed. Ticks recorded until then stay in the run folder.
    """
    require_place(config.out)
    with ExitStack() as stack:
        run = stack.enter_context(closing(compose(config)))
        first = None
        if baseline and config.controller == "adaptive":
            plain = dataclasses.replace(config, controller="osc", realtime=False)
            first = plain, stack.enter_context(closing(compose(plain)))
        folder, without = make_run_folder(config.out, config.name or default_name(config)), None
        if first is not None:
            (folder / WITHOUT_ADAPTATION).mkdir()
            without = _execute_in(folder / WITHOUT_ADAPTATION, *first, on_first_tick)
            if without["interrupted"]:
                return Finished(without, folder / WITHOUT_ADAPTATION)
        summary = _execute_in(folder, config, run, on_tick)
    if without is not None:
        summary["rmse_m_by_trial_without_adaptation"] = without["rmse_m_by_trial"]
        with _unwritable_is_reported(folder):
            write_json(folder / "summary.json", summary)
    return Finished(summary, folder, without)


def execute_composed(
    config: RunConfig, run: Run, *, on_tick: Callable[[TickRecord], None] | None = None
) -> dict[str, Any]:
    """Carry out a run of which all parts are made already, and nothing else; returns its summary.

    Args:
        config: What to run.
        run: Its parts, as :func:`~.compose.compose` made them of ``config``; left open.
        on_tick: Called with every tick's record, for a display.

    Raises:
        SpikearmError: The run folder cannot be made, or the run failed.
    """
    return _execute_in(make_run_folder(config.out, config.name or default_name(config)), config, run, on_tick)


def _execute_in(
    folder: Path, config: RunConfig, run: Run, on_tick: Callable[[TickRecord], None] | None
) -> dict[str, Any]:
    """Run the loop with its log in an existing folder."""
    rested = _with_rest(config, run.control.program, on_tick)

    def drive(
        log: TickLog, meter: EnergyMeter | None, spikes: SpikeRecorder | None, stop: StopRequest
    ) -> LoopResult:
        return Loop(
            run.plant,
            run.control.controller,
            run.control.schedule,
            log,
            clock=RealTime(config.control_dt_s) if config.realtime else FreeRunning(),
            meter=meter,
            measure=run.plant.ee_pose,
            actuation_delay=config.actuation_delay,
            torque_rate_nm_s=config.torque_rate_nm_s,
            on_tick=with_spikes(spikes, rested),
            stop=stop,
        ).run()

    return record_run(folder, config, run.control, drive)


def record_run(folder: Path, config: RunConfig, control: Control, drive: Drive) -> dict[str, Any]:
    """Everything around the loops of a run: its log, its meter, and what is written at its end.

    Whoever asks to stop while that is written waits for it, and finds the run marked as interrupted.

    Args:
        folder: An existing folder.
        config: The run's configuration.
        control: Its controller.
        drive: Carries out the loops.

    Returns:
        The summary, which is in the folder as well.
    """
    program, ledger = control.program, control.cost_model
    meter = program.meter if isinstance(program, Metered) else make_meter()
    write_run_json(
        folder,
        config,
        {
            "cost_model": None if ledger is None else ledger.name,
            "meter": None if meter is None else meter.name,
            "n_ticks": config.n_ticks,
        },
    )
    n_joints, metered = control.arm.n_joints, meter is not None
    spikes = spike_recorder(program, config.n_ticks)
    schema = schema_for(n_joints, ledger, control_dt_s=config.control_dt_s, metered=metered)
    with StopRequest() as stop:
        with TickLog(folder, schema, config_hash=config_hash(config)) as log, no_collections():
            result = drive(log, meter, spikes, stop)
        summary = summarise(config, folder, result, cost_model=ledger)
        _save(folder, config, control, summary, spikes)
        if stop.requested and not summary["interrupted"]:
            summary["interrupted"] = True
            with _unwritable_is_reported(folder):
                write_json(folder / "summary.json", summary)
    return summary


def _save(
    folder: Path,
    config: RunConfig,
    control: Control,
    summary: dict[str, Any],
    spikes: SpikeRecorder | None,
) -> None:
    """Write what a run came to, and what its substrate says of itself, which the summary gets as well."""
    program, ledger = control.program, control.cost_model
    if isinstance(program, Wears):
        summary["wear"] = [wear.document() for wear in program.wear]
    utilisation = program.utilisation if isinstance(program, Describes) else None
    summary["utilisation"] = None if utilisation is None else utilisation.line()
    with _unwritable_is_reported(folder):
        write_json(folder / "summary.json", summary)
        if utilisation is not None:
            write_json(folder / "utilisation.json", utilisation.document())
        if ledger is not None:
            write_json(folder / "ledger.json", ledger_document(ledger, folder, config.control_dt_s))
        if isinstance(program, Conducts):
            save_conductances(folder, program.conductances)
        if spikes is not None:
            spikes.save(folder)


@contextmanager
def _unwritable_is_reported(folder: Path) -> Iterator[None]:
    """A full disk costs files; what the run came to is shown all the same."""
    try:
        yield
    except OSError as error:
        _log.error("%s: not everything about this run could be saved: %s.", folder, error.strerror or error)


def _with_rest(
    config: RunConfig, program: Program | None, on_tick: Callable[[TickRecord], None] | None
) -> Callable[[TickRecord], None] | None:
    """Lets the devices rest half-way, between two reaches."""
    if not config.rest_s or not isinstance(program, Ages):
        return on_tick
    ticks_before = config.n_trials // 2 * (config.n_ticks // config.n_trials)
    ticks = itertools.count(1)

    def on_tick_with_rest(record: TickRecord) -> None:
        if next(ticks) == ticks_before:
            program.advance_time(config.rest_s)
        if on_tick is not None:
            on_tick(record)

    return on_tick_with_rest


def ledger_document(cost_model: CostModel, folder: Path, control_dt_s: float) -> dict[str, Any]:
    """Every joule of the average tick: how many operations, what each is taken to cost, who says so."""
    lines = cost_model.ledger(mean_counts(read_ticks(folder)), control_dt_s)
    return {
        "cost_model": cost_model.name,
        "chip_scope": cost_model.chip_scope,
        "lines": [
            {
                "tier": line.tier,
                "term": line.term,
                "operation": line.figure.count,
                "per_tick": line.n,
                "joules_per_operation": line.figure.amount,
                "joules_per_tick": line.joules,
                "source": line.figure.source,
            }
            for line in lines
        ],
    }


def default_name(config: RunConfig) -> str:
    """End of a run folder's name: controller, substrate and arm."""
    arm = Path(config.arm).stem
    substrate = f"-{config.backend}" if config.controller in NETWORKED else ""
    return f"{config.controller}{substrate}-{arm}"


def config_hash(config: RunConfig) -> str:
    """Tells configurations apart, wherever their runs are kept."""
    mapping = to_mapping(dataclasses.replace(config, out=Path(), name=""))
    return hashlib.sha256(json.dumps(mapping, sort_keys=True).encode()).hexdigest()[:16]
