"""What the chip did in one step: spikes, synapses, updates and messages, by core."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.loihi.cost import LEARNING_UPDATE_S, NEURON_UPDATE_S, SYNAPTIC_OP_S
from spikearm.hardware.loihi.decoders import error_targets
from spikearm.hardware.loihi.emulator.interface import CompiledEmulator
from spikearm.hardware.loihi.emulator.kernel import CUT_WEIGHTS, OVER_Q
from spikearm.hardware.loihi.placement import Places, connected, n_tiles, path, place, traffic
from spikearm.records import FloatArray, OpCounts

# Handed to compiled code, not read by it: its cache would not notice a change in another file.
_FIGURES_S = (SYNAPTIC_OP_S, NEURON_UPDATE_S, LEARNING_UPDATE_S)


class LoihiCounter:
    """Counts from the state the emulator is in after a step.

    What the host computes is not counted here; what it exchanges with the chip is. The busiest core is the
    one whose synaptic operations, neuron updates and learning take longest together by the figures of the
    cost model; every core waits for it.

    Args:
        model: The ``nengo_loihi.builder.Model`` of a built network.
        emulator: The emulator that runs it, or follows a board that does.
    """

    def __init__(self, model: Any, emulator: CompiledEmulator) -> None:
        self._emulator = emulator
        blocks = list(emulator.block_info.blocks)
        core_of = {synapse: core for core, block in enumerate(blocks) for synapse in block.synapses}
        self._cores = np.array([core_of[synapse] for synapse in emulator.synapses.slices], dtype=np.int64)
        self._sizes = np.array([block.n_neurons for block in blocks], dtype=np.float64)
        groups = list(emulator.synapses.slices)
        self._learn_epochs = np.array([s.learn_epoch if s.learning else 1 for s in groups], dtype=np.int64)
        self._learned_sizes = np.array([s.size() if s.learning else 0 for s in groups], dtype=np.float64)
        cores = place(traffic(blocks))
        self._n_tiles = float(n_tiles(cores))
        self._n_compartments = float(self._sizes.sum())
        self._dense = sum((_reach(synapse) for synapse in emulator.synapses.slices), 0.0)
        self._routes = _routes(blocks, emulator.block_info.slices, cores)
        self._values_per_step = _host_values(model)

    def count(self) -> OpCounts:
        """Operations of the step just made."""
        emulator = self._emulator
        compartment = emulator.compartment
        operations, learning = _by_core(
            emulator.wiring.operations,
            self._cores,
            self._learned_sizes,
            self._learn_epochs,
            emulator.t,
            self._sizes.size,
        )
        busiest = _slowest(operations, self._sizes, learning, _FIGURES_S)
        synaptic_ops = float(operations.sum())
        spikes, active, messages, east_west, north_south = _add_up(
            compartment.spiked, compartment.input[0], self._routes
        )
        events = emulator.events[-1]
        # Sent in this step: they arrive in the next. Inputs may hold spikes of later steps, too.
        from_host = sum(len(queue.spikes.get(emulator.t, ())) for queue in emulator.inputs)
        return OpCounts(
            spikes=spikes,
            synaptic_ops=synaptic_ops,
            synaptic_ops_dense=self._dense,
            active_macs=synaptic_ops,
            neuron_updates=self._n_compartments,
            neuron_updates_active=active,
            learning_updates=float(learning.sum()),
            saturated_weights=float(events[CUT_WEIGHTS]),
            overflows=float(events[OVER_Q:].sum()),
            spike_messages=messages,
            hops_east_west=east_west,
            hops_north_south=north_south,
            host_messages=from_host + self._values_per_step,
            busiest_core_synaptic_ops=float(operations[busiest]),
            busiest_core_neuron_updates=float(self._sizes[busiest]),
            busiest_core_learning_updates=float(learning[busiest]),
            tiles=self._n_tiles,
        )


@kernel
def _by_core(
    operations: NDArray[np.int64],
    core_of: NDArray[np.int64],
    learned_sizes: FloatArray,
    learn_epochs: NDArray[np.int64],
    t: int,
    n_cores: int,
) -> tuple[FloatArray, FloatArray]:
    """Synaptic operations and learning updates of each core, from those of groups of synapses."""
    total, learning = np.zeros(n_cores), np.zeros(n_cores)
    for g in range(core_of.size):
        total[core_of[g]] += operations[g]
        if t % learn_epochs[g] == 0:
            learning[core_of[g]] += learned_sizes[g]
    return total, learning


@kernel
def _slowest(
    operations: FloatArray, sizes: FloatArray, learning: FloatArray, figures_s: tuple[float, float, float]
) -> int:
    """The core that takes longest, with these figures [s] per operation of each kind."""
    core_s = operations * figures_s[0] + sizes * figures_s[1] + learning * figures_s[2]
    return int(core_s.argmax())


@kernel
def _add_up(
    spiked: NDArray[np.bool_], received: NDArray[Any], routes: FloatArray
) -> tuple[float, float, float, float, float]:
    """Spikes, active compartments, and messages and hops that the spikes cause."""
    spikes, active, messages, east_west, north_south = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(spiked.size):
        if spiked[i]:
            spikes += 1.0
            messages += routes[i, 0]
            east_west += routes[i, 1]
            north_south += routes[i, 2]
        if spiked[i] or received[i] != 0:
            active += 1.0
    return spikes, active, messages, east_west, north_south


def _reach(synapse: Any) -> float:
    """Synapses reached if every axon of a group gets one spike."""
    used = (axon for axon in range(synapse.n_axons) if synapse.axon_compartment_base(axon) is not None)
    return float(sum(synapse.axon_weights_indices(axon)[0].size for axon in used))


def _routes(blocks: list[Any], slices: Any, cores: Places) -> FloatArray:
    """Messages and hops that one spike of each compartment causes, shape (n_compartments, 3).

    Columns: messages to other cores, tile-to-tile links crossed from east to west or back, and from
    north to south or back.
    """
    core_of = {id(s): int(core) for core, block in zip(cores, blocks, strict=True) for s in block.synapses}
    routes = np.zeros((sum(block.n_neurons for block in blocks), 3))
    for core, block in zip(cores.tolist(), blocks, strict=True):
        for axon in block.axons:
            target = core_of[id(axon.target)]
            if target != core:
                routes[slices[block]] += np.outer(connected(axon, block.n_neurons), path(core, target))
    return routes


def _host_values(model: Any) -> float:
    """Values exchanged with the host in every step: errors to the chip, voltages and spikes from it.

    Spikes that a board reports come packed, 32 to a word.
    """
    errors = sum(
        sender.size_in * len(error_targets(model, model.nengo_probe_conns[receiver.error_target]))
        for sender, receiver in model.host2chip_pes_senders.items()
    )
    answers = sum(
        -(-block.n_neurons // 32) if probe.key == "spiked" else block.n_neurons
        for probe in model.probes
        for block in probe.target
    )
    return float(errors + answers)
