"""How long does one step on the crossbar take, beside Nengo's own simulator in the same run?

    python benchmarks/crossbar.py [--json FILE] [--steps N] [--clock {wall,cpu}]

The networks are those of the closed loop (7 joints, 1000 LIF neurons that learn by PES), without and with a
state encoder of two hidden layers with 64 spiking units. All device effects are on, the resistance of wires
included. Single parts of a step, a read and a learning update, are timed as well, next to NumPy's plain
product, and the exact solution of Kirchhoff's law that they are tested against. Runs on one core, without
Python's collector of cycles, as the control loop does. With ``--clock cpu`` other work on the machine counts
for less. The table says of every figure that has a target what it is, in microseconds, and whether it is met.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import numpy as np

from spikearm.hardware.crossbar.backend import CrossbarBackend
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.events import EventTraces
from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.nodal import NodalArray
from spikearm.hardware.reference import ReferenceBackend
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.encoder import StateEncoder
from spikearm.models.scaling import StateScaling

N_JOINTS, N_HIDDEN, N_FEATURES, DT_S = 7, 64, 8, 1e-3
SCALING = StateScaling((0.0,) * 2 * N_JOINTS, (1.5,) * 2 * N_JOINTS)
N_WARM = 500

Timing = dict[str, Any]

STEP_TARGET = {"mean": 250.0, "p99": 500.0}
TARGETS: dict[str, dict[str, float]] = {
    "step, state, crossbar": STEP_TARGET,
    "step, encoder, crossbar": STEP_TARGET,
    "read 1024 x 14, 5 % of rows": {"mean": 15.0},
    "learn 1024 x 14, 5 % of rows": {"mean": 30.0},
    "read 256 x 1024, analog": {"mean": 60.0},
}
"""What each should stay below [us]: a step a quarter of a control tick of 1 ms, and half of it at worst."""

clock = perf_counter


def random_encoder() -> StateEncoder:
    """An encoder of the shipped size; the time of a step does not depend on what it has learned."""
    rng = np.random.default_rng(0)

    def layer(n_out: int, n_in: int) -> np.ndarray:
        return rng.normal(size=(n_out, n_in)) * np.sqrt(2.0 / n_in)

    return StateEncoder(
        "random",
        SCALING,
        w1=layer(N_HIDDEN, 2 * N_JOINTS),
        b1=np.full(N_HIDDEN, 0.1),
        w2=layer(N_HIDDEN, N_HIDDEN),
        b2=np.full(N_HIDDEN, 0.1),
        w3=layer(N_FEATURES, N_HIDDEN) / np.sqrt(N_FEATURES),
    )


def timed(call: Callable[[int], object], n: int, n_warm: int = N_WARM) -> Timing:
    """Median, mean and 99th percentile of ``call(i)`` [us]."""
    for i in range(n_warm):
        call(i)
    times = np.empty(n)
    for i in range(n):
        start = clock()
        call(n_warm + i)
        times[i] = clock() - start
    us = 1e6 * times
    return {"median": float(np.median(us)), "mean": float(us.mean()), "p99": float(np.percentile(us, 99))}


def time_network(backend: ReferenceBackend | CrossbarBackend, network: AdaptiveNetwork, n: int) -> Timing:
    """One program's steps, counts included, along a moving state."""
    program = backend.compile(network, dt_s=DT_S, seed=0)
    phases = np.arange(2 * N_JOINTS)

    def step(i: int) -> None:
        error = np.cos(i / 300 + phases[:N_JOINTS])
        program.step({"state": np.sin(i / 200 + phases), "error": error})

    timing = timed(step, n)
    program.close()
    return timing


def spiking_matrix(config: CrossbarConfig) -> CrossbarMatrix:
    """A tall tile that learns."""
    rng = np.random.default_rng(0)
    matrix = CrossbarMatrix(
        "1024 x 14", np.zeros((14, 1024)), np.ones(14), config, hold_s=0.256, per_spike=1 / DT_S, rng=rng
    )
    matrix.cells.g[:] = rng.uniform(0, 0.2 * config.device.g_max_siemens, matrix.cells.g.shape)
    matrix.refresh_all(0.0)
    matrix.calibrate(np.ones((1, 1024)), 0.05 * config.device.g_max_siemens)
    return matrix


