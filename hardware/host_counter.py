"""What an ordinary processor does in one step of a Nengo simulator."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import Copy, DotInc
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.errors import ConfigError
from spikearm.hardware.addressed import vector_at
from spikearm.records import FloatArray, OpCounts


class HostCounter:
    """Counts what an ordinary processor does in one step of a Nengo simulator.

    Synaptic operations are spikes times the synapses each of them reaches, in all matrix products
    (decoders, encoders, weights). Products with real values, as a node gives them, are multiply-accumulates
    of the inputs that are not zero. ``synaptic_ops_dense`` counts every product in full.

    Args:
        simulator: The simulator, built with ``optimize=False``, so that each product has its own operator.

    Raises:
        ConfigError: It does not compute in double precision.
    """

    def __init__(self, simulator: nengo.Simulator) -> None:
        neurons = [op for op in simulator.step_order if isinstance(op, SimNeurons)]
        products = [op for op in simulator.step_order if isinstance(op, DotInc)]
        spiking = {op.output.base: op for op in neurons if op.neurons.spiking}
        source = {signal: signal for signal in spiking} | _copies(simulator, spiking)
        reached = dict.fromkeys((op.output for op in spiking.values()), 0)
        for op in products:
            if op.X.base in source:
                reached[op.X] = reached.get(op.X, 0) + _rows(op)
        # Spikes of each signal are counted once, however many products it goes into.
        per_unit = [_spikes_per_unit(simulator, spiking[source[signal.base]]) for signal in reached]
        self._per_unit = np.array(per_unit, dtype=np.float64)
        real = [op for op in products if op.X.base not in source]
        signals = [*reached, *(op.X for op in real)]
        # Kept, because the kernel is given their addresses.
        self._arrays = [simulator.signals[signal] for signal in signals]
        is_population = [signal in spiking for signal in reached] + [False] * len(real)
        fan_out = [*reached.values(), *map(_rows, real)]
        rows = map(_row, self._arrays, is_population, fan_out)
        self._table = np.array(list(rows), dtype=np.int64).reshape(-1, 5)
        self._fixed = {
            "synaptic_ops_dense": float(sum(op.A.size for op in products)),
            "neuron_updates": float(sum(op.J.size for op in neurons)),
            "neuron_updates_active": float(sum(op.J.size for op in neurons)),
            "learning_updates": float(
                sum(op.delta.size for op in simulator.step_order if hasattr(op, "delta"))
            ),
        }
        _count(self._table[:0], self._per_unit[:0])  # compiled or loaded now, not in the first step

    def count(self) -> OpCounts:
        """Operations of the step just made."""
        spikes, events, real = _count(self._table, self._per_unit)
        return OpCounts(spikes=spikes, synaptic_ops=events, active_macs=events + real, **self._fixed)


def _copies(simulator: nengo.Simulator, spiking: Collection[Any]) -> dict[Any, Any]:
    """Signals that are copies of spikes, and of which: what a connection takes by a step or in another order.

    A node that adds up what comes in is none, even if all of it are spikes.
    """
    copies = (op for op in simulator.step_order if isinstance(op, Copy) and not op.inc)
    return {op.dst.base: op.src.base for op in copies if op.src.base in spiking}


def _spikes_per_unit(simulator: nengo.Simulator, neurons: Any) -> float:
    """Spikes in a step that make an output of 1."""
    return float(simulator.dt / getattr(neurons.neurons, "amplitude", 1.0))


def _rows(product: Any) -> int:
    """Synapses that one element of a product's input reaches."""
    rows: int = product.A.size // product.X.size
    return rows


def _row(array: FloatArray, is_population: bool, fan_out: int) -> tuple[int, int, int, int, int]:
    """Of the kernel's table: address, length, distance from number to number, and what follows from each."""
    if array.dtype != np.float64:
        raise ConfigError(
            f"operations are counted in double precision, and Nengo is set to {array.dtype}; set "
            'nengo.rc["precision"]["bits"] to 64.'
        )
    stride = array.strides[0] // array.itemsize if array.ndim else 1
    return array.ctypes.data, array.size, stride, int(is_population), fan_out


@kernel
def _count(table: NDArray[np.int64], per_unit: FloatArray) -> tuple[float, float, float]:
    """Spikes, spikes times the synapses they reach, and products with real values.

    Args:
        table: A row for each signal, those of spikes first.
        per_unit: Spikes that an output of 1 is, for each signal of spikes.
    """
    spikes = events = real = 0.0
    for i in range(table.shape[0]):
        n, stride = table[i, 1], table[i, 2]
        values = vector_at(table[i, 0], (n - 1) * stride + 1)
        if i < per_unit.size:
            total = 0.0
            for k in range(n):
                total += values[k * stride]
            fired = np.rint(total * per_unit[i])
            spikes += fired * table[i, 3]
            events += fired * table[i, 4]
        else:
            not_zero = 0
            for k in range(n):
                not_zero += values[k * stride] != 0.0
            real += not_zero * table[i, 4]
    return spikes, events, real
