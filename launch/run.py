"""``spikearm run``: one closed-loop run, from a configuration to a run folder."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikearm.controller.clock import FreeRunning, RealTime
from spikearm.controller.loop import Loop, LoopResult
from spikearm.controller.ticklog import TickLog, read_ticks
from spikearm.controller.tickschema import TickRecord, schema_for
from spikearm.hardware.backend import Program
from spikearm.hardware.cost import CostModel
from spikearm.hardware.crossbar.learning import Wear
from spikearm.hardware.crossbar.program import CrossbarProgram
from spikearm.hardware.meter import EnergyMeter, make_meter
from spikearm.hardware.utilisation import Describes
from spikearm.launch.compose import Control, Run, compose
from spikearm.launch.config import RunConfig
from spikearm.launch.mapping import to_mapping
from spikearm.launch.realtime import no_collections
from spikearm.launch.run_folder import make_run_folder, write_json, write_run_json
from spikearm.launch.summary import mean_counts, summarise

WITHOUT_ADAPTATION = "without-adaptation"
"""Folder, inside that of an adaptive run, of the same reaches without the network."""


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
    config: RunConfig, *, on_tick: Callable[[TickRecord], None] | None = None, baseline: bool = True
) -> Finished:
    """Carry out a run.

    Args:
        config: What to run.
        on_tick: Called with every tick's record, for a display.
        baseline: Whether an adaptive run is preceded by the same reaches without adaptation.

    Raises:
        SpikearmError: The configuration cannot be composed, the run folder cannot be made, or the run
            failed. Ticks recorded until then stay in the run folder.
    """
    run = compose(config)
    try:
        folder = make_run_folder(config.out, config.name or default_name(config))
        without = None
        if baseline and config.controller == "adaptive":
            plain = dataclasses.replace(config, controller="osc", realtime=False)
            (folder / WITHOUT_ADAPTATION).mkdir()
            without = _execute_in(folder / WITHOUT_ADAPTATION, plain, compose(plain), None)
        if without is not None and without["interrupted"]:
            return Finished(without, folder / WITHOUT_ADAPTATION)
        summary = _execute_in(folder, config, run, on_tick)
    finally:
        run.control.controller.close()
        run.plant.close()
    if without is not None:
        summary["rmse_m_by_trial_without_adaptation"] = without["rmse_m_by_trial"]
    write_json(folder / "summary.json", summary)
    return Finished(summary, folder, without)


def _execute_in(
    folder: Path, config: RunConfig, run: Run, on_tick: Callable[[TickRecord], None] | None
) -> dict[str, Any]:
    """Run the loop with its log in an existing folder."""

    def drive(log: TickLog, meter: EnergyMeter | None) -> LoopResult:
        return Loop(
            run.plant,
            run.control.controller,
            run.control.schedule,
            log,
            clock=RealTime(config.control_dt_s) if config.realtime else FreeRunning(),
            meter=meter,
            measure=run.plant.ee_pose,
            actuation_delay=config.actuation_delay,
            on_tick=_with_rest(config, run.control.program, on_tick),
        ).run()

    return record_run(folder, config, run.control, drive)


def record_run(
    folder: Path,
    config: RunConfig,
    control: Control,
    drive: Callable[[TickLog, EnergyMeter | None], LoopResult],
) -> dict[str, Any]:
    """Everything around the loops of a run: its log, its meter, and what is written at its end.

    Args:
        folder: An existing folder.
        config: The run's configuration.
        control: Its controller.
        drive: Carries out the loops.

    Returns:
        The summary, which is in the folder as well.
    """
    meter = make_meter()
    ledger = control.cost_model
    write_run_json(
        folder,
        config,
        {
            "cost_model": None if ledger is None else ledger.name,
            "meter": None if meter is None else meter.name,
            "n_ticks": config.n_ticks,
        },
    )
    schema = schema_for(
        control.arm.n_joints, ledger, control_dt_s=config.control_dt_s, metered=meter is not None
    )
    with TickLog(folder, schema, config_hash=_hash(config)) as log, no_collections():
        result = drive(log, meter)
    summary = summarise(config, folder, result, chip_scope="" if ledger is None else ledger.chip_scope)
    if isinstance(control.program, CrossbarProgram):
        summary["wear"] = [_wear(wear) for wear in control.program.wear]
    utilisation = control.program.utilisation if isinstance(control.program, Describes) else None
    summary["utilisation"] = None if utilisation is None else utilisation.line()
    write_json(folder / "summary.json", summary)
    if utilisation is not None:
        write_json(folder / "utilisation.json", utilisation.document())
    if ledger is not None:
        write_json(folder / "ledger.json", ledger_document(ledger, folder, config.control_dt_s))
    return summary


def _wear(wear: Wear) -> dict[str, Any]:
    """A matrix's wear, with the forecast; None for devices that will last for ever."""
    hours = wear.lifetime_h
    return {**dataclasses.asdict(wear), "lifetime_h": hours if math.isfinite(hours) else None}


def _with_rest(
    config: RunConfig, program: Program | None, on_tick: Callable[[TickRecord], None] | None
) -> Callable[[TickRecord], None] | None:
    """Lets the devices rest half-way, between two reaches."""
    if not config.rest_s or not isinstance(program, CrossbarProgram):
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
    substrate = f"-{config.backend}" if config.controller == "adaptive" else ""
    return f"{config.controller}{substrate}-{arm}"


def _hash(config: RunConfig) -> str:
    """Tells configurations apart, wherever their runs are kept."""
    mapping = to_mapping(dataclasses.replace(config, out=Path(), name=""))
    return hashlib.sha256(json.dumps(mapping, sort_keys=True).encode()).hexdigest()[:16]
