"""Axons and synapses of all blocks as flat arrays, and the way of spikes through them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]

UNUSED = -1
OUT_OF_RANGE = -2


class Wiring(NamedTuple):
    """All ways a spike can go. Groups of synapses are ordered as the stock emulator orders them.

    Spikes start at a source: an input from the host or a block. A wire is one group of axons from a source
    to one synapse group. An axon of a group leads to as many rows of weights as it has atoms.

    Attributes:
        wire_start: First wire into each synapse group, shape (n_groups + 1,).
        wire_source: Block, or ``-1 - i`` for input ``i``, shape (n_wires,).
        wire_map: Where the map of each wire starts in ``axon`` and ``atom``, shape (n_wires + 1,).
        axon: Axon of the synapse group for each neuron of the source, or one of the codes above.
        atom: Atom for each neuron of the source.
        axon_start: Where the axons of each group start in ``axon_row`` and ``axon_base``.
        axon_row: Row of atom 0, or one of the codes above.
        axon_base: Compartment, among all, that the axon's indices count from.
        row_start: Where each row's weights start in ``weights``.
        row_length: Number of its weights.
        row_index: Where its indices start in ``indices``, or ``-1 - first`` if they simply count up.
        weights: All weights.
        indices: Compartments, counted from the axon's base.
        block_start: First compartment of each block, shape (n_blocks + 1,).
        n_axons: Axons of each group that keep a learning trace, else 0.
        trace_start: Where those start among all traces.
        fired: Compartments that spiked in the step before, in order (scratch).
        fired_start: Where each block's begin, shape (n_blocks + 1,) (scratch).
        operations: Synaptic operations of each group in the last step.
        arrivals: Spikes that reached each group in the last step.
    """

    wire_start: Ints
    wire_source: Ints
    wire_map: Ints
    axon: NDArray[np.int32]
    atom: NDArray[np.int32]
    axon_start: Ints
    axon_row: Ints
    axon_base: Ints
    row_start: Ints
    row_length: Ints
    row_index: Ints
    weights: NDArray[Any]
    indices: NDArray[np.int32]
    block_start: Ints
    n_axons: Ints
    trace_start: Ints
    fired: NDArray[np.int32]
    fired_start: Ints
    operations: Ints
    arrivals: Ints


@njit
def find_fired(wiring: Wiring, spiked: NDArray[np.bool_]) -> None:
    """List the compartments of each block that spiked."""
    n = 0
    for block in range(wiring.block_start.size - 1):
        wiring.fired_start[block] = n
        first = wiring.block_start[block]
        for i in range(first, wiring.block_start[block + 1]):
            if spiked[i]:
                wiring.fired[n] = i - first
                n += 1
    wiring.fired_start[-1] = n


@njit
def _add_row(wiring: Wiring, row: int, base: int, target: NDArray[Any]) -> int:
    """Add one row of weights to the compartments it leads to; returns how many."""
    n, w, index = wiring.row_length[row], wiring.row_start[row], wiring.row_index[row]
    weights = wiring.weights[w : w + n]
    if index < 0:
        here = target[base - 1 - index : base - 1 - index + n]
        for k in range(n):
            here[k] += weights[k]
    else:
        indices = wiring.indices[index : index + n]
        for k in range(n):
            target[base + indices[k]] += weights[k]
    return int(n)


@njit
def _carry(
    wiring: Wiring,
    group: int,
    wire: int,
    neurons: NDArray[Any],
    target: NDArray[Any],
    pending: NDArray[np.bool_],
) -> int:
    """Spikes of one source along one wire. Returns the spikes lost to a full trace, or ``OUT_OF_RANGE``."""
    lost = 0
    start, end = wiring.wire_map[wire], wiring.wire_map[wire + 1]
    first_axon = wiring.axon_start[group]
    learns = wiring.n_axons[group] > 0
    for neuron in neurons:
        if neuron < 0 or start + neuron >= end:
            return OUT_OF_RANGE
        axon = wiring.axon[start + neuron]
        if axon < 0:
            if axon == OUT_OF_RANGE:
                return OUT_OF_RANGE
            continue
        wiring.arrivals[group] += 1
        if learns:
            place = wiring.trace_start[group] + axon
            lost += pending[place]
            pending[place] = True
        row = wiring.axon_row[first_axon + axon]
        if row == OUT_OF_RANGE:
            return OUT_OF_RANGE
        if row >= 0:
            base = wiring.axon_base[first_axon + axon]
            wiring.operations[group] += _add_row(wiring, row + wiring.atom[start + neuron], base, target)
    return lost


@njit
def deliver(
    wiring: Wiring,
    input_start: Ints,
    input_neurons: Ints,
    target: NDArray[Any],
    pending: NDArray[np.bool_],
) -> int:
    """Carry all spikes of a step to their synapses and add their weights to the compartments' inputs.

    Args:
        wiring: The network.
        input_start: Where the spikes of each input begin in ``input_neurons``, shape (n_inputs + 1,).
        input_neurons: Which neurons of the inputs spike.
        target: Input accumulator of all compartments.
        pending: For each axon with a trace: whether it has spiked since the trace was last updated.

    Returns:
        Number of spikes lost because their trace had one already, or ``OUT_OF_RANGE``.
    """
    lost = 0
    for group in range(wiring.wire_start.size - 1):
        wiring.operations[group] = 0
        wiring.arrivals[group] = 0
        for wire in range(wiring.wire_start[group], wiring.wire_start[group + 1]):
            source = wiring.wire_source[wire]
            if source < 0:
                spikes = input_neurons[input_start[-1 - source] : input_start[-source]]
                n = _carry(wiring, group, wire, spikes, target, pending)
            else:
                fired = wiring.fired[wiring.fired_start[source] : wiring.fired_start[source + 1]]
                n = _carry(wiring, group, wire, fired, target, pending)
            if n == OUT_OF_RANGE:
                return OUT_OF_RANGE
            lost += n
    return lost
