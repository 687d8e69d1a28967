"""What do the devices of a crossbar do to a control loop that learns?

    python benchmarks/crossbar_physics.py [--json FILE] [--seeds N ...] [--only TEXT] [--trials N]

The 7-joint arm reaches out and back ten times with 0.907 kg it knows nothing of, as in the acceptance tests,
with the network on one kind of crossbar after another. Prints the table of docs/crossbar.md as Markdown:
rms error of the whole run, and of the last three reaches together, in the mean over seeds; *left* is the
latter, relative to that without adaptation of the same seed, with its range. Pulses, energy and lifetime are
those of the learned matrix. One run takes about ten seconds. What was measured is written to FILE row by row;
the same command takes it up where it was interrupted. ``--trials 1`` is a quick look.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from spikearm import __version__
from spikearm.launch.config import RunConfig
from spikearm.launch.device_variants import DEVICE_VARIANTS
from spikearm.launch.run import execute
from spikearm.launch.writing import writing

SEEDS = (101, 102, 103)
TEN_REACHES = RunConfig(arm="iiwa14", trials=10, distance_m=0.2, backend="crossbar")

COLUMNS = ("", "rms error, mm", "last three, mm", "left", "pulses", "most", "writing, nJ", "lasts, h")
UNADAPTED = "no adaptation"
N_LAST = 3
FOR_EVER_H = 1e12

Row = dict[str, float]


def rows(base: RunConfig) -> Iterator[tuple[str, RunConfig]]:
    """Label and configuration of every row, without adaptation first."""
    yield UNADAPTED, dataclasses.replace(base, controller="osc")
    yield "reference, no devices", dataclasses.replace(base, backend="reference")
    for variant in DEVICE_VARIANTS.values():
        yield variant.label, variant.of(base)


def run(config: RunConfig, seed: int) -> Row:
    """One run in numbers."""
    with TemporaryDirectory() as folder:
        seeded = dataclasses.replace(config, seed=seed, out=Path(folder))
        summary = execute(seeded, baseline=False).summary
    trials = np.array(summary["rmse_m_by_trial"])
    row = {"rmse_m": summary["rmse_m"], "last_m": float(np.sqrt(np.mean(trials[-N_LAST:] ** 2)))}
    total_j = summary["energy_model_j_per_tick"]["total"]
    if total_j is not None:  # Nothing is modelled where there is no network.
        row["energy_j"] = total_j
    devices = writing(summary)
    return row if devices is None else row | dataclasses.asdict(devices)


def mean(runs: list[Row]) -> Row:
    """Column by column; the shortest of the lifetimes."""
    means = {name: float(np.mean([row[name] for row in runs])) for name in runs[0]}
    if "lifetime_h" in means:
        means["lifetime_h"] = min(row["lifetime_h"] for row in runs)
    return means


def three_digits(hours: float) -> str:
    """Hours with three digits, or a dash for ever."""
    return f"{float(f'{hours:.3g}'):,.7g}" if np.isfinite(hours) else "-"


def as_markdown(label: str, runs: list[Row], unadapted: list[Row]) -> str:
    """One line of the table."""
    row = mean(runs)
    left = [run["last_m"] / without["last_m"] for run, without in zip(runs, unadapted, strict=True)]
    cells = [label, f"{1e3 * row['rmse_m']:.2f}", f"{1e3 * row['last_m']:.2f}"]
    cells += [f"{np.mean(left):.3f} ({min(left):.3f} - {max(left):.3f})"]
    if "pulses_per_tick" not in row:
        cells += [""] * 4
    elif FOR_EVER_H < row["lifetime_h"] < np.inf:  # Ideal devices, whose pulses mean nothing.
        cells += ["-"] * 4
    else:
        cells += [f"{row['pulses_per_tick']:.3g}", f"{row['most_pulses']:,.0f}"]
        cells += [f"{1e9 * row['joules_per_tick']:.3g}"]
        cells += [three_digits(row["lifetime_h"])]
    return "| " + " | ".join(cells) + " |"


class Results:
    """Runs that were made, by row and seed, kept in a file from one to the next.

    Args:
        path: The file, or None to keep nothing.
        settings: What all runs share; results of others are not taken up.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self._path = path
        self._document: dict[str, Any] = {**settings, "rows": {}}
        if path is not None and path.exists():
            found = json.loads(path.read_text())
            if {name: found.get(name) for name in settings} != settings:
                raise SystemExit(f"{path} holds results of other runs; move it away, or name another file.")
            self._document = found

    def of(self, label: str, config: RunConfig, seed: int) -> Row:
        """A run's numbers, from the file or from the run."""
        runs = self._document["rows"].setdefault(label, {})
        if str(seed) not in runs:
            print(f"{label}, seed {seed}", file=sys.stderr, flush=True)
            runs[str(seed)] = {k: v if np.isfinite(v) else None for k, v in run(config, seed).items()}
            self._save()
        return {name: np.inf if value is None else value for name, value in runs[str(seed)].items()}

    def _save(self) -> None:
        if self._path is not None:
            part = self._path.with_name(self._path.name + ".part")
            part.write_text(json.dumps(self._document, indent=2) + "\n")
            part.replace(self._path)


def main() -> None:
    """Run everything, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the numbers in FILE, and resume from it"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, metavar="N", help="seeds of the runs")
    parser.add_argument("--only", default="", metavar="TEXT", help="only rows whose label contains TEXT")
    parser.add_argument("--trials", type=int, default=TEN_REACHES.trials, metavar="N", help="reaches per run")
    arguments = parser.parse_args()
    base = dataclasses.replace(TEN_REACHES, trials=arguments.trials)
    machine = platform.processor() or platform.machine()
    results = Results(arguments.json, {"machine": machine, "trials": base.trials, "version": __version__})
    unadapted: list[Row] = []
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS), flush=True)
    for label, config in rows(base):
        if unadapted and arguments.only not in label:
            continue
        runs = [results.of(label, config, seed) for seed in arguments.seeds]
        unadapted = unadapted or runs
        print(as_markdown(label, runs, unadapted), flush=True)


if __name__ == "__main__":
    main()
