"""The reference substrate: Nengo's own simulator, in floating point, on this computer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import DotInc

from spikearm.errors import ClosedError
from spikearm.hardware.backend import StepResult
from spikearm.hardware.cost import CostModel
from spikearm.hardware.host_cost import HOST_COST
from spikearm.hardware.nengo_state import (
    ArrayPart,
    Part,
    Snapshot,
    StateArray,
    simulator_fingerprint,
    simulator_parts,
    step_functions,
)
from spikearm.hardware.ports import Ports
from spikearm.models.network import NetworkSpec, PortedNetwork
from spikearm.records import FloatArray, OpCounts
from spikearm.timesteps import n_steps


@dataclass(frozen=True)
class ReferenceBackend:
    """Runs networks as Nengo defines them; what the other substrates are compared with."""

    name: str = field(default="reference", init=False)
    cost_model: CostModel = HOST_COST

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> ReferenceProgram:
        """Build the network.

        Raises:
            TimeStepError: The time step is not a positive number.
        """
        n_steps(dt_s, dt_s, outer="network step", inner="network step")
        return ReferenceProgram(spec.build(seed=seed), dt_s=dt_s)


class ReferenceProgram:
    """A network running in ``nengo.Simulator``; memory does not grow, because no probe is kept.

    Args:
        ported: The network and its ports.
        dt_s: Network time step [s].
    """

    def __init__(self, ported: PortedNetwork, *, dt_s: float) -> None:
        # The optimiser saves 4 us of 85 us per step, but merges signals in an order that changes from
        # process to process, so that no state could be loaded in another one.
        self._simulator = nengo.Simulator(ported.network, dt=dt_s, progress_bar=False, optimize=False)
        self._dt_s = dt_s
        self._steps = step_functions(self._simulator)
        self._ports = Ports(ported)
        self._counter = HostCounter(self._simulator)
        parts = {**simulator_parts(self._simulator), **port_parts(ported)}
        self._snapshot = Snapshot(parts, simulator_fingerprint(self._simulator))
        self._compiled_state = self._snapshot.save()

    @property
    def dt_s(self) -> float:
        """Network time step [s]."""
        return self._dt_s

    def step(self, inputs: Mapping[str, FloatArray]) -> StepResult:
        """Advance by one step.

        Raises:
            PortError: An input is missing, unknown, of the wrong shape, or not finite.
            ClosedError: The program is closed.
        """
        self._refuse_if_closed()
        self._ports.write(inputs)
        # What nengo.Simulator.step does, without its probes and its book-keeping (6 us).
        with np.errstate(invalid="raise", divide="ignore"):
            for step in self._steps:
                step()
        return StepResult(self._ports.read(), self._counter.count())

    def reset(self) -> None:
        """Go back to the compiled state."""
        self._refuse_if_closed()
        self._snapshot.load(self._compiled_state)

    def state_dict(self) -> dict[str, StateArray]:
        """Everything needed to resume exactly."""
        self._refuse_if_closed()
        return self._snapshot.save()

    def load_state_dict(self, state: Mapping[str, StateArray]) -> None:
        """Resume from a saved state.

        Raises:
            StateError: The state belongs to another network, or is incomplete.
        """
        self._refuse_if_closed()
        self._snapshot.load(state)

    def close(self) -> None:
        """Release the simulator."""
        self._simulator.close()

    def _refuse_if_closed(self) -> None:
        if self._simulator.closed:
            raise ClosedError("this program is closed; compile the network again to go on.")


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
        self._populations = [
            (signals[op.output], simulator.dt / getattr(op.neurons, "amplitude", 1.0))
            for op in spiking.values()
        ]
        self._fan_outs = [
            (signals[op.X], simulator.dt / getattr(spiking[op.X.base].neurons, "amplitude", 1.0), _rows(op))
            for op in products
            if op.X.base in spiking
        ]
        self._real_products = [(signals[op.X], _rows(op)) for op in products if op.X.base not in spiking]
        self._dense = float(sum(op.A.size for op in products))
        self._neuron_updates = float(sum(op.J.size for op in neurons))
        self._learning_updates = float(
            sum(op.delta.size for op in simulator.step_order if hasattr(op, "delta"))
        )

    def count(self) -> OpCounts:
        """Operations of the step just made."""
        spikes = sum(round(out.sum() * scale) for out, scale in self._populations)
        real = sum(np.count_nonzero(x) * fan_out for x, fan_out in self._real_products)
        events = sum(round(out.sum() * scale) * fan_out for out, scale, fan_out in self._fan_outs)
        return OpCounts(
            spikes=float(spikes),
            synaptic_ops=float(events),
            synaptic_ops_dense=self._dense,
            neuron_updates=self._neuron_updates,
            neuron_updates_active=self._neuron_updates,
            learning_updates=self._learning_updates,
            active_macs=float(events + real),
        )


def port_parts(ported: PortedNetwork) -> dict[str, Part]:
    """The values on the ports, which are state too: a node reads and writes them."""
    parts: dict[str, Part] = {f"in/{name}": ArrayPart(port.value) for name, port in ported.inputs.items()}
    parts.update({f"out/{name}": ArrayPart(port.value) for name, port in ported.outputs.items()})
    return parts


def _rows(product: Any) -> int:
    """Synapses that one element of a product's input reaches."""
    rows: int = product.A.size // product.X.size
    return rows
