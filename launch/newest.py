"""Which run a command is about when none is named: the newest in ``runs/``."""

from __future__ import annotations

from pathlib import Path

from spikearm.errors import RunFolderError
from spikearm.launch.display import say
from spikearm.launch.recovery import RUN_NAME, run_folders_in
from spikearm.launch.run_folder import WITHOUT_ADAPTATION

COMPARE_NAME = "compare.json"
_RUNS = Path("runs")
_MARKS = (RUN_NAME, f"{WITHOUT_ADAPTATION}/{RUN_NAME}")
"""What the folder of a run has; that of an adaptive one first has the second."""


def chosen(run: Path | None, *, comparisons: bool = False) -> Path:
    """The run folder that was named, or the newest, which is said.

    Args:
        run: What was named.
        comparisons: Whether the newest may be a comparison, of several runs.

    Raises:
        RunFolderError: There is no such folder, or no run at all.
    """
    if run is None:
        run = newest(_RUNS, comparisons=comparisons)
        say(f"newest run: {run}")
    if not run.is_dir():
        raise RunFolderError(f"no run folder {run}; `spikearm run` makes one.")
    return run


def newest(runs: Path, *, comparisons: bool) -> Path:
    """The run, or comparison, that was begun last.

    Raises:
        RunFolderError: There is none.
    """
    folders = [p for p in runs.glob("*") if p.is_dir()]
    found = [p for p in folders if any((p / mark).exists() for mark in _MARKS)]
    if comparisons:
        found += [p for p in folders if (p / COMPARE_NAME).exists() or run_folders_in(p)]
    if not found:
        raise RunFolderError(f"no run in {runs.resolve()}; make one with `spikearm run`, or name its folder.")
    # Their names begin with the time.
    return max(found, key=lambda p: p.name)
