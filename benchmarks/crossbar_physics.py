"""What do the devices of a crossbar do to a control loop that learns?

    python benchmarks/crossbar_physics.py [--json FILE] [--seeds N ...] [--only TEXT]

The 7-joint arm reaches out and back ten times with 0.907 kg it knows nothing of, as in the acceptance tests,
with the network on one kind of crossbar after another. Error and error of the last three reaches are means
over seeds; *left* is the latter, relative to that without adaptation. Pulses, energy and lifetime are those
of the learned matrix. One run takes about ten seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from spikearm.launch.config import RunConfig
from spikearm.launch.device_variants import DEVICE_VARIANTS
from spikearm.launch.run import execute
from spikearm.launch.writing import writing

SEEDS = (101, 102, 103)
TEN_REACHES = RunConfig(arm="iiwa14", trials=10, distance_m=0.2, backend="crossbar")


def rows() -> Iterator[tuple[str, RunConfig]]:
    """Label and configuration of every row."""
    yield "reference, no devices", dataclasses.replace(TEN_REACHES, backend="reference")
    for variant in DEVICE_VARIANTS.values():
        yield variant.label, variant.of(TEN_REACHES)


def run(config: RunConfig, seed: int) -> dict[str, float]:
    """One run in numbers."""
    with TemporaryDirectory() as folder:
        seeded = dataclasses.replace(config, seed=seed, out=Path(folder))
        summary = execute(seeded, baseline=False).summary
    trials = np.array(summary["rmse_m_by_trial"])
    row = {"rmse_m": summary["rmse_m"], "last_m": float(trials[-3:].mean())}
    total_j = summary["energy_model_j_per_tick"]["total"]
    if total_j is not None:  # Nothing is modelled where there is no network.
        row["energy_j"] = total_j
    devices = writing(summary)
    return row if devices is None else row | dataclasses.asdict(devices)


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Column by column; the shortest of the lifetimes."""
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    if "lifetime_h" in means:
        means["lifetime_h"] = min(row["lifetime_h"] for row in rows)
    return means


def print_row(label: str, row: dict[str, float]) -> None:
    """One line of the table."""
    line = f"{label:38s} {1e3 * row['rmse_m']:7.2f} {1e3 * row['last_m']:9.2f} {row['left']:6.3f}"
    if "pulses_per_tick" in row:
        line += (
            f" {row['pulses_per_tick']:8.2f} {row['most_pulses']:8.0f} {1e9 * row['joules_per_tick']:9.3f}"
        )
        line += f" {row['lifetime_h']:10.3g}"
    print(line, flush=True)


def main() -> None:
    """Run everything, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, metavar="N", help="seeds of the runs")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows whose label contains TEXT")
    arguments = parser.parse_args()
    plain = dataclasses.replace(TEN_REACHES, controller="osc")
    unadapted = mean([run(plain, seed) for seed in arguments.seeds])
    table = {"no adaptation": unadapted | {"left": 1.0}}
    print(f"{'':38s} {'rmse mm':>7s} {'last 3 mm':>9s} {'left':>6s} ", end="")
    print(f"{'pulses':>7s} {'most':>8s} {'write nJ':>9s} {'lasts h':>10s}")
    print_row("no adaptation", table["no adaptation"])
    for label, config in rows():
        if arguments.only in label:
            row = mean([run(config, seed) for seed in arguments.seeds])
            table[label] = row | {"left": row["last_m"] / unadapted["last_m"]}
            print_row(label, table[label])
    if arguments.json:
        finite = {k: {n: v if np.isfinite(v) else None for n, v in row.items()} for k, row in table.items()}
        document = {"machine": platform.processor() or platform.machine(), "seeds": arguments.seeds}
        arguments.json.write_text(json.dumps({**document, "rows": finite}, indent=2) + "\n")


if __name__ == "__main__":
    main()
