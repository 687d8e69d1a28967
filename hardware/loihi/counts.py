"""What the chip did in one step: spikes, synapses, updates and messages, by core."""

from __future__ import annotations

from typing import Any

import nengo_loihi
import numpy as np
from numpy.typing import NDArray

from spikearm.records import FloatArray, OpCounts

MESH_COLUMNS = 8
"""Tiles from west to east; 4 rows, 4 cores per tile (Davies et al. 2018)."""
CORES_PER_TILE = 4


class LoihiCounter:
    """Counts from the state the emulator is in after a step.

    Blocks are placed one per core, in the order they were built, cores tile by tile and tiles row by row;
    messages go along rows first (dimension-ordered routing). This is a plain placement, not an
    optimised one. What the host computes is not counted; what it exchanges with the chip is.

    Args:
        simulator: The loaded simulator.
    """

    def __init__(self, simulator: nengo_loihi.Simulator) -> None:
        emulator = simulator.sims["emulator"]
        blocks = list(emulator.block_info.blocks)
        self._emulator = emulator
        self._sizes = [block.n_neurons for block in blocks]
        self._synapses = [
            (core, emulator.synapses.spikes_in[synapse], _FanOut(synapse))
            for core, block in enumerate(blocks)
            for synapse in block.synapses
        ]
        self._learning = [
            (synapse.learn_epoch, float(synapse.size()))
            for synapse in emulator.synapses.slices
            if synapse.learning
        ]
        self._n_compartments = float(sum(self._sizes))
        self._dense = float(sum(synapse.n_axons * fan.mean for synapse, fan in self._with_synapses()))
        self._routes = _routes(blocks, emulator.block_info.slices)
        self._values_per_step = _host_values(simulator)

    def count(self) -> OpCounts:
        """Operations of the step just made."""
        compartment, t = self._emulator.compartment, self._emulator.t
        spiked = compartment.spiked
        by_core = [0.0] * len(self._sizes)
        for core, spikes, fan_out in self._synapses:
            by_core[core] += fan_out.operations(spikes)
        busiest = max(range(len(by_core)), key=by_core.__getitem__)
        messages, east_west, north_south = self._routes[spiked].sum(axis=0).tolist()
        from_host = sum(len(idx) for queue in self._emulator.inputs for idx in queue.spikes.values())
        return OpCounts(
            spikes=float(np.count_nonzero(spiked)),
            synaptic_ops=sum(by_core),
            synaptic_ops_dense=self._dense,
            neuron_updates=self._n_compartments,
            neuron_updates_active=float(np.count_nonzero(spiked | (compartment.input[0] != 0))),
            learning_updates=sum((size for epoch, size in self._learning if t % epoch == 0), 0.0),
            spike_messages=messages,
            hops_east_west=east_west,
            hops_north_south=north_south,
            host_messages=from_host + self._values_per_step,
            busiest_core_synaptic_ops=by_core[busiest],
            busiest_core_neuron_updates=float(self._sizes[busiest]),
        )

    def _with_synapses(self) -> list[tuple[Any, _FanOut]]:
        fans = {id(spikes): fan for _, spikes, fan in self._synapses}
        queues = self._emulator.synapses.spikes_in
        return [(synapse, fans[id(queues[synapse])]) for synapse in self._emulator.synapses.slices]


class _FanOut:
    """How many synapses a spike on each axon of a synapse group reaches."""

    def __init__(self, synapse: Any) -> None:
        reached = [
            0 if synapse.axon_compartment_base(axon) is None else synapse.axon_weights_indices(axon)[0].size
            for axon in range(synapse.n_axons)
        ]
        self._by_axon = reached
        self._uniform = float(reached[0]) if len(set(reached)) == 1 else None
        self.mean = sum(reached) / len(reached)

    def operations(self, spikes: list[Any]) -> float:
        """Synaptic operations caused by these spikes."""
        if self._uniform is not None:
            return self._uniform * len(spikes)
        return float(sum(self._by_axon[spike.axon_idx] for spike in spikes))


def _routes(blocks: list[Any], slices: Any) -> FloatArray:
    """Messages and hops that one spike of each compartment causes, shape (n_compartments, 3).

    Columns: messages to other cores, tile-to-tile links crossed from east to west or back, and from
    north to south or back.
    """
    core_of = {id(synapse): core for core, block in enumerate(blocks) for synapse in block.synapses}
    routes = np.zeros((sum(block.n_neurons for block in blocks), 3))
    for core, block in enumerate(blocks):
        for axon in block.axons:
            target = core_of[id(axon.target)]
            if target != core:
                routes[slices[block]] += np.outer(_connected(axon, block.n_neurons), _path(core, target))
    return routes


def _connected(axon: Any, n_neurons: int) -> NDArray[np.bool_]:
    """Which compartments of a block send along this axon group."""
    indices = axon.map_axon(np.arange(n_neurons))
    connected: NDArray[np.bool_] = np.asarray(indices) >= 0
    return connected


def _path(source: int, target: int) -> tuple[float, float, float]:
    """One message from core to core: itself, hops along the row, hops along the column."""
    row_s, column_s = divmod(source // CORES_PER_TILE, MESH_COLUMNS)
    row_t, column_t = divmod(target // CORES_PER_TILE, MESH_COLUMNS)
    return 1.0, float(abs(column_t - column_s)), float(abs(row_t - row_s))


def _host_values(simulator: nengo_loihi.Simulator) -> float:
    """Real values exchanged with the host in every step: errors to the chip, voltages from it."""
    model = simulator.model
    errors = sum(sender.size_in for sender in model.host2chip_pes_senders)
    voltages = sum(block.n_neurons for probe in model.probes for block in probe.target)
    return float(errors + voltages)
