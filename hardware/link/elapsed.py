"""Time that has passed, that of a suspended machine included."""

from __future__ import annotations

import time


def elapsed_ns() -> int:
    """Nanoseconds on a clock that never jumps and never stands still.

    ``time.monotonic_ns`` stands still on Linux while the machine is suspended: a robot that used it would go
    on with its last command after an hour's sleep as if a tick had passed. Where the system has no such clock
    (macOS, Windows), a sleep is not noticed by it.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()