def time_parts(n: int) -> dict[str, Timing]:
    """Reads and learning updates of single matrices."""
    rng = np.random.default_rng(0)
    config, counts = CrossbarConfig(tile_rows=1024), Ledger().counts
    no_wires = replace(config, row_wire_ohm=0.0, column_wire_ohm=0.0)
    spikes = (rng.random((256, 1024)) < 0.05) / DT_S
    analog = rng.uniform(-1, 1, (256, 256))
    errors = rng.normal(size=(256, 14))
    learned, perfect = spiking_matrix(config), spiking_matrix(no_wires)
    connected = spiking_matrix(replace(config, rows_gated=False))
    traces = EventTraces(1024, 14, tau_s=0.012, dt_s=DT_S, per_spike=1 / DT_S)
    learning = PulseLearning(spiking_matrix(config), DeviceClock(DT_S), rng, traces)
    static = CrossbarMatrix(
        "256 x 1024", rng.normal(size=(1024, 256)), None, config, hold_s=0.256, per_spike=None, rng=rng
    )
    static.calibrate(analog[:64])
    plain_learned, plain_static = rng.normal(size=(14, 1024)), rng.normal(size=(1024, 256))
    cells = learned.cells.g.reshape(1024, 28)
    on = spikes[0] > 0
    parts = {
        "NumPy product 1024 x 14": timed(lambda i: plain_learned @ spikes[i % 256], n),
        "read 1024 x 14, 5 % of rows": timed(lambda i: learned.read(spikes[i % 256], counts), n),
        "  with perfect wires": timed(lambda i: perfect.read(spikes[i % 256], counts), n),
        "  with rows always connected": timed(lambda i: connected.read(spikes[i % 256], counts), n),
        "  by Kirchhoff's law, one read": timed(
            lambda _: NodalArray(cells * on[:, None], row_ohm=0.35, column_ohm=0.35).solve(1.0 * on), 3, 1
        ),
        "learn 1024 x 14, 5 % of rows": timed(
            lambda i: learning.pes(spikes[i % 256], errors[i % 256], 1e-6, counts), n
        ),
        "NumPy product 256 x 1024": timed(lambda i: plain_static @ analog[i % 256], n),
        "read 256 x 1024, analog": timed(lambda i: static.read(analog[i % 256], counts), n),
    }
    for name, timing in parts.items():
        plain = "NumPy product 256 x 1024" if "256 x" in name else "NumPy product 1024 x 14"
        timing["ratio"] = timing["median"] / parts[plain]["median"]
    return parts


def measure(n: int) -> dict[str, Timing]:
    """Everything, by name."""
    networks = {
        "state": AdaptiveNetwork(N_JOINTS, SCALING),
        "encoder": AdaptiveNetwork(N_JOINTS, SCALING, encoder=random_encoder()),
    }
    result: dict[str, Timing] = {}
    for name, network in networks.items():
        reference = time_network(ReferenceBackend(), network, n)
        crossbar = time_network(CrossbarBackend(), network, n)
        crossbar["ratio"] = crossbar["median"] / reference["median"]
        result[f"step, {name}, nengo.Simulator"] = reference
        result[f"step, {name}, crossbar"] = crossbar
    return result | time_parts(n)


def judge(timings: dict[str, Timing]) -> None:
    """Write down beside each timing what it should stay below, and whether it does."""
    for name, target in TARGETS.items():
        timings[name]["target"] = target
        timings[name]["met"] = all(timings[name][kind] < limit for kind, limit in target.items())


def verdict(timing: Timing) -> str:
    """The target in words, and whether it is met."""
    if "target" not in timing:
        return ""
    limits = ", ".join(f"{kind} < {limit:g}" for kind, limit in timing["target"].items())
    return f"{limits}: {'met' if timing['met'] else 'not met'}"


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    parser.add_argument("--steps", type=int, default=4000, help="measured calls of each kind")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="which time to measure")
    arguments = parser.parse_args()
    global clock  # noqa: PLW0603 one clock for everything that is timed
    clock = perf_counter if arguments.clock == "wall" else thread_time
    gc.collect()
    gc.disable()
    timings = measure(arguments.steps)
    judge(timings)
    print(f"{'[us]':40s} {'median':>8s} {'mean':>8s} {'p99':>8s} {'ratio':>6s}  target")
    for name, t in timings.items():
        ratio = f"{t['ratio']:6.2f}" if "ratio" in t else ""
        row = f"{name:40s} {t['median']:8.1f} {t['mean']:8.1f} {t['p99']:8.1f} {ratio:6s}  {verdict(t)}"
        print(row.rstrip())
    if arguments.json:
        document = {"machine": platform.processor() or platform.machine(), "clock": arguments.clock}
        document |= {"unit": "us", "timings": timings}
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
