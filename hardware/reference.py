"""The reference substrate: Nengo's own simulator, in floating point, on this computer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import DotInc

from spikearm.hardware.cost import CostModel
from spikearm.hardware.fused import fused_steps
from spikearm.hardware.host_cost import HOST_COST
from spikearm.hardware.nengo_state import simulator_fingerprint, simulator_parts
from spikearm.hardware.simulated import SimulatedProgram
from spikearm.hardware.spikes import Population, nengo_populations
from spikearm.models.network import NetworkSpec, PortedNetwork
from spikearm.records import OpCounts
from spikearm.timesteps import n_steps


@dataclass(frozen=True)
class ReferenceBackend:
    """Runs networks as Nengo defines them; what the other substrates are compared with."""

    name: str = field(default="reference", init=False)
    has_dead_time: bool = field(default=False, init=False)
    cost_model: CostModel = HOST_COST

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> ReferenceProgram:
        """Build the network.

        Raises:
            TimeStepError: The time step is not a positive number.
        """
        n_steps(dt_s, dt_s, outer="network step", inner="network step")
        return ReferenceProgram(spec.build(seed=seed), dt_s=dt_s)


class ReferenceProgram(SimulatedProgram):
    """A network running in ``nengo.Simulator``; memory does not grow, because no probe is kept.

    Args:
        ported: The network and its ports.
        dt_s: Network time step [s].
    """

    def __init__(self, ported: PortedNetwork, *, dt_s: float) -> None:
        # The optimiser saves 4 us of 85 us per step, but merges signals in an order that changes from
        # process to process, so that no state could be loaded in another one.
        simulator = nengo.Simulator(ported.network, dt=dt_s, progress_bar=False, optimize=False)
        self._steps = fused_steps(simulator)
        self._counter = HostCounter(simulator)
        parts, fingerprint = simulator_parts(simulator), simulator_fingerprint(simulator)
        super().__init__(simulator, ported, dt_s=dt_s, parts=parts, fingerprint=fingerprint)

    @property
    def populations(self) -> tuple[Population, ...]:
        """The spiking ensembles, with what they did in the last step."""
        return nengo_populations(self._simulator)

    def _advance(self) -> None:
        # What nengo.Simulator.step does, without its probes and its book-keeping (6 us).
        with np.errstate(invalid="raise", divide="ignore"):
            for step in self._steps:
                step()

    def _count(self) -> OpCounts:
        return self._counter.count()


class HostCounter:
    """Counts what an ordinary processor does in one step of a Nengo simulator.

    Synaptic operations are spikes times the synapses each of them reaches, in all matrix products
    (decoders, encoders, weights). Products with real values, as a node gives them, are multiply-accumulates
    of the inputs that are not zero. ``synaptic_ops_dense`` counts every product in full.

    Args:
        simulator: The simulator, built with ``optimize=False``, so that each product has its own operator.
    """

    def __init__(self, simulator: nengo.Simulator) -> None:
        neurons = [op for op in simulator.step_order if isinstance(op, SimNeurons)]
        products = [op for op in simulator.step_order if isinstance(op, DotInc)]
        spiking = {op.output.base: op for op in neurons if op.neurons.spiking}
        signals = simulator.signals
        reached = dict.fromkeys((op.output for op in spiking.values()), 0)
        for op in products:
            if op.X.base in spiking:
                reached[op.X] = reached.get(op.X, 0) + _rows(op)
        # Spikes of each signal are counted once, however many products it goes into.
        self._signals = [
            (signals[signal], _spikes_per_unit(simulator, spiking[signal.base]), signal.base is signal, rows)
            for signal, rows in reached.items()
        ]
        self._real_products = [(signals[op.X], _rows(op)) for op in products if op.X.base not in spiking]
        self._dense = float(sum(op.A.size for op in products))
        self._neuron_updates = float(sum(op.J.size for op in neurons))
        self._learning_updates = float(
            sum(op.delta.size for op in simulator.step_order if hasattr(op, "delta"))
        )

    def count(self) -> OpCounts:
        """Operations of the step just made."""
        spikes = events = 0
        for out, scale, is_population, rows in self._signals:
            n = round(float(np.add.reduce(out)) * scale)
            spikes += n * is_population
            events += n * rows
        real = sum(np.count_nonzero(x) * fan_out for x, fan_out in self._real_products)
        return OpCounts(
            spikes=float(spikes),
            synaptic_ops=float(events),
            synaptic_ops_dense=self._dense,
            neuron_updates=self._neuron_updates,
            neuron_updates_active=self._neuron_updates,
            learning_updates=self._learning_updates,
            active_macs=float(events + real),
        )


def _spikes_per_unit(simulator: nengo.Simulator, neurons: Any) -> float:
    """Spikes in a step that make an output of 1."""
    return float(simulator.dt / getattr(neurons.neurons, "amplitude", 1.0))


def _rows(product: Any) -> int:
    """Synapses that one element of a product's input reaches."""
    rows: int = product.A.size // product.X.size
    return rows
