"""The command ``spikearm benchmark center-out``."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from spikearm.launch.benchmark.center_out import ANALYTIC, QUICK, CenterOut, jobs, summarise
from spikearm.launch.benchmark.conduct import Place, conduct, ending
from spikearm.launch.benchmark.table import interval, micro, numbers_table, print_legend
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.config import STATIC_WEIGHTS
from spikearm.launch.display import console

_WEIGHTS = STATIC_WEIGHTS["osc.*"]
_LEGEND = (
    "mm, max, deg: root mean square and largest distance from where the hand should be at that moment, and "
    "rms angle. line: rms distance from the straight line. more: rms distance, percent more than analytic "
    "with the 95 % interval over sessions, or, fed forward, by how many mm. Published, nearly all of it is "
    "lag: about a percent less is what the network's filters take off, no better control. crossbar: each "
    f"weight shared by {_WEIGHTS['devices_per_synapse']} pairs of devices, written in "
    f"{_WEIGHTS['program_rounds']} rounds. µs: latency of the substrate, modelled, without the host. model, "
    "chip: energy per tick [µJ] from counted operations and from a measured chip, two kinds of evidence "
    "never to be added; chip:"
)


@dataclass(frozen=True)
class CenterOutCommand:
    """Centre-out reaching in 3-D with orientation: deviation from the ideal trajectory, two forms of the law.

    Attributes:
        protocol: The protocol.
        quick: A first impression in a few minutes; other options come on top.
        out: The benchmark's folder; by default runs/benchmark-center-out. Runs that are done there already,
            with the same settings and code, are not done again.
        processes: Runs at a time; by default one per core.
        json: Print the results as one JSON document on stdout.
    """

    protocol: Annotated[CenterOut, tyro.conf.OmitArgPrefixes] = field(default_factory=CenterOut)
    quick: bool = False
    out: Path | None = None
    processes: int | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_benchmark, argv)


def _benchmark(argv: Sequence[str]) -> int:
    default = CenterOutCommand(QUICK if "--quick" in argv else CenterOut())
    command = parse(
        CenterOutCommand,
        argv,
        prog="spikearm benchmark center-out",
        default=default,
        examples=(
            "spikearm benchmark center-out --quick",
            "spikearm benchmark center-out --forms feedforward --out runs/center-out",
        ),
    )
    place = Place("center-out", command.out, command.quick, command.processes)
    todo = jobs(command.protocol)
    document = conduct(place, command.protocol, todo, partial(summarise, command.protocol))
    shown = [block for block in document["blocks"] if block["rows"]]
    for block in shown:
        fed = "with" if block["feedforward"] else "without"
        heading = f"{block['form']}: {fed} the target's velocity and acceleration fed forward"
        console.print(heading, style="bold")
        console.print(_table(block))
    if shown:
        print_legend(_LEGEND, shown)
    code = ending(document, len(todo))
    if command.json:
        print_json(document)
    return code


def _table(block: Mapping[str, Any]) -> Table:
    # Fed forward, the analytic controller hardly errs, and a percentage would flatter nobody.
    more, heads = (_more_mm, ["more mm"]) if block["feedforward"] else (_more_percent, ["more %", "95 % CI"])
    names = ["", "mm", "max", "line", "deg", *heads, "µs", "model", "chip"]
    table = numbers_table(names)
    for row in block["rows"]:
        table.add_row(
            row["label"],
            f"{1e3 * row['rmse_m']:.2f}",
            f"{1e3 * row['max_m']:.1f}",
            f"{1e3 * row['off_line_rms_m']:.2f}",
            f"{math.degrees(row['turn_rms_rad']):.2f}",
            *more(row, block),
            micro(row["latency_model_s"]),
            micro(row["energy_model_j"]),
            micro(row["energy_chip_j"]),
        )
    n_empty = len(names) - 4
    for row in block["processors"]:
        cells = (*[""] * n_empty, "-", micro(row["energy_model_j"]), "-")
        table.add_row(f"on {row['label'].split(' (')[0]}", *cells)
    return table


def _more_percent(row: Mapping[str, Any], _block: Mapping[str, Any]) -> list[str]:
    more = row["more_percent"]
    return ["-", "-"] if more is None else [_percent(more["mean"]), interval(more, _percent)]


def _more_mm(row: Mapping[str, Any], block: Mapping[str, Any]) -> list[str]:
    analytic = next((row for row in block["rows"] if row["label"] == ANALYTIC), None)
    return ["-" if analytic is None else f"{1e3 * (row['rmse_m'] - analytic['rmse_m']):+.2f}"]


def _percent(value: float) -> str:
    return f"{value:+.1f}" if abs(value) < 1000.0 else f"{value:+.0f}"


if __name__ == "__main__":
    sys.exit(main())
