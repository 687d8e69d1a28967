"""``spikearm doctor --link``: is this machine fast enough to be one end of a link, measured on a real one."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from spikearm.envs.arms import load_arm
from spikearm.envs.identity import arm_identity
from spikearm.errors import LinkError
from spikearm.hardware.link.address import Address
from spikearm.hardware.link.channel import dial
from spikearm.hardware.link.link_clock import LinkClock
from spikearm.hardware.link.remote_plant import RemotePlant
from spikearm.hardware.link.statistics import LinkStatistics
from spikearm.hardware.link.wire import Codec
from spikearm.launch.finding import Finding
from spikearm.launch.realtime import no_collections, prioritised, usable_cpus

_N_TICKS = 2000
_START_S = 30.0
_GOOD_ROUND_TRIP_S = 5e-4
"""99th percentile that leaves half a tick for the controller."""
_GOOD_PERIOD_ERROR_S = 3e-4
_GOOD_SUCCESS = 0.99


def examine_link(n_ticks: int = _N_TICKS) -> list[Finding]:
    """All findings about links: permissions, cores, and a robot served here for two seconds.

    Args:
        n_ticks: For so many ticks, rounded up to a whole hundred.
    """
    n_ticks = 100 * max(1, math.ceil(n_ticks / 100))
    with prioritised(50) as refused:
        return [*_permissions(refused), _cores(), *_measured(n_ticks)]


def _permissions(refused: list[str]) -> list[Finding]:
    findings = []
    for name in ("SCHED_FIFO", "mlockall", "idle states"):
        note = next((text for text in refused if text.startswith(name)), "")
        what, _, remedy = note.partition(" Remedy: ")
        findings.append(
            Finding(name, "note", what.removeprefix(f"{name}: "), remedy)
            if note
            else Finding(name, "good", "permitted")
        )
    return findings


def _cores() -> Finding:
    usable = usable_cpus()
    if usable < 2:
        return Finding(
            "cores for a link", "note", f"{usable}", "robot and client on one core delay each other: use two"
        )
    return Finding("cores for a link", "good", f"{usable}")


def _measured(n_ticks: int) -> list[Finding]:
    try:
        statistics, success = measure_link(n_ticks)
    except (LinkError, OSError, subprocess.SubprocessError) as error:
        return [Finding("link", "bad", f"{type(error).__name__}: {error}", "see docs/hardware.md")]
    busy = "an idle machine, SCHED_FIFO, a PREEMPT_RT kernel, the governor `performance`"
    findings = []
    for subject, histogram, good_s in (
        ("round trip", statistics.round_trip, _GOOD_ROUND_TRIP_S),
        ("period error", statistics.period_error, _GOOD_PERIOD_ERROR_S),
    ):
        times = ", ".join(
            f"{name.replace('_', '.')} {1e6 * s:.0f} µs"
            for name, s in histogram.document().items()
            if s is not None
        )
        good = (histogram.percentile_s(99.0) or 0.0) <= good_s
        findings.append(Finding(subject, "good" if good else "note", times, "" if good else busy))
    verdict = "good" if success >= _GOOD_SUCCESS else "note"
    found = f"{100 * success:.2f} % of {n_ticks} commands at 1 kHz"
    findings.append(Finding("commands in time", verdict, found, "" if verdict == "good" else busy))
    return findings


def measure_link(n_ticks: int) -> tuple[LinkStatistics, float]:
    """Serve a small robot in a process of its own, and answer it in real time without arming it.

    Returns:
        Statistics of the link, and the share of ticks in which the robot had an answer in time.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arm.sock"
        command = [sys.executable, "-m", "spikearm.launch.main", "robot", "serve", "--arm", "planar2"]
        with subprocess.Popen(  # noqa: S603 - this very program
            [*command, "--listen", f"unix:{path}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parent.parent,
        ) as robot:
            try:
                _wait_for(path, robot)
                codec = Codec(2, b"", arm=arm_identity(load_arm("planar2")))
                with no_collections(), RemotePlant(dial(Address(path=path)), codec) as plant:
                    return plant.statistics, _answer(plant, n_ticks)
            finally:
                robot.terminate()


def _answer(plant: RemotePlant, n_ticks: int) -> float:
    """Answer every state; share of those that were in time, by what the next state says it has heard."""
    clock, zero, in_time = LinkClock(plant, arm=False), np.zeros(2), 0.0
    clock.start()
    for _ in range(n_ticks // 100):
        for _ in range(100):
            clock.wait()
            plant.write(zero)
        in_time += plant.success_rate
    return in_time / (n_ticks // 100)


def _wait_for(path: Path, robot: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_S
    while not path.exists():
        if robot.poll() is not None or time.monotonic() > deadline_s:
            raise LinkError("the robot of the measurement did not start.")
        time.sleep(0.02)
