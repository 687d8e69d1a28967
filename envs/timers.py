"""MuJoCo's timers, stopped: nobody here reads them, and they take a good part of a small arm's step."""

from __future__ import annotations

from functools import cache

import mujoco
from numba import cfunc


@cache
def stop_timers() -> None:
    """Give MuJoCo's timers a clock that stands still, in this process, once.

    MuJoCo's Python package has every physics step read the processor's clock 32 times, for
    ``mjData.timer``: 17 % of the step of the seven-joint arm, 27 % of that of ``planar2`` (2 cores, AMD EPYC,
    2026-11-21). Nothing that moves depends on it. A clock that somebody has set stays, and
    ``mujoco.set_mjcb_time(time.perf_counter)``, once an arm was compiled, makes the timers count again.
    """
    if mujoco.get_mjcb_time() is None:
        # Compiled: threads that step arms call it without Python's lock.
        mujoco.set_mjcb_time(cfunc("float64()")(_no_time).ctypes)


def _no_time() -> float:
    return 0.0
