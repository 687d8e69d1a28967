"""Which share of its commands does a robot get in time, in real time, on this machine?

    python benchmarks/link.py [--json FILE] [--seconds S] [--runs N] [--controller NAME] [--least SHARE]

``robot serve`` and ``hardware run`` as they are, in a process each, at 1 kHz and without injected faults. A
run that stops early has missed its mark, whatever its share. The exit code is 1 unless every run reaches the
least share. It is a question to a quiet machine: the load is printed beside the result.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAIN = [sys.executable, "-m", "spikearm.launch.main"]


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
    """One run; what its summary says of the link, and the machine's load."""
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
        load = os.getloadavg()[0]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if not ended.stdout:
        raise SystemExit(f"the run gave no summary:\n{ended.stderr}")
    summary = json.loads(ended.stdout)
    return {**summary["link"], "n_ticks": summary["n_ticks"], "load_before": load, "load": os.getloadavg()[0]}


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
    print(f"{'run':>4}{'in time':>10}{'worst 100':>11}{'longest run':>13}{'load':>14}  ended")
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
    in_time = "-" if rate is None else f"{100 * rate:.2f} %"
    worst, longest = f"{100 * result['success_rate_min_100']:.0f} %", result["robot_longest_run_of_misses"]
    return f"{run:>4}{in_time:>10}{worst:>11}{longest:>13}{load:>14}  {result['ended']}"


if __name__ == "__main__":
    sys.exit(main())
