"""The command ``spikearm doctor``: what of this machine helps or hurts a 1 kHz loop, and how to mend it."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path

import numpy as np
from rich.table import Column, Table
from rich.text import Text

from spikearm.hardware.meter import make_meter
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.display import console, say
from spikearm.launch.doctor_link import examine_link
from spikearm.launch.exit_codes import DONE, FAILED
from spikearm.launch.finding import Finding
from spikearm.launch.realtime import usable_cpus

_STYLES = {"good": "green", "note": "yellow", "bad": "red"}
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class DoctorCommand:
    """Check this machine; exit code 1 if something stops spikearm from working.

    Attributes:
        link: Also measure for five seconds how good an end of a link this machine is.
        json: Print the findings as one JSON document on stdout.
    """

    link: bool = False
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_doctor, argv)


def _doctor(argv: Sequence[str]) -> int:
    command = parse(DoctorCommand, argv, prog="spikearm doctor", examples=("spikearm doctor",))
    findings = examine()
    if command.link:
        findings += examine_link()
    table = Table("", "", Column("found", overflow="fold"), show_edge=False)
    for finding in findings:
        verdict = Text(finding.verdict, style=_STYLES[finding.verdict])
        table.add_row(verdict, finding.subject, finding.found)
    console.print(table)
    for finding in findings:
        if finding.remedy:  # below, and never wrapped: it may be a command to copy
            say(f"{finding.subject}: {finding.remedy}")
    if command.json:
        print_json({"findings": [vars(finding) for finding in findings]})
    return FAILED if any(finding.verdict == "bad" for finding in findings) else DONE


def examine() -> list[Finding]:
    """All findings."""
    return [
        Finding("python", "good", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *(_package(name, module) for name, module in _PACKAGES.items()),
        _processors(),
        _threads(),
        _timer(),
        _governor(),
        _meter(),
        _disk(),
        _renderer(),
    ]


_PACKAGES = {
    "numpy": "numpy",
    "mujoco": "mujoco",
    "nengo": "nengo",
    "nengo-loihi": "spikearm.hardware.loihi.backend",
    "numba": "numba",
    "pyarrow": "pyarrow",
    "gymnasium": "gymnasium",
}


def _package(name: str, module: str) -> Finding:
    try:
        import_module(module)
    except Exception as error:  # noqa: BLE001 - whatever a broken installation raises is the finding
        return Finding(
            name, "bad", f"{type(error).__name__}: {error}", f"pip install --force-reinstall {name}"
        )
    return Finding(name, "good", metadata.version(name))


def _processors() -> Finding:
    usable = usable_cpus()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    found = f"{usable} usable, load {load:.1f}"
    if load > 0.7 * usable:
        return Finding("processors", "note", found, "close other programs: a busy machine misses deadlines")
    return Finding("processors", "good", found)


def _threads() -> Finding:
    """Matrices of a 7-joint arm are small: more threads only make the tick's time jump."""
    if any(os.environ.get(name) == "1" for name in _THREAD_VARIABLES):
        return Finding("threads", "good", "linear algebra uses one")
    return Finding(
        "threads", "note", "linear algebra may use several", "set OMP_NUM_THREADS=1 for steadier ticks"
    )


def _timer() -> Finding:
    late_us = []
    for _ in range(200):
        start = time.perf_counter()
        time.sleep(1e-3)
        late_us.append(1e6 * (time.perf_counter() - start) - 1e3)
    p50, p99 = np.percentile(late_us, (50, 99))
    found = f"a sleep of 1 ms ends {p50:.0f} µs late, {p99:.0f} µs at the 99th percentile"
    if p99 > 500:
        remedy = (
            "real-time runs will miss deadlines here: an idle machine, `chrt -f 50`, or a PREEMPT_RT kernel"
        )
        return Finding("timer", "note", found, remedy)
    return Finding("timer", "good", found)


def _governor() -> Finding:
    path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if not path.is_file():
        return Finding("clock governor", "note", "not visible (a virtual machine, or not Linux)")
    governor = path.read_text(encoding="utf-8").strip()
    if governor == "performance":
        return Finding("clock governor", "good", governor)
    return Finding("clock governor", "note", governor, "`sudo cpupower frequency-set -g performance`")


def _meter() -> Finding:
    meter = make_meter()
    if meter is None:
        return Finding(
            "energy meter",
            "note",
            "none readable: energy_measured stays empty",
            "on Intel or AMD Linux: `sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj`",
        )
    return Finding("energy meter", "good", meter.name)


def _disk() -> Finding:
    here = Path.cwd()
    if not os.access(here, os.W_OK):
        return Finding("run folder", "note", f"{here} is not writable", "give runs another place with --out")
    return Finding("run folder", "good", f"{here / 'runs'}")


def _renderer() -> Finding:
    """Only pictures need OpenGL; runs do not."""
    backend = os.environ.get("MUJOCO_GL", "")
    if backend in ("egl", "osmesa") or os.environ.get("DISPLAY"):
        return Finding("rendering", "good", backend or "display")
    return Finding("rendering", "note", "no display", "runs need none; for pictures set MUJOCO_GL=egl")


if __name__ == "__main__":
    sys.exit(main())
