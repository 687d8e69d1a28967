"""Time that has passed, that of a suspended machine included."""

from __future__ import annotations

import time

_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def elapsed_ns() -> int:
    """Nanoseconds on a clock that never jumps and never stands still.

    ``time.monotonic_ns`` stands still on Linux while the machine is suspended: a robot that used it would go
    on with its last command after an hour's sleep as if a tick had passed. Where the system has no such clock
    (macOS, Windows), a sleep is not noticed by it.
    """
    return time.monotonic_ns() if _CLOCK is None else time.clock_gettime_ns(_CLOCK)
