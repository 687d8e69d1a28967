"""When ticks begin: as fast as possible, or on a grid of real time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Protocol

from spikearm.errors import ConfigError


class Clock(Protocol):
    """Says when the next tick may begin."""

    @property
    def waits(self) -> bool:
        """Whether the arm's time stands still between two ticks, however long the next takes to come."""
        ...

    def start(self) -> None:
        """The first tick is due now."""
        ...

    def wait(self) -> float:
        """Return when the next tick is due; how late it is [s], never negative."""
        ...


class FreeRunning:
    """Every tick is due as soon as the one before is done: simulation as fast as the machine can."""

    @property
    def waits(self) -> bool:
        """Simulated time stands still."""
        return True

    def start(self) -> None:
        """Nothing to prepare."""

    def wait(self) -> float:
        """Return at once; never late."""
        return 0.0


class RealTime:
    """One tick per period of the monotonic clock, by sleeping and then spinning for a moment.

    No tick is ever left out. A tick that begins late by less than a period leaves the grid as it is, so the
    next one catches up. After a longer stall the grid is moved, instead of a burst of ticks being fired at
    an arm that expects one per period; what it was moved by is counted.

    Args:
        period_s: Time between two ticks [s].
        spin_s: Last part of the wait that is spent awake [s]: sleeping alone oversleeps by some 50 us on
            an idle Linux machine.
        now: Monotonic clock [s].
        sleep: Sleeps for some seconds.

    Attributes:
        slipped_s: Sum of all moves of the grid [s].

    Raises:
        ConfigError: The period is not a positive number.
    """

    def __init__(
        self,
        period_s: float,
        *,
        spin_s: float = 2e-4,
        now: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not (math.isfinite(period_s) and period_s > 0):
            raise ConfigError(f"period_s must be a positive number of seconds, not {period_s!r}; try 0.001.")
        self.period_s = period_s
        self.slipped_s = 0.0
        self._spin_s = spin_s
        self._now = now
        self._sleep = sleep
        self._due_s = 0.0

    @property
    def waits(self) -> bool:
        """Real time does not stand still."""
        return False

    def start(self) -> None:
        """The first tick is due now."""
        self._due_s = self._now()
        self.slipped_s = 0.0

    def wait(self) -> float:
        """Return when the next tick is due; how late it is [s]."""
        now = self._now()
        remaining_s = self._due_s - now
        if remaining_s > self._spin_s:
            self._sleep(remaining_s - self._spin_s)
            now = self._now()
        while now < self._due_s:
            now = self._now()
        lateness_s = now - self._due_s
        if lateness_s > self.period_s:
            self.slipped_s += lateness_s
            self._due_s = now
        self._due_s += self.period_s
        return lateness_s
