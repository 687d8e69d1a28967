"""How long does a whole control tick take, stage by stage, on each substrate?

    python benchmarks/tick.py [--json FILE] [--seconds S] [--backends reference crossbar loihi]

The loop is that of ``spikearm run``: 7-joint arm with an unknown payload, operational-space control, state
encoder, 1000 LIF neurons that learn, tick log on disk. A tick is read, law, network, write and log together;
control at 1 kHz leaves it 1 ms. The last column compares its median with that of the same loop without a
network in the same run, which shares whatever else the machine was doing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from spikearm.controller.ticklog import read_ticks
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute
from spikearm.launch.summary import STAGES, column, whole_ticks_s


def measure(config: RunConfig) -> dict[str, Any]:
    """Run once; median and 99th percentile of each stage and of the whole tick [s]."""
    finished = execute(config, baseline=False)
    table = read_ticks(finished.folder)
    times = {stage: column(table, f"latency_{stage}_s") for stage in STAGES}
    times["whole tick"] = whole_ticks_s(table)
    return {
        name: {"p50": float(np.nanmedian(t)), "p99": float(np.nanpercentile(t, 99))}
        for name, t in times.items()
    } | {"deadline_misses": finished.summary["deadline_misses"], "n_ticks": finished.summary["n_ticks"]}


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run, in arm time")
    parser.add_argument("--backends", nargs="+", default=["reference", "crossbar", "loihi"])
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as out:
        base = RunConfig(duration_s=arguments.seconds, out=Path(out))
        results = {"no network": measure(dataclasses.replace(base, controller="osc"))}
        for backend in arguments.backends:
            results[backend] = measure(dataclasses.replace(base, backend=backend))

    _print_table(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def _print_table(results: dict[str, dict[str, Any]]) -> None:
    names = [*STAGES, "whole tick"]
    print("median / 99th percentile per tick [µs]")
    print(f"{'':12}" + "".join(f"{name:>16}" for name in names) + f"{'misses':>10}{'ratio':>8}")
    plain = results["no network"]["whole tick"]["p50"]
    for label, result in results.items():
        cells = [f"{1e6 * result[n]['p50']:.0f} / {1e6 * result[n]['p99']:.0f}" for n in names]
        misses = f"{result['deadline_misses']}/{result['n_ticks']}"
        ratio = result["whole tick"]["p50"] / plain
        print(f"{label:12}" + "".join(f"{cell:>16}" for cell in cells) + f"{misses:>10}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
