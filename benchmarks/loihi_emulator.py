"""How long does one step of the chip take on the compiled emulator, beside nengo-loihi's own in the same run?

    python benchmarks/loihi_emulator.py [--json FILE] [--steps N] [--large]

Timed is the emulator's ``step``: all that happens on the chip, learning included. What the host adds is
listed apart: handing over spikes and errors and taking back values (``host2chip`` and ``chip2host``). Both
emulators run the same network with the same seeds; the data of their probes are compared at the end. Last
comes the whole step of a ``LoihiProgram``, as a control loop calls it: host, exchange, chip and counts. Runs
on one core.
"""

from __future__ import annotations

import argparse
import json
import platform
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import nengo
import nengo_loihi
import numpy as np

from spikearm.hardware.loihi import Simulator
from spikearm.hardware.loihi.backend import LoihiBackend
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.scaling import StateScaling

N_WARM = 20
Timing = dict[str, float]


def arm(n_neurons: int, *, learns: bool = True) -> nengo.Network:
    """14-D state in, 7-D torque out, as for an arm with 7 joints."""
    with nengo.Network(seed=0) as network:
        state = nengo.Node(lambda t: np.sin(5 * t + np.arange(14)))
        ensemble = nengo.Ensemble(n_neurons, 14, radius=np.sqrt(14), neuron_type=nengo.LIF())
        nengo.Connection(state, ensemble, synapse=None)
        out = nengo.Node(size_in=7)
        rule = nengo.PES(1e-3) if learns else None
        connection = nengo.Connection(
            ensemble, out, function=lambda _: np.zeros(7), synapse=0.01, learning_rule_type=rule
        )
        if learns:
            error = nengo.Node(lambda t: 0.5 * np.cos(3 * t + np.arange(7)))
            nengo.Connection(error, connection.learning_rule)
        nengo.Probe(out)
    return network


def image() -> nengo.Network:
    """Spikes of an image through a convolution, on the chip."""
    rng = np.random.RandomState(0)
    with nengo.Network(seed=0) as network:
        pixels = nengo.Ensemble(784, 1, gain=np.ones(784), bias=rng.uniform(0, 2, 784))
        transform = nengo.Convolution(8, (28, 28, 1), kernel_size=(5, 5), strides=(2, 2))
        n = transform.output_shape.size
        features = nengo.Ensemble(n, 1, gain=np.ones(n), bias=np.zeros(n))
        nengo_loihi.add_params(network)
        network.config[features].block_shape = nengo_loihi.BlockShape((6, 6, 8), transform.output_shape.shape)
        connection = nengo.Connection(pixels.neurons, features.neurons, transform=transform)
        network.config[connection].pop_type = 32
        nengo.Probe(features.neurons)
    return network


