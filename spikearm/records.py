"""The small frozen records that cross the boundaries between folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JointState:
    """What an arm reports once per tick.

    Attributes:
        q: Joint angles [rad], shape (n_joints,).
        dq: Joint velocities [rad/s], shape (n_joints,).
        t_s: Time on the arm's clock [s].
    """

    q: FloatArray
    dq: FloatArray
    t_s: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Position and orientation of the end effector in the world.

    Attributes:
        position: [m], shape (3,).
        quaternion: Unit quaternion w x y z, shape (4,).
    """

    position: FloatArray
    quaternion: FloatArray


class OpCounts(NamedTuple):
    """How often each elementary operation happened in one network step (or a sum of steps).

    A backend reports counts and knows nothing of joules; a cost model multiplies them with sourced
    figures. A count that a substrate does not have stays 0.

    Attributes:
        spikes: Spikes fired by all neurons.
        synaptic_ops: Spike events times the synapses each of them reaches; inputs that are real values
            are not spikes, see ``active_macs``.
        synaptic_ops_dense: Synapses that exist, used or not: what a clocked processor pays every step.
        neuron_updates: Neurons whose state was advanced.
        neuron_updates_active: Those of them that received input or fired in this step.
        learning_updates: Weights visited by a learning rule.
        saturated_weights: Learned weights that would have left their range and were cut.
        overflows: Times that a neuron's input or current left its register and wrapped around.
        spike_messages: Spikes sent from one core to another.
        hops_east_west: Mesh links crossed in one direction of the chip by all messages.
        hops_north_south: Mesh links crossed in the other direction.
        host_messages: Values exchanged between the chip and its host.
        busiest_core_synaptic_ops: Synaptic operations on the core that took longest, which sets the
            step's latency.
        busiest_core_neuron_updates: Neuron updates on that core.
        busiest_core_learning_updates: Weights visited by a learning rule on that core; on a crossbar, in the
            learning circuit of the matrix that has most.
        tiles: Tiles of cores that waited for one another at the end of the step.
        tile_reads: Matrix-vector products carried out by single tiles.
        serial_tile_reads: Tile reads on the longest chain of tiles that wait for one another.
        row_activations: Rows driven during reads, over all tiles.
        read_conductance_siemens: Sum of G+ + G- over the cells of driven rows, each weighted with the
            square of its relative read voltage [S]; times V_read^2 t_read it is the energy of the cells.
        active_macs: Multiply-accumulates whose input is not zero, spikes and real values alike.
        conversions: Analog-to-digital conversions.
        conversion_steps: Levels that analog-to-digital conversions tell apart, 2^bits each, summed.
        dac_steps: The same of digital-to-analog conversions; spikes need none.
        serial_conversions: Conversions one after another on the longest chain (columns share converters).
        serial_decisions: Bits that these decide, one after another.
        digital_ops: Shift-adds and scalings behind the converters.
        host_macs: Multiply-accumulates that the network's description leaves to the host, in place of
            neurons; conversions at the ports are not counted.
        set_pulses: SET pulses given to devices.
        reset_pulses: RESET pulses given to devices.
        verify_reads: Reads of single devices during program-and-verify or refresh.
        serial_verify_reads: Those that wait for one another.
        rows_programmed: SET pulses one after another; the columns of a row take theirs at the same time. With
            the next one, it sets the latency of learning.
        rows_reset: RESET pulses one after another.
    """

    spikes: float = 0.0
    synaptic_ops: float = 0.0
    synaptic_ops_dense: float = 0.0
    neuron_updates: float = 0.0
    neuron_updates_active: float = 0.0
    learning_updates: float = 0.0
    saturated_weights: float = 0.0
    overflows: float = 0.0
    spike_messages: float = 0.0
    hops_east_west: float = 0.0
    hops_north_south: float = 0.0
    host_messages: float = 0.0
    busiest_core_synaptic_ops: float = 0.0
    busiest_core_neuron_updates: float = 0.0
    busiest_core_learning_updates: float = 0.0
    tiles: float = 0.0
    tile_reads: float = 0.0
    serial_tile_reads: float = 0.0
    row_activations: float = 0.0
    read_conductance_siemens: float = 0.0
    active_macs: float = 0.0
    conversions: float = 0.0
    conversion_steps: float = 0.0
    dac_steps: float = 0.0
    serial_conversions: float = 0.0
    serial_decisions: float = 0.0
    digital_ops: float = 0.0
    host_macs: float = 0.0
    set_pulses: float = 0.0
    reset_pulses: float = 0.0
    verify_reads: float = 0.0
    serial_verify_reads: float = 0.0
    rows_programmed: float = 0.0
    rows_reset: float = 0.0

    def __add__(self, other: OpCounts) -> OpCounts:  # type: ignore[override] # sums, where tuples grow
        return OpCounts(*[a + b for a, b in zip(self, other, strict=True)])


COUNT_NAMES: tuple[str, ...] = OpCounts._fields
"""Names of all counts, in the order of :class:`OpCounts`."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a substrate would have spent on some counted work, by a cost model.

    The two energies are different kinds of evidence and are never added to one another.

    Attributes:
        latency_s: Modelled time on the substrate [s].
        energy_j: Modelled bottom-up energy by term [J]: counts times published energy per operation.
        energy_chip_j: The same work scaled by a measured whole-chip figure [J], or None without one.
    """

    latency_s: float = 0.0
    energy_j: Mapping[str, float] = field(default_factory=dict)
    energy_chip_j: float | None = None

    @property
    def total_j(self) -> float:
        """Sum of the bottom-up terms [J]."""
        return sum(self.energy_j.values())

    def __add__(self, other: Cost) -> Cost:
        terms = dict(self.energy_j)
        for term, joules in other.energy_j.items():
            terms[term] = terms.get(term, 0.0) + joules
        known = [e for e in (self.energy_chip_j, other.energy_chip_j) if e is not None]
        return Cost(self.latency_s + other.latency_s, terms, sum(known) if known else None)


NO_COUNTS = OpCounts()
NO_COST = Cost()
