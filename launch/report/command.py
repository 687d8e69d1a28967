"""The command ``spikearm report``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.display import say
from spikearm.launch.exit_codes import DONE
from spikearm.launch.newest import chosen
from spikearm.launch.recovery import unrecovered
from spikearm.launch.report.run_data import expand
from spikearm.launch.run_folder import require_folder, whole_file

REPORT_NAME = "report.html"
SIDE_BY_SIDE_NAME = "side-by-side.html"


@dataclass(frozen=True)
class ReportCommand:
    """Write one HTML page about a run, or about several runs side by side; it needs nothing but a browser.

    Attributes:
        run: Run folders, or folders of comparisons; by default the newest in runs/. Of several runs, the page
            says in what they differ.
        out: The file; by default report.html in the run's folder, or side-by-side.html beside the first of
            several.
        json: Print what was written as one JSON document on stdout.
    """

    run: tyro.conf.Positional[tuple[Path, ...]] = ()
    out: Path | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_report, argv)


def _page_of(folders: Sequence[Path]) -> Path:
    """Within the run, or beside the first of several: a comparison is no run's own page."""
    return folders[0] / REPORT_NAME if len(folders) == 1 else folders[0].parent / SIDE_BY_SIDE_NAME


def _report(argv: Sequence[str]) -> int:
    command = parse(
        ReportCommand,
        argv,
        prog="spikearm report",
        examples=(
            "spikearm report",
            "spikearm report runs/*-loihi-* runs/*-crossbar-* --out side-by-side.html",
        ),
    )
    folders = command.run or (chosen(None, comparisons=True),)
    path = write_report(folders, command.out or _page_of(folders))
    size = path.stat().st_size
    say(f"report: {path} ({size / 1e6:.1f} MB); open it in a browser.")
    for run in (run for folder in folders for run, _ in expand(folder)):
        if hint := unrecovered(run):
            say(hint, "yellow")
    if command.json:
        print_json({"path": str(path), "bytes": size, "runs": [str(folder) for folder in folders]})
    return DONE


def write_report(folders: Sequence[Path], path: Path) -> Path:
    """Write the page about some runs; returns its path.

    Args:
        folders: One run folder, or several that are compared.
        path: The HTML file; one that is there is replaced.

    Raises:
        RunFolderError: A folder is not there, or is no run folder, or there is no folder for the page.
        JournalError: A log cannot be read, or has not a single tick.
        OSError: The page cannot be written.
    """
    from spikearm.launch.report.conditions import load_runs
    from spikearm.launch.report.page import page

    title = folders[0].resolve().name if len(folders) == 1 else f"{len(folders)} runs side by side"
    runs = load_runs(folders)
    require_folder(path)
    text = page(runs, title)
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
