"""A run folder as the report reads it, whole or recovered after a kill."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from spikearm.controller.ticklog import has_log, has_ticks, read_ticks
from spikearm.errors import JournalError, RunFolderError
from spikearm.hardware.conductances import Conductances
from spikearm.launch.conductances import load_conductances
from spikearm.launch.config import NETWORKED, RunConfig
from spikearm.launch.newest import COMPARE_NAME
from spikearm.launch.recovery import RUN_NAME, left_out, require_log, run_folders_in, settings_of, summary_of
from spikearm.launch.report.plot import run_colour
from spikearm.launch.run_folder import WITHOUT_ADAPTATION
from spikearm.launch.spikes import Spikes
from spikearm.launch.summary import column, late_rms_m, leading, n_late, rmse_by_trial
from spikearm.records import FloatArray

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunData:
    """One run.

    Attributes:
        label: What tells it from the other runs of the page.
        folder: Its run folder.
        config: Its settings.
        about: The document ``run.json``.
        summary: The document ``summary.json``, or what it would be.
        ticks: Every tick.
        baseline: The same reaches without adaptation, where they were run.
        number: Its place among the runs of the page.
        compared: Whether it is a row of a comparison, which named it.
    """

    label: str
    folder: Path
    config: RunConfig
    about: dict[str, Any]
    summary: dict[str, Any]
    ticks: pa.Table
    baseline: pa.Table | None
    number: int = 0
    compared: bool = False

    @property
    def colour(self) -> str:
        """Name of its colour in the style sheet."""
        return run_colour(self.number)

    def column(self, name: str) -> FloatArray:
        """One column, shape (n_ticks,); what is null is NaN."""
        return column(self.ticks, name)

    @property
    def adaptive(self) -> bool:
        """Whether it had a network."""
        return self.config.controller == "adaptive"

    @property
    def link(self) -> dict[str, Any] | None:
        """How the wire to the arm did; None for an arm in the same process, and for a killed run."""
        return self.summary.get("link")

    @property
    def n_reaches(self) -> int:
        """Reaches that were begun."""
        return int(self.column("reach").max()) + 1

    @property
    def done(self) -> bool:
        """Whether a reach was done to its end: part of one is not to be compared with a whole one."""
        return bool(self.summary["reaches_done"])

    @property
    def late_m(self) -> float:
        """Tracking error of the last reaches [m]; see :func:`~.summary.late_rms_m`."""
        return late_rms_m(self.summary["rmse_m_by_trial"])

    @property
    def n_late(self) -> int:
        """How many reaches these are."""
        return n_late(self.summary["rmse_m_by_trial"])

    @cached_property
    def without_adaptation_m(self) -> list[float] | None:
        """Errors of the same reaches without adaptation [m]: of those that the run did to their end."""
        if self.baseline is None or not self.done:
            return None
        return rmse_by_trial(self.baseline)[: self.summary["reaches_done"]]

    @cached_property
    def spikes(self) -> Spikes | None:
        """The spikes that were kept; None for a run without a network, or one that was killed."""
        return Spikes.load(self.folder)

    @cached_property
    def conductances(self) -> tuple[Conductances, ...]:
        """The devices of a crossbar at the end."""
        return load_conductances(self.folder)

    def document(self, name: str) -> dict[str, Any] | None:
        """A JSON document of the run folder; None if there is none of this name."""
        path = self.folder / name
        return _read_json(path) if path.exists() else None


def read_runs(folders: Sequence[Path]) -> list[RunData]:
    """The runs of some folders; the folder of a comparison stands for all runs in it.

    Raises:
        RunFolderError: A folder is not there, or is no run folder.
        JournalError: A log cannot be read, or has not a single tick.
    """
    expanded = [part for given in folders for part in expand(given)]
    for given in folders:
        for run in [] if _is_run(given) else left_out(given):
            _log.warning("%s ended before its first tick and is left out.", run)
    return [_load(folder, label) for folder, label in expanded]


def expand(folder: Path) -> list[tuple[Path, str | None]]:
    """The run folders that a folder stands for, with their labels where they have some."""
    if not folder.is_dir():
        raise RunFolderError(f"no run folder {folder}; `spikearm run` makes one.")
    if not (folder / COMPARE_NAME).exists():
        # A comparison that was killed has runs, and no document about them.
        runs = [] if _is_run(folder) else run_folders_in(folder)
        return [(run, None) for run in runs] or [(folder, None)]
    # The folder may have been moved: its runs lie in it, wherever that is now.
    rows = _read_json(folder / COMPARE_NAME)["runs"]
    return [(folder / Path(row["run_dir"]).name, row["label"]) for row in rows]


def _is_run(folder: Path) -> bool:
    return has_log(folder) or (folder / RUN_NAME).exists()


def _load(folder: Path, label: str | None) -> RunData:
    if not has_ticks(folder) and has_ticks(folder / WITHOUT_ADAPTATION):
        # Killed during the reaches that come first: they are all there is.
        return replace(_load(folder / WITHOUT_ADAPTATION, None), label="without adaptation")
    require_log(folder)
    ticks = read_ticks(folder)
    if leading(ticks).all():
        raise JournalError(
            f"{folder} ended while its arm was led to its first reach: there is nothing to report."
        )
    config = settings_of(folder)
    baseline = folder / WITHOUT_ADAPTATION
    return RunData(
        label=label or _label(config),
        folder=folder,
        config=config,
        about=_read_json(folder / RUN_NAME),
        summary=summary_of(folder),
        ticks=ticks,
        baseline=read_ticks(baseline) if has_ticks(baseline) else None,
        compared=label is not None,
    )


def _label(config: RunConfig) -> str:
    if config.name or config.controller not in NETWORKED:
        return config.name or config.controller
    return config.backend if config.controller == "adaptive" else f"{config.controller} on {config.backend}"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}") from error
    return document
