"""Axons and synapses of all blocks as flat arrays, and the way of spikes through them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel

Ints = NDArray[np.int64]

UNUSED = -1
"""In place of an axon: the neuron sends nothing along this wire."""
OUT_OF_RANGE = -2
"""In place of an axon: there is none, or it leads out of its block; to use it is an error."""
AXON, ATOM, WEIGHT, LENGTH, INDEX, BASE = range(6)
"""Columns of links: axon of the synapse group and its atom; where the weights start, and their number; where
their compartments' indices start, or -1 if those count up; the compartment that indices count from."""
N_COLUMNS = 6


class Wiring(NamedTuple):
    """All ways a spike can go. Groups of synapses are ordered as the stock emulator orders them.

    Spikes start at a source: an input from the host or a block. A wire is one group of axons from a source to
    one synapse group; it has one link for each neuron of the source. All a spike needs lies in one link,
    because fetching it from memory is most of the work.

    Attributes:
        wire_start: First wire into each synapse group, shape (n_groups + 1,).
        wire_source: Block, or ``-1 - i`` for input ``i``, shape (n_wires,).
        link_start: First link of each wire, shape (n_wires + 1,).
        links: Columns as named above, shape (n_links, 6).
        weights: All weights.
        indices: Compartments that weights lead to, where these do not simply count up.
        block_start: First compartment of each block, shape (n_blocks + 1,).
        trace_start: Where the traces of each group start among all traces; -1 if it has none.
        fired: Compartments that spiked in the step before, in order (scratch).
        fired_start: Where each block's begin, shape (n_blocks + 1,) (scratch).
        operations: Synaptic operations of each group in the last step.
        arrivals: Spikes that reached each group in the last step.
    """

    wire_start: Ints
    wire_source: Ints
    link_start: Ints
    links: NDArray[np.int32]
    weights: NDArray[Any]
    indices: NDArray[np.int32]
    block_start: Ints
    trace_start: Ints
    fired: NDArray[np.int32]
    fired_start: Ints
    operations: Ints
    arrivals: Ints


@kernel
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


@kernel
def _add_weights(wiring: Wiring, link: int, target: NDArray[Any]) -> None:
    """Add the weights of one link to the compartments they lead to."""
    n, start, index = wiring.links[link, LENGTH], wiring.links[link, WEIGHT], wiring.links[link, INDEX]
    base = wiring.links[link, BASE]
    weights = wiring.weights[start : start + n]
    if index < 0:
        here = target[base : base + n]
        for k in range(n):
            here[k] += weights[k]
    else:
        indices = wiring.indices[index : index + n]
        for k in range(n):
            target[base + indices[k]] += weights[k]


@kernel
def _carry(
    wiring: Wiring,
    group: int,
    wire: int,
    neurons: NDArray[Any],
    target: NDArray[Any],
    pending: NDArray[np.bool_],
) -> int:
    """Spikes of one source along one wire. Returns the spikes lost to a full trace, or ``OUT_OF_RANGE``."""
    lost = arrivals = operations = 0
    start, end = wiring.link_start[wire], wiring.link_start[wire + 1]
    first_trace = wiring.trace_start[group]
    for neuron in neurons:
        link = start + neuron
        if neuron < 0 or link >= end:
            return OUT_OF_RANGE
        axon = wiring.links[link, AXON]
        if axon < 0:
            if axon == OUT_OF_RANGE:
                return OUT_OF_RANGE
            continue
        arrivals += 1
        if first_trace >= 0:
            lost += pending[first_trace + axon]
            pending[first_trace + axon] = True
        operations += wiring.links[link, LENGTH]
        _add_weights(wiring, link, target)
    wiring.arrivals[group] += arrivals
    wiring.operations[group] += operations
    return lost


@kernel
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
