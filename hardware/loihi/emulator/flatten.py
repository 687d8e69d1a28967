"""From nengo-loihi's blocks, axons and synapses to the flat arrays of the kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.errors import CapacityError
from spikearm.hardware.loihi.emulator.learning import FACTOR_OVERFLOW, LEARN_FRAC, Learning
from spikearm.hardware.loihi.emulator.rows import Rows, joined, starts_of
from spikearm.hardware.loihi.emulator.wiring import OUT_OF_RANGE, UNUSED, Wiring


def flatten_wiring(emulator: Any) -> Wiring:
    """All axons and synapses of a stock emulator that has not run yet.

    The synapses' own weights become views of the flat weights: what learns is seen on both sides.
    """
    block_start = starts_of(block.n_neurons for block in emulator.block_info.blocks)
    synapses = list(emulator.synapses.slices)
    rows = Rows(emulator.block_info.dtype)
    axon_row, axon_base = [], []
    for synapse in synapses:
        row, base = _axon_table(synapse, rows, emulator.synapses.slices[synapse])
        axon_row.append(row)
        axon_base.append(base)
    learns = np.array([synapse.n_axons if synapse.learning else 0 for synapse in synapses], dtype=np.int64)
    return Wiring(
        **_wires(emulator, synapses),
        axon_start=starts_of(synapse.n_axons for synapse in synapses),
        axon_row=joined(axon_row, np.int64),
        axon_base=joined(axon_base, np.int64),
        **rows.arrays(),
        block_start=block_start,
        n_axons=learns,
        trace_start=starts_of(learns)[:-1],
        fired=np.zeros(block_start[-1], dtype=np.int32),
        fired_start=np.zeros_like(block_start),
        operations=np.zeros(len(synapses), dtype=np.int64),
        arrivals=np.zeros(len(synapses), dtype=np.int64),
    )


def _wires(emulator: Any, synapses: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """Who sends to each synapse group, in the order in which the stock emulator asks them."""
    into: dict[Any, list[tuple[int, Any, int]]] = {synapse: [] for synapse in synapses}
    for i, spike_input in enumerate(emulator.inputs):
        for axon in spike_input.axons:
            into[axon.target].append((-1 - i, axon, spike_input.n_neurons))
    number = {block: i for i, block in enumerate(emulator.block_info.blocks)}
    for axon, block in emulator.axons.block_map.items():
        into[axon.target].append((number[block], axon, block.n_neurons))
    wires = [wire for synapse in synapses for wire in into[synapse]]
    maps = [_axon_map(axon, n) for _, axon, n in wires]
    return {
        "wire_start": starts_of(len(into[synapse]) for synapse in synapses),
        "wire_source": np.array([source for source, _, _ in wires], dtype=np.int64),
        "wire_map": starts_of(len(axons) for axons, _ in maps),
        "axon": joined([axons for axons, _ in maps], np.int32),
        "atom": joined([atoms for _, atoms in maps], np.int32),
    }


def _axon_map(axon: Any, n_neurons: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Axon and atom for each neuron of the source."""
    synapse = axon.target
    n = max(n_neurons, synapse.n_axons) if axon.compartment_map is None else len(axon.compartment_map)
    axons = np.array(axon.map_axon(np.arange(n)), dtype=np.int32)
    atoms = np.array(axon.map_atoms(np.arange(n)), dtype=np.int32)
    n_atoms = synapse.weights[0].shape[0] if len(synapse.weights) else 0
    axons[(axons >= synapse.n_axons) | ((axons >= 0) & ((atoms < 0) | (atoms >= n_atoms)))] = OUT_OF_RANGE
    return np.where(axons < OUT_OF_RANGE, UNUSED, axons).astype(np.int32), atoms


def _axon_table(synapse: Any, rows: Rows, block: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row of weights of each axon of a group, and the compartment its indices count from."""
    first = rows.add(synapse)
    n_atoms = np.array([len(weights) for weights in synapse.weights], dtype=np.int64)
    row = first + starts_of(n_atoms)[:-1]
    low = np.array([indices.min(initial=0) for indices in synapse.indices])
    high = np.array([indices.max(initial=0) for indices in synapse.indices])
    base = np.zeros(synapse.n_axons, dtype=np.int64)
    if synapse.axon_compartment_bases is not None:
        base[:] = synapse.axon_compartment_bases
    table = np.arange(synapse.n_axons)
    if synapse.axon_to_weight_map is not None:
        table = np.asarray(synapse.axon_to_weight_map)[table]
    leaves = (base + low[table] < 0) | (base + high[table] >= block.stop - block.start)
    row = np.where(leaves, OUT_OF_RANGE, row[table])
    return np.where(base < 0, UNUSED, row), base + block.start


def flatten_learning(emulator: Any, wiring: Wiring) -> Learning:
    """All groups that learn; traces and errors of the stock emulator become views of the flat ones."""
    state = emulator.synapses
    groups = [(i, synapse) for i, synapse in enumerate(state.slices) if synapse.learning]
    synapses = [synapse for _, synapse in groups]
    for synapse in synapses:
        _check_matrix(synapse, 2 * state.pes_errors[synapse].size)
    trace_start = starts_of(synapse.n_axons for synapse in synapses)
    error_start = starts_of(state.pes_errors[synapse].size for synapse in synapses)
    trace = np.zeros(trace_start[-1], dtype=state.dtype)
    error = np.zeros(error_start[-1], dtype=state.dtype)
    for g, synapse in enumerate(synapses):
        state.traces[synapse] = trace[trace_start[g] : trace_start[g + 1]]
        state.pes_errors[synapse] = error[error_start[g] : error_start[g + 1]]
    rows = [wiring.axon_row[wiring.axon_start[i]] for i, _ in groups]
    sizes = [synapse.n_axons * 2 * state.pes_errors[synapse].size for synapse in synapses]
    sizes += [state.n_compartments, *(synapse.n_axons for synapse in synapses)]
    return Learning(
        pending=np.zeros(trace_start[-1], dtype=np.bool_),
        trace=trace,
        error=error,
        trace_start=trace_start,
        error_start=error_start,
        weight_start=np.array([wiring.row_start[row] for row in rows], dtype=np.int64),
        train_epoch=np.array([synapse.train_epoch for synapse in synapses], dtype=np.int64),
        learn_epoch=np.array([synapse.learn_epoch for synapse in synapses], dtype=np.int64),
        decay=np.array([np.exp(-s.train_epoch / s.tracing_tau) for s in synapses], dtype=np.float64),
        magnitude=np.array([synapse.tracing_mag for synapse in synapses], dtype=np.float64),
        rate=np.array([synapse.learning_rate for synapse in synapses], dtype=np.float64),
        **_fixed_point(synapses, discrete=state.dtype == np.int32),
        words=np.zeros(2 * max(sizes), dtype=np.uint32),
        product=np.zeros(max(sizes), dtype=np.int32),
    )


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
    if not plain or len(synapse.weights) != synapse.n_axons or shapes != {(1, n_columns)}:
        raise CapacityError(
            f"synapse group {synapse.label!r} learns, but its weights have shapes {sorted(shapes)}; PES "
            f"on the chip needs one row of {n_columns} weights for each of its {synapse.n_axons} axons; use "
            "a dense connection, or emulator='stock'."
        )
