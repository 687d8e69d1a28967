"""What a process asks of the operating system before it has a deadline every millisecond."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_MCL_CURRENT, _MCL_FUTURE = 1, 2


@contextmanager
def no_collections() -> Iterator[None]:
    """A full garbage collection takes tens of milliseconds: have it before the loop, not in a tick."""
    gc.collect()
    gc.freeze()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
        gc.unfreeze()


def usable_cpus() -> int:
    """Processors this process may use, where the system tells; else those there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def prioritised(priority: int) -> Iterator[list[str]]:
    """Ask for the SCHED_FIFO scheduler and for memory that is never swapped out, and give both back.

    Args:
        priority: Of SCHED_FIFO, from 1 to 99.

    Yields:
        What was not permitted, and what to do about it; empty if all was.
    """
    before = (os.sched_getscheduler(0), os.sched_getparam(0)) if hasattr(os, "sched_getscheduler") else None
    try:
        yield [note for note in (_schedule_first(priority), _lock_memory()) if note]
    finally:
        with suppress(OSError, AttributeError):
            if before is not None:
                os.sched_setscheduler(0, *before)
            ctypes.CDLL(None, use_errno=True).munlockall()


def _schedule_first(priority: int) -> str:
    if not hasattr(os, "sched_setscheduler"):
        return "SCHED_FIFO: this system has none; ticks will be late while other programs are busy"
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        return (
            f"SCHED_FIFO: {error.strerror}; a busy machine will make ticks late by milliseconds. "
            "Remedy: `ulimit -r 99` (rtprio in /etc/security/limits.conf), or run with CAP_SYS_NICE"
        )
    return ""


def _lock_memory() -> str:
    try:
        lock = ctypes.CDLL(None, use_errno=True).mlockall
    except (OSError, AttributeError):
        return "mlockall: this system has none"
    if lock(_MCL_CURRENT | _MCL_FUTURE) != 0:
        return (
            f"mlockall: {os.strerror(ctypes.get_errno())}; a page that was swapped out costs milliseconds. "
            "Remedy: `ulimit -l unlimited` (memlock in /etc/security/limits.conf)"
        )
    return ""
