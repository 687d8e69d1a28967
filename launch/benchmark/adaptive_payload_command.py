"""The command ``spikearm benchmark adaptive-payload``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from spikearm.launch.benchmark.adaptive_payload import QUICK, AdaptivePayload, jobs
from spikearm.launch.benchmark.adaptive_payload_summary import summarise
from spikearm.launch.benchmark.conduct import Place, conduct, ending
from spikearm.launch.benchmark.figures import draw_learning
from spikearm.launch.benchmark.statistics import MIN_VALUES
from spikearm.launch.benchmark.table import interval, micro, numbers_table, print_legend
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.display import console

_LEGEND = (
    "last, all, 1st: mean error of these trials, 0 PD unperturbed, 1 PD. mm: of the last ones. ms: median "
    "tick, measured here with as many runs at a time as --processes says. model, chip: energy per tick [µJ] "
    "from counted operations and from a measured chip, two kinds of evidence never to be added; chip:"
)


@dataclass(frozen=True)
class AdaptivePayloadCommand:
    """Reaching under an unknown load: the published protocol of 5 sessions of 50 trials, on every substrate.

    Attributes:
        protocol: The protocol.
        quick: A first impression in a few minutes; other options come on top.
        out: The benchmark's folder; by default runs/benchmark-adaptive-payload. Runs that are done there
            already, with the same settings and code, are not done again.
        processes: Runs at a time; by default one per core.
        json: Print the results as one JSON document on stdout.
    """

    protocol: Annotated[AdaptivePayload, tyro.conf.OmitArgPrefixes] = field(default_factory=AdaptivePayload)
    quick: bool = False
    out: Path | None = None
    processes: int | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_benchmark, argv)


def _benchmark(argv: Sequence[str]) -> int:
    default = AdaptivePayloadCommand(QUICK if "--quick" in argv else AdaptivePayload())
    command = parse(
        AdaptivePayloadCommand,
        argv,
        prog="spikearm benchmark adaptive-payload",
        default=default,
        examples=(
            "spikearm benchmark adaptive-payload --quick",
            "spikearm benchmark adaptive-payload --backends loihi --out runs/loihi-payload",
        ),
    )
    settings = command.protocol
    place = Place("adaptive-payload", command.out, command.quick, command.processes)
    todo = jobs(settings)
    document = conduct(place, settings, todo, partial(summarise, settings))
    shown = [block for block in document["blocks"] if block["rows"]]
    for block in shown:
        console.print(_heading(block), style="bold")
        console.print(_table(block))
        for line in _verdicts(block):
            console.print(line, highlight=False)
    if shown:
        print_legend(_LEGEND, shown)
        console.print(f"figure: {draw_learning(document, place.folder)}", highlight=False, soft_wrap=True)
    code = ending(document, len(todo))
    if command.json:
        print_json(document)
    return code


def _heading(block: Mapping[str, Any]) -> str:
    held_out = ", a family the encoder was not trained on" if block["held_out"] else ""
    return str(block["perturbation"]) + held_out


def _verdicts(block: Mapping[str, Any]) -> list[str]:
    """What the intervals say of PID and of the encoder."""
    tested = [row for row in block["rows"] if row["backend"] is not None and row["minus_pid"] is not None]
    decided = [row for row in tested if row["minus_pid"]["high"] is not None]
    better = [row["label"] for row in decided if row["minus_pid"]["high"] < 0.0]
    lines = [f"better than PID in the last trials (95 %): {', '.join(better) or 'none'}"] if decided else []
    if tested and not decided:
        lines.append(f"no verdict on PID and no intervals: they take {MIN_VALUES} sessions at least")
    for pair in block["encoder"]:
        more = pair["percent_more"]
        between = "" if more["low"] is None else f" ({interval(more, '{:+.0f}'.format)} %)"
        mm = f"{1e3 * pair['against_error_m']:.2f} -> {1e3 * pair['error_m']:.2f} mm"
        lines.append(f"{pair['label']} against {pair['against']}: {more['mean']:+.0f} % error{between}, {mm}")
    return lines


def _table(block: Mapping[str, Any]) -> Table:
    names = ["", "last", "95 % CI", "all", "1st", "mm", "ms", "model", "chip"]
    table = numbers_table(names)
    for row in block["rows"]:
        normalised = row["normalised"]
        last = normalised.get("last")
        table.add_row(
            row["label"],
            _mean(last),
            interval(last, "{:.3f}".format),
            _mean(normalised.get("all")),
            _mean(normalised.get("first")),
            f"{1e3 * row['error_m']['last']['mean']:.2f}",
            f"{1e3 * row['tick_s']:.3f}",
            micro(row["energy_model_j"]),
            micro(row["energy_chip_j"]),
        )
    return table


def _mean(estimate: Mapping[str, float] | None) -> str:
    return "-" if estimate is None else f"{estimate['mean']:.3f}"


if __name__ == "__main__":
    sys.exit(main())
