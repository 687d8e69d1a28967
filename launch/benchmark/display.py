"""What a person sees of a benchmark while it runs: a bar on a terminal, a line per job elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from spikearm.launch.benchmark.jobs import Job, JobStore
from spikearm.launch.display import console
from spikearm.launch.words import duration

_WEIGHT = {"osc": 1.0, "pd": 0.7, "pid": 0.7}
_WEIGHT_OF_NETWORK = 2.5
"""How long a tick takes, relative to one of the law alone: for the forecast, nothing else."""


class JobProgress:
    """Shows how far a benchmark is, and how much longer it takes.

    Args:
        title: Name of the benchmark.
        store: Where results are kept, for the message that says so.
        terminal: Where to show it.
    """

    def __init__(self, title: str, store: JobStore, *, terminal: Console = console) -> None:
        self._title, self._store, self._console = title, store, terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=terminal,
            disable=not terminal.is_terminal,
        )
        self._begun_s = 0.0
        self._n, self._todo, self._work_done, self._work = 0, 0, 0.0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def start(self, n_done: int, n_stale: int, todo: Sequence[Job]) -> None:
        """Say what is there already; begin to count."""
        folder = self._store.folder
        if n_done:
            self._say(f"{n_done} of {n_done + len(todo)} runs are done already, in {folder}")
        if n_stale:
            self._say(f"{n_stale} results in {folder} are of other settings, code or libraries: done again")
        if todo and not self._console.is_terminal:
            self._say(f"{self._title}: {len(todo)} runs to do")
        self._begun_s = time.monotonic()
        self._todo = len(todo)
        self._work = sum(map(_weight, todo))
        self._bar.start()
        self._task = self._bar.add_task(self._title, total=len(todo), left="")

    def done(self, job: Job, result: Mapping[str, Any]) -> None:
        """One more."""
        mean_mm = 1e3 * sum(result["trials"]["mean_m"]) / len(result["trials"]["mean_m"])
        self._advance(job, f"{mean_mm:.2f} mm on average, {result['seconds']:.0f} s")

    def failed(self, job: Job, reason: str) -> None:
        """Say why at once; the others go on."""
        self._console.print(f"{job.key}: {reason}", style="red", highlight=False, soft_wrap=True)
        self._advance(job, "failed")

    def _advance(self, job: Job, outcome: str) -> None:
        self._n += 1
        self._work_done += _weight(job)
        elapsed_s = time.monotonic() - self._begun_s
        left = duration(elapsed_s * (self._work / self._work_done - 1.0))
        self._bar.update(self._task, completed=self._n, left=f"{left} left")
        if not self._console.is_terminal:
            self._say(f"{self._title} {self._n}/{self._todo}: {job.key}: {outcome}; {left} left")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _weight(job: Job) -> float:
    return job.config.n_ticks * _WEIGHT.get(job.config.controller, _WEIGHT_OF_NETWORK)
