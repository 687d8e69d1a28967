"""The command ``spikearm compare``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import tyro
from rich.table import Column, Table

from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.compare import compare
from spikearm.launch.config import RunConfig
from spikearm.launch.device_variants import DEVICE_VARIANTS, STANDARD
from spikearm.launch.display import LivePanel, console
from spikearm.launch.exit_codes import DONE, FAILED
from spikearm.launch.figures import draw_comparison
from spikearm.launch.run_command import base_config
from spikearm.launch.summary import late_rms_m, n_late
from spikearm.launch.words import three_digits
from spikearm.launch.writing import Writing, writing

_COMMON = (
    "arm",
    "payload_kg",
    "trials",
    "duration_s",
    "seed",
    "control_dt_s",
    "devices",
    "variants",
    "config",
    "out",
    "name",
    "json",
)


@dataclass(frozen=True)
class CompareCommand:
    """The same reaches without adaptation, with PID, and with adaptation on every substrate.

    Attributes:
        run: What the runs share; --controller and --backend are gone through.
        devices: Go through the usual kinds of crossbar as well: PCM fresh and a day old, ReRAM, several
            devices per synapse, stuck devices.
        variants: Kinds of crossbar to go through as well, by name; "all" for all of them.
        config: Ready-made experiment, TOML file, or a run.json.
        json: Print all summaries as one JSON document on stdout.
    """

    run: Annotated[RunConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=RunConfig)
    devices: bool = False
    variants: tuple[str, ...] = ()
    config: str | None = None
    json: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of all kinds of crossbar asked for."""
        named = tuple(DEVICE_VARIANTS) if self.variants == ("all",) else self.variants
        return (*(STANDARD if self.devices else ()), *named)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_compare, argv)


def _compare(argv: Sequence[str]) -> int:
    default = CompareCommand(run=base_config(argv))
    command = parse(
        CompareCommand,
        argv,
        prog="spikearm compare",
        default=default,
        examples=(
            "spikearm compare",
            "spikearm compare --trials 4 --devices",
            "spikearm compare --trials 5 --payload-kg 2",
        ),
        common=_COMMON,
    )
    console.print(
        "preparing all runs; on a new machine, kernels are compiled once, a minute or two",
        style="dim",
    )
    document = compare(
        command.run, command.kinds, panel=lambda label, config: LivePanel(config, label, prepared=True)
    )
    console.print(_table(document))
    if command.kinds:
        console.print(_writing_table(document))
    scopes: dict[str | None, list[str]] = {}
    for run in document["runs"]:
        scopes.setdefault(run["energy_chip_scope"], []).append(run["label"])
    for scope, labels in scopes.items():
        if scope:
            console.print(f"chip figure of {'; '.join(labels)}: {scope}", style="dim")
    figure = draw_comparison(document)
    console.print(f"figure: {figure}", highlight=False, soft_wrap=True)
    console.print(f"next: spikearm report {document['run_dir']}", highlight=False, soft_wrap=True)
    if command.json:
        print_json(document)
    return FAILED if any(run["interrupted"] for run in document["runs"]) else DONE


def _table(document: dict[str, Any]) -> Table:
    n_reaches = max(len(run["rmse_m_by_trial"]) for run in document["runs"])
    late = max(n_late(run["rmse_m_by_trial"]) for run in document["runs"])
    columns = ["", "all mm", f"last {late}", "norm.", "tick ms", "model µJ", "chip µJ", "ratio"]
    table = Table(
        *map(_column, columns),
        padding=(0, 1, 0, 0),
        caption_justify="left",
        caption=f"all, last {late}: rms tracking error of all {n_reaches} reaches and of the last {late} of "
        "them. norm.: mean error, 0 without payload, 1 without adaptation. tick: median, measured here. "
        "model, chip: energy per tick from counted operations and from a measured chip, two kinds of "
        "evidence never to be added. ratio: of chip to the part of model that is for the same; what that "
        "is, below.",
    )
    for run in document["runs"]:
        normalised = document["normalised_error"][run["label"]]
        model_j, chip_j = run["energy_model_j_per_tick"]["total"], run["energy_chip_j_per_tick"]
        same_j = run["energy_model_of_chip_scope_j_per_tick"]
        table.add_row(
            run["label"],
            f"{1e3 * run['rmse_m']:.2f}",
            f"{1e3 * late_rms_m(run['rmse_m_by_trial']):.2f}",
            "-" if normalised is None else f"{normalised:.3f}",
            f"{1e3 * run['latency_measured_s']['p50']:.3f}",
            "-" if model_j is None else f"{1e6 * model_j:.3g}",
            "-" if chip_j is None else f"{1e6 * chip_j:.3g}",
            f"{chip_j / same_j:.3g}" if chip_j and same_j else "-",
        )
    return table


def _column(name: str) -> Column:
    """Numbers are never cut; on a narrow terminal, labels wrap."""
    return Column(name, no_wrap=bool(name), justify="right" if name else "left")


def _writing_table(document: dict[str, Any]) -> Table:
    """What learning did to the devices."""
    columns = ["", "pulses", "most", "nJ", "stuck %", "lasts h"]
    table = Table(
        *map(_column, columns),
        padding=(0, 1, 0, 0),
        caption_justify="left",
        caption="pulses: per tick, on all learned weights. most: on the most used device. nJ: "
        "energy of these pulses per tick, bottom-up. stuck: devices that follow no pulse, worn out or "
        "faulty from the start: as many as the row says, or as were published for its technology (of HfO2, "
        "every tenth). lasts: until the first device is worn out, at this rate.",
    )
    for run in document["runs"]:
        devices = writing(run)
        if devices is not None:
            table.add_row(run["label"], *_cells(devices))
    return table


def _cells(devices: Writing) -> tuple[str, ...]:
    return (
        f"{devices.pulses_per_tick:.3g}",
        f"{devices.most_pulses:.0f}",
        f"{1e9 * devices.joules_per_tick:.3g}",
        f"{100 * devices.stuck:.1f}",
        three_digits(devices.lifetime_h),
    )


if __name__ == "__main__":
    sys.exit(main())
