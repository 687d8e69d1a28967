"""How long a simulated run waits for its log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from spikearm.controller.interruption import StopRequest

PATIENCE_S = 30.0
"""Longest wait for one tick [s]: enough for a disk that was full for a moment. Ctrl-C ends it before."""

_PAUSE_S = 0.05

_log = logging.getLogger(__name__)


class Patience:
    """Says whether to try once more to write a tick, and pauses before.

    Args:
        stop: Ends the wait as well.
        patience_s: Longest wait for one tick [s].
        now: Monotonic clock [s].
        sleep: Sleeps for some seconds.
    """

    def __init__(
        self,
        stop: StopRequest,
        patience_s: float = PATIENCE_S,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.patience_s = patience_s
        self._stop, self._now, self._sleep = stop, now, sleep
        self._since_s: float | None = None

    def begin(self) -> None:
        """The next tick is to be written."""
        self._since_s = None

    def __call__(self, reason: str) -> bool:
        """Whether to try again, after ``reason`` prevented it."""
        if self._since_s is None:
            self._since_s = self._now()
            _log.warning("a tick could not be written (%s); the simulated arm waits for the log.", reason)
        if self._stop.requested or self._now() - self._since_s >= self.patience_s:
            return False
        self._sleep(_PAUSE_S)
        return True
