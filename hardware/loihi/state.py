"""What changes in nengo-loihi's emulator and in its queues between host and chip, as parts of a snapshot."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikearm.hardware.loihi.simulator import Simulator
from spikearm.hardware.nengo_state import (
    ArrayPart,
    Part,
    RandomPart,
    StateArray,
    simulator_parts,
)

_COMPARTMENT_ARRAYS = ("input", "current", "voltage", "spiked", "spike_count", "ref_count")


def loihi_parts(simulator: Simulator) -> dict[str, Part]:
    """Every piece of state of a simulator between two steps: host, chip and the way between them."""
    emulator = simulator.sims["emulator"]
    parts: dict[str, Part] = {}
    if "host" in simulator.sims:
        parts.update(simulator_parts(simulator.sims["host"], "host"))
    parts["chip/t"] = AttributePart(emulator, "t")
    parts["chip/random"] = RandomPart(emulator.rng)
    for name in _COMPARTMENT_ARRAYS:
        parts[f"chip/{name}"] = ArrayPart(getattr(emulator.compartment, name))
    for i, synapse in enumerate(s for s in emulator.synapses.slices if s.learning):
        parts[f"chip/weights{i}"] = RowsPart(synapse.weights)
        parts[f"chip/trace{i}"] = ArrayPart(emulator.synapses.traces[synapse])
        parts[f"chip/error{i}"] = ArrayPart(emulator.synapses.pes_errors[synapse])
        parts[f"chip/trace_spikes{i}"] = ArrayPart(emulator.pending(synapse))
    for i, spike_input in enumerate(emulator.inputs):
        parts[f"to_chip/{i}"] = SpikeQueuePart(spike_input)
    for i, receiver in enumerate(host_receivers(simulator).values()):
        parts[f"to_host/{i}"] = ValueQueuePart(receiver)
    return parts


def host_receivers(simulator: Simulator) -> dict[Any, Any]:
    """Probes of whole connections on the chip, and the step function of the host node each sends to."""
    receivers: dict[Any, Any] = simulator._runner.host_receivers  # noqa: SLF001 no public access
    return receivers


class AttributePart:
    """A whole number kept as an attribute."""

    def __init__(self, owner: object, name: str) -> None:
        self._owner = owner
        self._name = name

    def save(self) -> StateArray:
        """The number."""
        return np.array(getattr(self._owner, self._name), dtype=np.int64)

    def objection(self, saved: StateArray) -> str | None:
        """It must be one whole number."""
        if saved.shape != () or saved.dtype != np.int64:
            return "is not a whole number"
        return None

    def load(self, saved: StateArray) -> None:
        """Set the attribute."""
        setattr(self._owner, self._name, int(saved))


class RowsPart:
    """A list of arrays, of which each is written in place."""

    def __init__(self, rows: list[StateArray]) -> None:
        self._rows = rows

    def save(self) -> StateArray:
        """All rows, one after another."""
        return np.concatenate([row.ravel() for row in self._rows])

    def objection(self, saved: StateArray) -> str | None:
        """Number and type of elements must be the same."""
        size, dtype = sum(row.size for row in self._rows), self._rows[0].dtype
        if saved.shape != (size,) or saved.dtype != dtype:
            return f"is {saved.dtype} of shape {saved.shape}, not {dtype} of ({size},)"
        return None

    def load(self, saved: StateArray) -> None:
        """Overwrite every row."""
        start = 0
        for row in self._rows:
            row[...] = saved[start : start + row.size].reshape(row.shape)
            start += row.size


class SpikeQueuePart:
    """Spikes on their way to the chip: rows of (time step, neuron)."""

    def __init__(self, spike_input: Any) -> None:
        self._spikes: dict[int, Any] = spike_input.spikes
        self._n_neurons: int = spike_input.n_neurons

    def save(self) -> StateArray:
        """One row for each spike."""
        rows = [(step, neuron) for step, neurons in self._spikes.items() for neuron in neurons]
        return np.array(rows, dtype=np.int64).reshape(-1, 2)

    def objection(self, saved: StateArray) -> str | None:
        """Neurons must exist."""
        if saved.ndim != 2 or saved.shape[1] != 2 or saved.dtype != np.int64:
            return "is not a list of (time step, neuron)"
        neurons = saved[:, 1].astype(np.int64)
        if ((neurons < 0) | (neurons >= self._n_neurons)).any():
            return f"has spikes of neurons outside 0 to {self._n_neurons - 1}"
        return None

    def load(self, saved: StateArray) -> None:
        """Replace the queue."""
        self._spikes.clear()
        steps = saved[:, 0]
        for step in np.unique(steps):
            self._spikes[int(step)] = saved[steps == step, 1]


class ValueQueuePart:
    """Values on their way to the host: rows of time [s] and value."""

    def __init__(self, receiver: Any) -> None:
        self._queue: list[tuple[float, StateArray]] = receiver.queue
        self._size = int(np.prod(receiver.size_out))

    def save(self) -> StateArray:
        """One row for each value."""
        return np.array([[t, *np.ravel(value)] for t, value in self._queue], dtype=np.float64)

    def objection(self, saved: StateArray) -> str | None:
        """At least one row (the node always has something to say) of the right size."""
        if saved.ndim != 2 or len(saved) < 1 or saved.shape[1] != 1 + self._size:
            return f"is not a list of times with {self._size} values"
        return None

    def load(self, saved: StateArray) -> None:
        """Replace the queue."""
        self._queue[:] = [(float(row[0]), row[1:].copy()) for row in saved]
