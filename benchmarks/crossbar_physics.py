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
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.devices import make_device
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.run import execute

SEEDS = (101, 102, 103)
DAY_S = 86_400.0
TEN_REACHES = RunConfig(arm="iiwa14", trials=10, distance_m=0.2, backend="crossbar")


def crossbar(**settings: Any) -> RunConfig:
    """Ten reaches with these settings of the substrate."""
    return dataclasses.replace(TEN_REACHES, crossbar=CrossbarConfig(**settings))


def on(device: str, **settings: Any) -> RunConfig:
    """Ten reaches on devices of this name."""
    return crossbar(device=make_device(device), **settings)


def intact(device: str) -> Device:
    """A device of this name of which none is corrupt."""
    return dataclasses.replace(make_device(device), corrupt=0.0)


def variants() -> dict[str, RunConfig]:
    """Label and configuration of every row."""
    aged = crossbar(programmed_s=DAY_S)
    return {
        "reference, no devices": dataclasses.replace(TEN_REACHES, backend="reference"),
        "ideal devices": on("ideal"),
        "PCM, fresh": crossbar(),
        "PCM, encoder written a day ago": aged,
        "the same, compensated per column": crossbar(programmed_s=DAY_S, drift_compensation="column"),
        "the same, not compensated": crossbar(programmed_s=DAY_S, drift_compensation_s=0.0),
        "PCM, a day between reach 5 and 6": dataclasses.replace(crossbar(), rest_s=DAY_S),
        "PCM, 3 rounds of program-and-verify": crossbar(program_rounds=3),
        "PCM, committee of 3 encoders": dataclasses.replace(crossbar(), network=NetworkConfig(committee=3)),
        "PCM, 4 pairs per synapse": crossbar(devices_per_synapse=4),
        "PCM, 7 pairs per synapse": crossbar(devices_per_synapse=7),
        "PCM, 5 % stuck": crossbar(stuck_at_min=0.025, stuck_at_max=0.025),
        "PCM, 10 % stuck": crossbar(stuck_at_min=0.05, stuck_at_max=0.05),
        "PCM, 10 % stuck, 4 pairs": crossbar(stuck_at_min=0.05, stuck_at_max=0.05, devices_per_synapse=4),
        "PCM, 10 % stuck at g_min": crossbar(stuck_at_min=0.1),
        "PCM (HERMES)": on("pcm-hermes"),
        "ReRAM (Gong 2018)": on("reram-gong2018"),
        "ReRAM, optimised material": on("reram-optimised"),
        "ReRAM, optimised, none corrupt": crossbar(device=intact("reram-optimised")),
        "ReRAM, HfO2": on("reram-hfo2"),
        "ReRAM, HfO2, none corrupt": crossbar(device=intact("reram-hfo2")),
        "ReRAM, HfO2, 7 pairs per synapse": on("reram-hfo2", devices_per_synapse=7),
        "NeuRRAM encoder, PCM decoders": on("neurram", overrides={"learned": {"device": make_device("pcm")}}),
        "Nb:SrTiO3 (scaled time)": on("nb-srtio3"),
        "PCM, threshold of half a pulse": crossbar(pulse_threshold=0.5),
        "PCM, stochastic pulses": crossbar(learning="stochastic"),
        "PCM, sign pulses": crossbar(learning="sign"),
        "Nb:SrTiO3, sign pulses (mPES)": on("nb-srtio3", learning="sign"),
    }


def run(config: RunConfig, seed: int) -> dict[str, float]:
    """One run in numbers."""
    with TemporaryDirectory() as folder:
        seeded = dataclasses.replace(config, seed=seed, out=Path(folder))
        summary = execute(seeded, baseline=False).summary
    trials = np.array(summary["rmse_m_by_trial"])
    row = {"rmse_m": summary["rmse_m"], "last_m": float(trials[-3:].mean())}
    row["energy_j"] = summary["energy_model_j_per_tick"]["total"]
    for wear in summary.get("wear", []):
        pulses = (wear["set_mean"] + wear["reset_mean"]) * wear["n_devices"] / summary["n_ticks"]
        row |= {"pulses_per_tick": pulses, "most_pulses": wear["set_max"] + wear["reset_max"]}
        row |= {"programming_j": summary["energy_model_j_per_tick"]["programming"]}
        row |= {"lifetime_h": wear["lifetime_h"] or np.inf}
    return row


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
        line += f" {row['pulses_per_tick']:8.2f} {row['most_pulses']:8.0f} {1e9 * row['programming_j']:9.3f}"
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
    for label, config in variants().items():
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
