"""Which share of its commands does a robot get in time, in real time, on this machine?

    python benchmarks/link.py [--json FILE] [--seconds S] [--runs N] [--controller NAME] [--least SHARE]

``robot serve`` and ``hardware run`` as they are, in a process each, at 1 kHz and without injected faults. A
run that stops early has missed its mark, whatever its share. The exit code is 1 unless every run reaches the
least share. It is a question to a quiet machine: beside the result stand the load and, before and after the
run, how often in a second a program that only looks at the clock, one on each processor, finds that it stood
still for more than 0.5 ms. That is what the machine, its other programs and its hypervisor leave to anybody.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_STALL_NS = 500_000
_LOOK_S = 3.0
_START_S = 1.0

MAIN = [sys.executable, "-m", "spikearm.launch.main"]


def stalls_per_s() -> float:
    """How often in a second one of the processors stood still for more than 0.5 ms."""
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    with multiprocessing.get_context("spawn").Pool(len(cpus)) as pool:
        pool.map(_at, len(cpus) * [time.monotonic() + _START_S], chunksize=1)  # all of them are up
        start_s = time.monotonic() + _START_S
        return sum(pool.starmap(_count_stalls, [(cpu, start_s) for cpu in cpus], chunksize=1)) / _LOOK_S


def _at(start_s: float) -> None:
    time.sleep(max(0.0, start_s - time.monotonic()))


def _count_stalls(cpu: int, start_s: float) -> int:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})
    _at(start_s)
    n, last_ns = 0, time.perf_counter_ns()
    end_ns = last_ns + round(1e9 * _LOOK_S)
    while last_ns < end_ns:
        now_ns = time.perf_counter_ns()
        n += now_ns - last_ns > _STALL_NS
        last_ns = now_ns
    return n


@contextmanager
def served(address: str) -> Iterator[None]:
    """A simulated robot in a process of its own."""
    command = [*MAIN, "robot", "serve", "--listen", address]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as robot:  # noqa: S603 - ours
        try:
            for line in robot.stderr or ():
                print(f"  {line.rstrip()}", file=sys.stderr)
                if "ready" in line:
                    break
            else:
                raise SystemExit("the robot did not come up; see above.")
            yield
        finally:
            robot.send_signal(signal.SIGINT)
            robot.communicate(timeout=30)


def measure(seconds: float, controller: str) -> dict[str, Any]:
    """One run; what its summary says of the link, and the machine's load and stalls before and after it."""
    load, stalls = os.getloadavg()[0], stalls_per_s()
    with tempfile.TemporaryDirectory() as folder, served(address := f"unix:{folder}/arm.sock"):
        words = (
            "--robot",
            address,
            "--controller",
            controller,
            "--duration-s",
            str(seconds),
            "--out",
            folder,
        )
        command = [*MAIN, "hardware", "run", *words, "--json"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if not ended.stdout:
        raise SystemExit(f"the run gave no summary:\n{ended.stderr}")
    summary = json.loads(ended.stdout)
    return {
        **summary["link"],
        "n_ticks": summary["n_ticks"],
        "load_before": load,
        "load": os.getloadavg()[0],
        "stalls_per_s_before": stalls,
        "stalls_per_s": stalls_per_s(),
    }


def main() -> int:
    """Measure, print, and write JSON if asked to; whether the mark was reached."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each run")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--controller", default="adaptive")
    parser.add_argument("--least", type=float, default=0.99, help="share of commands in time to be reached")
    arguments = parser.parse_args()

    machine = machine_of()
    print(f"{machine}; {arguments.controller}, {arguments.seconds:g} s at 1 kHz")
    print(f"{'run':>4}{'in time':>10}{'worst 100':>11}{'longest run':>13}{'load':>14}{'stalls/s':>14}  ended")
    results = []
    for run in range(1, arguments.runs + 1):
        results.append(result := measure(arguments.seconds, arguments.controller))
        print(_row(run, result), flush=True)
    reached = all(r["ended"] == "done" and r["success_rate"] >= arguments.least for r in results)
    print(f"{'reached' if reached else 'missed'}: at least {100 * arguments.least:g} % in time in every run")
    if arguments.json:
        document = {"machine": machine, "least": arguments.least, "reached": reached, "runs": results}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if reached else 1


def machine_of() -> str:
    """Cores and kind of this machine's processor."""
    kind = platform.processor() or platform.machine()
    table = Path("/proc/cpuinfo")
    for line in table.read_text(encoding="utf-8").splitlines() if table.is_file() else ():
        if line.startswith("model name"):
            kind = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} cores, {kind}"


def _row(run: int, result: dict[str, Any]) -> str:
    rate, load = result["success_rate"], f"{result['load_before']:.1f} - {result['load']:.1f}"
    stalls = f"{result['stalls_per_s_before']:.1f} - {result['stalls_per_s']:.1f}"
    in_time = "-" if rate is None else f"{100 * rate:.2f} %"
    worst, longest = f"{100 * result['success_rate_min_100']:.0f} %", result["robot_longest_run_of_misses"]
    return f"{run:>4}{in_time:>10}{worst:>11}{longest:>13}{load:>14}{stalls:>14}  {result['ended']}"


if __name__ == "__main__":
    sys.exit(main())
