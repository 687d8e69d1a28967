"""From nengo-loihi's blocks, axons and synapses to the flat arrays of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikearm.errors import CapacityError
from spikearm.hardware.loihi.emulator.learning import FACTOR_OVERFLOW, LEARN_FRAC, Learning
from spikearm.hardware.loihi.emulator.rows import FlatRows, Rows, starts_of
from spikearm.hardware.loihi.emulator.wiring import (
    ATOM,
    AXON,
    BASE,
    INDEX,
    LENGTH,
    N_COLUMNS,
    OUT_OF_RANGE,
    UNUSED,
    WEIGHT,
    Wiring,
)


def flatten_wiring(emulator: Any) -> Wiring:
    """All axons and synapses of a stock emulator that has not run yet.

    The synapses' own weights become views of the flat weights: what learns is seen on both sides.
    """
    slices = emulator.synapses.slices
    rows = Rows(emulator.block_info.dtype)
    tables = {synapse: _axon_table(synapse, rows, block) for synapse, block in slices.items()}
    flat = rows.arrays()
    wires = _wires(emulator, list(slices))
    links = [_links(axon, n, tables[axon.target], flat) for group in wires for _, axon, n in group]
    block_start = starts_of(block.n_neurons for block in emulator.block_info.blocks)
    n_traces = np.array([synapse.n_axons if synapse.learning else 0 for synapse in slices], dtype=np.int64)
    return Wiring(
        wire_start=starts_of(len(group) for group in wires),
        wire_source=np.array([source for group in wires for source, *_ in group], dtype=np.int64),
        link_start=starts_of(len(part) for part in links),
        links=np.concatenate([np.zeros((0, N_COLUMNS), np.int32), *links], dtype=np.int32),
        weights=flat.weights,
        indices=flat.indices,
        block_start=block_start,
        trace_start=np.where(n_traces > 0, starts_of(n_traces)[:-1], -1),
        fired=np.zeros(block_start[-1], dtype=np.int32),
        fired_start=np.zeros_like(block_start),
        operations=np.zeros(len(slices), dtype=np.int64),
        arrivals=np.zeros(len(slices), dtype=np.int64),
    )


def _wires(emulator: Any, synapses: Sequence[Any]) -> list[list[tuple[int, Any, int]]]:
    """Who sends to each synapse group, in the order in which the stock emulator asks them.

    Returns:
        For each group, the source, its axons and its number of neurons.
    """
    into: dict[Any, list[tuple[int, Any, int]]] = {synapse: [] for synapse in synapses}
    for i, spike_input in enumerate(emulator.inputs):
        for axon in spike_input.axons:
            into[axon.target].append((-1 - i, axon, spike_input.n_neurons))
    number = {block: i for i, block in enumerate(emulator.block_info.blocks)}
    for axon, block in emulator.axons.block_map.items():
        into[axon.target].append((number[block], axon, block.n_neurons))
    return list(into.values())


def _links(axon: Any, n_neurons: int, table: AxonTable, flat: FlatRows) -> NDArray[np.int32]:
    """One link for each neuron of the source."""
    n = max(n_neurons, table.row.size) if axon.compartment_map is None else len(axon.compartment_map)
    links = np.zeros((n, N_COLUMNS), dtype=np.int32)
    axons, atoms = np.array(axon.map_axon(np.arange(n))), np.array(axon.map_atoms(np.arange(n)))
    links[:, AXON] = np.maximum(axons, UNUSED)
    links[:, ATOM] = atoms
    links[axons >= table.row.size, AXON] = OUT_OF_RANGE
    known = np.flatnonzero(links[:, AXON] >= 0)
    axons, atoms = axons[known], atoms[known]
    # Axons without use take spikes, but have no weights.
    used = table.row[axons] != UNUSED
    known, axons, atoms = known[used], axons[used], atoms[used]
    wrong = (atoms < 0) | (atoms >= table.n_atoms[axons]) | (table.row[axons] == OUT_OF_RANGE)
    links[known[wrong], AXON] = OUT_OF_RANGE
    known, axons, atoms = known[~wrong], axons[~wrong], atoms[~wrong]
    rows = table.row[axons] + atoms
    links[known, WEIGHT] = flat.start[rows]
    links[known, LENGTH] = flat.length[rows]
    links[known, INDEX] = flat.index_start[rows]
    links[known, BASE] = table.base[axons] + flat.first[rows]
    return links


class AxonTable(NamedTuple):
    """The axons of one synapse group.

    Attributes:
        row: Row of weights of atom 0, or ``UNUSED``, or ``OUT_OF_RANGE``.
        n_atoms: Number of rows.
        base: Compartment, among all, that indices count from.
    """

    row: NDArray[np.int64]
    n_atoms: NDArray[np.int64]
    base: NDArray[np.int64]


def _axon_table(synapse: Any, rows: Rows, block: slice) -> AxonTable:
    """Add the weights of a group to the rows, and note where each axon leads."""
    first = rows.add(synapse)
    n_atoms = np.array([len(weights) for weights in synapse.weights], dtype=np.int64)
    row = first + starts_of(n_atoms)[:-1]
    low = np.array([indices.min(initial=0) for indices in synapse.indices])
    high = np.array([indices.max(initial=0) for indices in synapse.indices])
    base = np.zeros(synapse.n_axons, dtype=np.int64)
    if synapse.axon_compartment_bases is not None:
        base[:] = synapse.axon_compartment_bases
    own = np.arange(synapse.n_axons)
    if synapse.axon_to_weight_map is not None:
        own = np.asarray(synapse.axon_to_weight_map)[own]
    leaves = (base + low[own] < 0) | (base + high[own] >= block.stop - block.start)
    used = np.where(leaves, OUT_OF_RANGE, row[own])
    return AxonTable(np.where(base < 0, UNUSED, used), n_atoms[own], base + block.start)


def flatten_learning(emulator: Any, wiring: Wiring) -> Learning:
    """All groups that learn; traces and errors of the stock emulator become views of the flat ones."""
    state = emulator.synapses
    synapses = [synapse for synapse in state.slices if synapse.learning]
    for synapse in synapses:
        _check_matrix(synapse, 2 * state.pes_errors[synapse].size)
    trace_start = starts_of(synapse.n_axons for synapse in synapses)
    error_start = starts_of(state.pes_errors[synapse].size for synapse in synapses)
    trace = np.zeros(trace_start[-1], dtype=state.dtype)
    error = np.zeros(error_start[-1], dtype=state.dtype)
    for g, synapse in enumerate(synapses):
        state.traces[synapse] = trace[trace_start[g] : trace_start[g + 1]]
        state.pes_errors[synapse] = error[error_start[g] : error_start[g + 1]]
    sizes = [synapse.n_axons * 2 * state.pes_errors[synapse].size for synapse in synapses]
    sizes += [state.n_compartments, *(synapse.n_axons for synapse in synapses)]
    return Learning(
        pending=np.zeros(trace_start[-1], dtype=np.bool_),
        trace=trace,
        error=error,
        trace_start=trace_start,
        error_start=error_start,
        weight_start=np.array([_place(synapse.weights[0], wiring) for synapse in synapses], dtype=np.int64),
        train_epoch=np.array([synapse.train_epoch for synapse in synapses], dtype=np.int64),
        learn_epoch=np.array([synapse.learn_epoch for synapse in synapses], dtype=np.int64),
        decay=np.array([np.exp(-s.train_epoch / s.tracing_tau) for s in synapses], dtype=np.float64),
        magnitude=np.array([synapse.tracing_mag for synapse in synapses], dtype=np.float64),
        rate=np.array([synapse.learning_rate for synapse in synapses], dtype=np.float64),
        **_fixed_point(synapses, discrete=state.dtype == np.int32),
        words=np.zeros(2 * max(sizes), dtype=np.uint32),
        product=np.zeros(max(sizes), dtype=np.int32),
    )


def _place(row: NDArray[Any], wiring: Wiring) -> int:
    """Where a row that is a view of the flat weights starts among them."""
    offset = row.ctypes.data - wiring.weights.ctypes.data
    return int(offset // wiring.weights.itemsize)


def _fixed_point(synapses: Sequence[Any], *, discrete: bool) -> dict[str, NDArray[Any]]:
    """Shifts and limits of learning in whole numbers; zeros in the real mode."""
    names = ("rate_int", "rate_shift", "weight_shift", "round_bits", "weight_exp", "clip")
    table = np.zeros((len(synapses), len(names)), dtype=np.int64)
    for i, synapse in enumerate(synapses if discrete else ()):
        exponent, shift_bits = synapse.synapse_cfg.real_weight_exp, synapse.synapse_cfg.shift_bits
        table[i] = (
            synapse._lr_int,  # noqa: SLF001 set by nengo-loihi's discretisation
            LEARN_FRAC + synapse._lr_exp - FACTOR_OVERFLOW,  # noqa: SLF001
            LEARN_FRAC - exponent,
            LEARN_FRAC + shift_bits,
            exponent + shift_bits,
            2 ** (8 - shift_bits) - 1,
        )
    return {name: np.ascontiguousarray(table[:, j]) for j, name in enumerate(names)}


def _check_matrix(synapse: Any, n_columns: int) -> None:
    """PES needs all weights of a group: one row for each axon, one column for each compartment.

    Raises:
        CapacityError: They are anything else.
    """
    shapes = {weights.shape for weights in synapse.weights}
    plain = synapse.axon_to_weight_map is None and synapse.axon_compartment_bases is None
    plain &= all(np.array_equal(indices, [np.arange(n_columns)]) for indices in synapse.indices)
    if not plain or len(synapse.weights) != synapse.n_axons or shapes != {(1, n_columns)}:
        raise CapacityError(
            f"synapse group {synapse.label!r} learns, but its weights have shapes {sorted(shapes)}; PES "
            f"on the chip needs one row of {n_columns} weights for each of its {synapse.n_axons} axons; use "
            "a dense connection, or emulator='stock'."
        )
