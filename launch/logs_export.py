"""The command ``spikearm logs export``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.display import console
from spikearm.launch.exit_codes import DONE
from spikearm.launch.export.mcap import export_mcap
from spikearm.launch.export.neurobench import export_neurobench
from spikearm.launch.export.tables import export_csv, export_parquet
from spikearm.launch.newest import chosen
from spikearm.launch.recovery import require_log
from spikearm.launch.run_folder import require_folder, whole_file

FORMATS: dict[str, tuple[str, Callable[[Path, Path], int]]] = {
    "parquet": (".parquet", export_parquet),
    "csv": (".csv", export_csv),
    "mcap": (".mcap", export_mcap),
    "neurobench": (".neurobench.json", export_neurobench),
}
"""Suffix and writer of each format; a writer takes run folder and file and returns the number of ticks."""


@dataclass(frozen=True)
class ExportCommand:
    """Write a run's log in another format; the log itself stays as it is, and may still be growing.

    Attributes:
        to: The format; neurobench writes that benchmark's metrics instead of ticks.
        run: The run folder; by default the newest in runs/.
        out: The file; by default named after the run folder, in the present directory.
        json: Print what was written as one JSON document on stdout.
    """

    to: Literal["parquet", "csv", "mcap", "neurobench"]
    run: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RUN")] = None
    out: Path | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_export, argv)


def _export(argv: Sequence[str]) -> int:
    command = parse(
        ExportCommand,
        argv,
        prog="spikearm logs export",
        examples=(
            "spikearm logs export --to csv",
            "spikearm logs export runs/20261121T120000Z-adaptive-loihi-iiwa14 --to parquet",
        ),
    )
    run = chosen(command.run)
    require_log(run)
    suffix, write = FORMATS[command.to]
    path = command.out or Path(run.resolve().name + suffix)
    require_folder(path)
    n_ticks = export(run, path, write)
    console.print(f"{n_ticks} ticks: {path}", highlight=False, soft_wrap=True)
    if command.json:
        print_json({"path": str(path), "format": command.to, "n_ticks": n_ticks})
    return DONE


def export(run: Path, path: Path, write: Callable[[Path, Path], int]) -> int:
    """Write a file that is either whole or not there; returns the number of ticks in it."""
    with whole_file(path) as partial:
        return write(run, partial)


if __name__ == "__main__":
    sys.exit(main())
