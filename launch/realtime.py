"""What a process asks of the operating system before it has a deadline every millisecond."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_MCL_CURRENT, _MCL_FUTURE = 1, 2
_IDLE_LATENCY = Path("/dev/cpu_dma_latency")
"""While it is open, no processor idles so deeply that it takes longer than what was written to wake up
(Linux, admin-guide/pm/cpuidle, PM QoS)."""


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
    """Ask for what makes ticks punctual, and give it back.

    That is the SCHED_FIFO scheduler, memory that is never swapped out, and processors that wait awake.

    Args:
        priority: Of SCHED_FIFO, from 1 to 99.

    Yields:
        What was not permitted, and what to do about it; empty if all was.
    """
    before = (os.sched_getscheduler(0), os.sched_getparam(0)) if hasattr(os, "sched_getscheduler") else None
    with ExitStack() as given_back:
        given_back.callback(_give_back, before)
        notes = (_schedule_first(priority), _lock_memory(), _stay_awake(given_back))
        yield [note for note in notes if note]


def _give_back(before: tuple[int, os.sched_param] | None) -> None:
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


def _stay_awake(until: ExitStack) -> str:
    """Systems without such a request are not complained of: nothing can be done there."""
    if not _IDLE_LATENCY.exists():
        return ""
    try:
        request = until.enter_context(_IDLE_LATENCY.open("wb", buffering=0))
        request.write((0).to_bytes(4, "little"))
    except OSError as error:
        return (
            f"idle states: {error.strerror}; a processor that has to wake up makes ticks late. "
            f"Remedy: `sudo chmod a+w {_IDLE_LATENCY}`"
        )
    return ""
