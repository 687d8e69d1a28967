"""The clock of an arm that has one, and how far it is believed."""

from __future__ import annotations

_LATE_CYCLES = 32
"""Cycles by which an arm's clock may be ahead of this machine's: the reading before came late."""


def cycles_passed(arm_s: float, *, here_ns: int, dt_s: float) -> int:
    """Cycles between two readings of an arm with a clock of its own.

    It says it best, its cycle being as long as it says; but a frame with a wrong time must neither allow the
    joints any way, nor count for hours in which nobody commanded. So this machine's clock bounds it.

    Args:
        arm_s: Time between them by the arm's clock [s]; below 0 if one of the two was wrong.
        here_ns: By this machine's [ns].
        dt_s: The arm's cycle [s].
    """
    most = 1e-9 * here_ns / dt_s + _LATE_CYCLES
    return round(min(max(arm_s / dt_s, 0.0), most))
