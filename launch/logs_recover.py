"""The command ``spikearm logs recover``: what a killed run left becomes a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from spikearm.controller.ticklog import recover
from spikearm.errors import RunFolderError
from spikearm.launch.cli import DONE, guarded, parse, print_json
from spikearm.launch.display import console


@dataclass(frozen=True)
class RecoverCommand:
    """Turn the journal of a run that was killed into ticks.parquet, and say how many ticks were kept.

    Attributes:
        run: The run folder.
        json: Print the result as one JSON document on stdout.
    """

    run: tyro.conf.Positional[Path]
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_recover, sys.argv[1:] if argv is None else argv)


def _recover(argv: Sequence[str]) -> int:
    command = parse(RecoverCommand, argv, prog="spikearm logs recover")
    if not command.run.is_dir():
        raise RunFolderError(f"no run folder {command.run}; give the folder that holds ticks.journal.")
    recovery = recover(command.run)
    console.print(f"kept {recovery.n_ticks} ticks in {recovery.path}: {recovery.reason}.", soft_wrap=True)
    if recovery.n_missing:
        console.print(f"{recovery.n_missing} ticks between them could not be written at the time.")
    if command.json:
        print_json(
            {
                "n_ticks": recovery.n_ticks,
                "n_missing": recovery.n_missing,
                "reason": recovery.reason,
                "path": str(recovery.path),
            }
        )
    return DONE


if __name__ == "__main__":
    sys.exit(main())