def crowd(n_neurons: int) -> nengo.Network:
    """Ensembles of 1000 neurons that represent one value each, in a ring; no learning."""
    with nengo.Network(seed=0) as network:
        ensembles = [nengo.Ensemble(1000, 1, seed=i) for i in range(n_neurons // 1000)]
        for pre, post in zip(ensembles, [*ensembles[1:], ensembles[0]], strict=True):
            nengo.Connection(pre, post, function=lambda x: x + 0.2, seed=0)
        nengo.Probe(ensembles[0].neurons)
    return network


def simulate(network: nengo.Network, emulator: str, n_steps: int) -> tuple[dict[str, Timing], np.ndarray]:
    """Times of the chip's step and of the exchange with the host [us], and the data of the probe."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nengo-loihi's advice on the network, and clipped errors
        with Simulator(network, target="sim", seed=1, precompute=False, emulator=emulator) as simulator:
            chip = simulator.sims["emulator"]
            times = {name: timed(chip, name) for name in ("step", "host2chip", "chip2host")}
            if "host" in simulator.sims:
                simulator.run_steps(N_WARM + n_steps)
            else:
                for _ in range(N_WARM + n_steps):
                    chip.step()
                simulator._probe()  # noqa: SLF001 without a host, `run_steps` would not make single steps
            exchange = np.add(times["host2chip"], times["chip2host"])
            spent = {"chip": times["step"][N_WARM:], "exchange": exchange[N_WARM:]}
            return {name: summary(part) for name, part in spent.items()}, simulator.data[
                network.all_probes[0]
            ]


def timed(chip: Any, name: str) -> list[float]:
    """Let a method of an emulator note how long each call took [s]."""
    method: Callable[..., Any] = getattr(chip, name)
    times: list[float] = []

    def call(*args: Any) -> None:
        start = perf_counter()
        method(*args)
        times.append(perf_counter() - start)

    setattr(chip, name, call)
    return times


def summary(times: Any) -> Timing:
    """Median, mean and 99th percentile [us]."""
    us = 1e6 * np.asarray(times if len(times) else [0.0])
    return {"median": float(np.median(us)), "mean": float(us.mean()), "p99": float(np.percentile(us, 99))}


def compare(name: str, make: Callable[[], nengo.Network], n_steps: int, n_stock: int) -> dict[str, Any]:
    """Both emulators on one network."""
    compiled, ours = simulate(make(), "compiled", n_steps)
    stock, theirs = simulate(make(), "stock", n_stock)
    n = min(len(ours), len(theirs))
    if not np.array_equal(ours[:n], theirs[:n]):
        raise RuntimeError(f"{name}: the emulators disagree.")
    ratio = {kind: stock["chip"][kind] / compiled["chip"][kind] for kind in ("median", "mean", "p99")}
    return {
        "network": name,
        "neurons": sum(ensemble.n_neurons for ensemble in make().all_ensembles),
        "compiled": compiled,
        "stock": stock,
        "ratio": ratio,
    }


def whole_step(n_neurons: int, n_steps: int) -> Timing:
    """Times of ``LoihiProgram.step`` [us] with 14-D state and 7-D error in, 7-D torque out."""
    spec = AdaptiveNetwork(7, StateScaling((0.0,) * 14, (1.5,) * 14), n_neurons=n_neurons)
    program = LoihiBackend().compile(spec, dt_s=0.001, seed=0)
    times = []
    for i in range(N_WARM + n_steps):
        inputs = {"state": np.sin(i / 200 + np.arange(14)), "error": 0.5 * np.cos(i / 300 + np.arange(7))}
        start = perf_counter()
        program.step(inputs)
        times.append(perf_counter() - start)
    program.close()
    return summary(times[N_WARM:])


def measure(n_steps: int, *, large: bool) -> list[dict[str, Any]]:
    """All networks."""
    results = [
        compare("14-D in, 7-D PES out", lambda: arm(1000), n_steps, n_steps // 4),
        compare("14-D in, 7-D PES out", lambda: arm(200), n_steps, n_steps // 4),
        compare("14-D in, 7-D out", lambda: arm(1000, learns=False), n_steps, n_steps // 4),
        compare("convolution 28 x 28", image, n_steps, n_steps // 20),
    ]
    for n in (1_000, 10_000, 100_000) if large else (1_000, 10_000):
        fewer = max(n_steps * 1000 // n, 100)
        results.append(compare("ring of ensembles", lambda n=n: crowd(n), fewer, fewer // 10))
    return results


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    parser.add_argument("--steps", type=int, default=4000, help="steps of the compiled emulator")
    parser.add_argument("--large", action="store_true", help="100,000 neurons, too")
    arguments = parser.parse_args()
    results = measure(arguments.steps, large=arguments.large)
    print(f"{'':30s} {'compiled [us]':>24s} {'stock [us]':>26s} {'ratio':>15s} {'exchange':>9s}")
    heads = ("median", "mean", "p99", "median", "mean", "p99", "median", "mean", "[us]")
    print(f"{'network':22s} {'neurons':>7s}" + "".join(f"{head:>9s}" for head in heads))
    for result in results:
        chips = [result[emulator]["chip"][kind] for emulator in ("compiled", "stock") for kind in heads[:3]]
        ratios = [
            result["ratio"]["median"],
            result["ratio"]["mean"],
            result["compiled"]["exchange"]["median"],
        ]
        numbers = "".join(f"{value:9.1f}" for value in [*chips, *ratios])
        print(f"{result['network']:22s} {result['neurons']:7d}{numbers}")
    step = whole_step(1000, arguments.steps)
    print("LoihiProgram.step, 1000 neurons [us]: " + ", ".join(f"{k} {v:.1f}" for k, v in step.items()))
    if arguments.json:
        document = {"machine": platform.processor() or platform.machine(), "unit": "us", "results": results}
        document["program_step"] = {"neurons": 1000} | step
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
