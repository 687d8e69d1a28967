"""The command ``spikearm logs recover``: what a killed run left becomes a table and a summary."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.display import console
from spikearm.launch.exit_codes import DONE
from spikearm.launch.newest import chosen
from spikearm.launch.recovery import SUMMARY_NAME, Recovered, recover_run


@dataclass(frozen=True)
class RecoverCommand:
    """Turn the journal of a run that was killed into ticks.parquet and summary.json; say what was kept.

    Attributes:
        run: The run folder; by default the newest in runs/.
        json: Print the result as one JSON document on stdout.
    """

    run: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RUN")] = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_recover, argv)


def _recover(argv: Sequence[str]) -> int:
    command = parse(
        RecoverCommand,
        argv,
        prog="spikearm logs recover",
        examples=(
            "spikearm logs recover",
            "spikearm logs recover runs/20261121T120000Z-adaptive-loihi-iiwa14",
        ),
    )
    run = chosen(command.run)
    recovered = recover_run(run)
    for line in _lines(run, recovered):
        console.print(line, highlight=False, soft_wrap=True)
    if command.json:
        recovery = recovered.recovery
        print_json(
            {
                "n_ticks": recovery.n_ticks,
                "n_missing": recovery.n_missing,
                "reason": recovery.reason,
                "path": str(recovery.path),
                "summary": None if recovered.summary is None else str(recovered.folder / SUMMARY_NAME),
            }
        )
    return DONE


def _lines(run: Path, recovered: Recovered) -> list[str]:
    """What to tell a person, the next step last."""
    recovery = recovered.recovery
    lines = [f"{recovery.n_ticks} ticks in {recovery.path}: {recovery.reason}."]
    if recovered.folder != run:
        lines.append(
            "The run was killed before its own first tick: these are its reaches without adaptation."
        )
    if recovery.n_missing:
        lines.append(f"{recovery.n_missing} ticks between them could not be written at the time.")
    if recovered.summary is None:
        lines.append("No summary: there is no run.json, which says what the run was.")
    else:
        lines.append(f"next: spikearm report {run}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
