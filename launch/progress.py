"""How far a long work is: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from spikearm.launch.display import console
from spikearm.launch.words import duration

_LINES = 10
_PATIENCE_S = 5.0
"""Between two lines where there is no bar."""


class StepProgress:
    """Counts the steps of one work.

    Args:
        title: What is done.
        total: Number of steps.
        terminal: Where to show it.
    """

    def __init__(self, title: str, total: int, *, terminal: Console = console) -> None:
        self._title, self._total, self._console = title, total, terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=terminal,
            disable=not terminal.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total)
        self._begun_s = self._said_s = time.monotonic()
        self._said = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def done(self, n: int, note: str = "") -> None:
        """So many steps are done.

        Args:
            n: Steps, from 1 to the total.
            note: A word about the last one.
        """
        title = f"{self._title}, {note}" if note else self._title
        self._bar.update(self._task, completed=n, description=title)
        now_s = time.monotonic()
        part = _LINES * n // self._total
        if self._console.is_terminal or part == self._said or now_s - self._said_s < _PATIENCE_S:
            return
        self._said, self._said_s = part, now_s
        left_s = (now_s - self._begun_s) * (self._total / n - 1.0)
        self._console.print(f"{title}: {100 * n // self._total} %, {duration(left_s)} left", highlight=False)
