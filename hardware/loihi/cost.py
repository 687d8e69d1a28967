"""What a step costs on a Loihi chip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from spikearm.hardware.cost import Figure, TableCost
from spikearm.hardware.host_cost import HOST_ENERGY
from spikearm.records import Cost, OpCounts

_DAVIES = (
    "Davies et al. 2018, IEEE Micro 38(1), 82-99, Table 2: circuit simulation before silicon, "
    "14 nm at 0.75 V, not measured"
)
_INACTIVE_J = 52e-12
_ACTIVE_J = 81e-12
SYNAPTIC_OP_S = 3.5e-9
NEURON_UPDATE_S = 8.4e-9
LEARNING_UPDATE_S = 6.1e-9
STEP_S = 0.001

BARRIER_S = ((1, 0.6e-6), (2, 1.0e-6), (4, 1.4e-6), (29, 1.8e-6))
"""Time in which all cores find that all are done, by tiles in use (SANA-FE, Boyle et al., its description of
Loihi)."""


@cache
def barrier_s(tiles: float) -> float:
    """Barrier synchronisation of one step [s].

    Between the published points linear in the logarithm of the number of tiles, which is exact for 1, 2 and
    4; a chip has 32 tiles, for the last three of which the time of 29 is taken.
    """
    known, seconds = zip(*BARRIER_S, strict=True)
    return float(np.interp(np.log2(max(tiles, 1.0)), np.log2(known), seconds))


@dataclass(frozen=True)
class LoihiCost(TableCost):
    """A table of figures, and what each step waits for: the barrier, not linear in any count, and the host.

    Attributes:
        host_io_s: Exchange of values between host and chip, once per step [s].
    """

    host_io_s: float = 0.0

    def estimate(self, counts: OpCounts, dt_s: float) -> Cost:
        """Cost of work that took ``dt_s`` seconds of network time, with the same tiles in every step."""
        cost = super().estimate(counts, dt_s)
        n_steps = dt_s / STEP_S
        if n_steps <= 0:
            return cost
        waited_s = n_steps * (barrier_s(counts.tiles / n_steps) + self.host_io_s)
        return Cost(cost.latency_s + waited_s, cost.energy_j, cost.energy_chip_j)

    def latency_parts_s(self, counts: OpCounts, dt_s: float) -> dict[str, float]:
        """The same latency by what it is spent on [s]: operations of the slowest core, barrier, host."""
        n_steps = dt_s / STEP_S
        parts = {f.count.removeprefix("busiest_core_"): f.times(counts, dt_s) for f in self.latency}
        parts["barrier"] = n_steps * barrier_s(counts.tiles / n_steps) if n_steps > 0 else 0.0
        parts["host_io"] = n_steps * self.host_io_s
        return parts


LOIHI_COST = LoihiCost(
    name="Loihi (Davies et al. 2018)",
    energy={
        "synapses": (Figure("synaptic_ops", 23.6e-12, f"{_DAVIES}; the minimum per operation"),),
        # Every neuron pays the price of an inactive one, active neurons the difference on top.
        "neurons": (
            Figure("neuron_updates", _INACTIVE_J, f"{_DAVIES}; inactive neuron"),
            Figure("neuron_updates_active", _ACTIVE_J - _INACTIVE_J, f"{_DAVIES}; active less inactive"),
        ),
        "learning": (Figure("learning_updates", 120e-12, f"{_DAVIES}; pairwise STDP"),),
        "routing": (
            Figure("spike_messages", 1.7e-12, f"{_DAVIES}; spike within a tile"),
            Figure("hops_east_west", 3.0e-12, _DAVIES),
            Figure("hops_north_south", 4.0e-12, _DAVIES),
        ),
        **HOST_ENERGY,
    },
    # The slowest core decides, then all cores wait for each other, then for the host (see LoihiCost).
    latency=(
        Figure("busiest_core_synaptic_ops", SYNAPTIC_OP_S, f"{_DAVIES}; on the busiest core"),
        Figure(
            "busiest_core_neuron_updates", NEURON_UPDATE_S, f"{_DAVIES}; active neuron, on the busiest core"
        ),
        Figure(
            "busiest_core_learning_updates",
            LEARNING_UPDATE_S,
            f"{_DAVIES}; pairwise STDP, on the busiest core",
        ),
    ),
    chip=(
        Figure(
            "dt_s",
            0.121,
            "W; whole chip in closed-loop adaptive arm control with 1000 neurons: DeWolf, Jaworski, "
            "Eliasmith 2020, Front. Neurorobot. 14:568359, recomputed from the published raw data",
        ),
    ),
    chip_terms=("synapses", "neurons", "learning", "routing"),
    chip_scope=(
        "measured power of the whole chip in use, static power and input/output included "
        "(idle: 0.048 W); the 1000-neuron network of that work, not scaled to this one"
    ),
)
"""Figures of the Loihi backend."""
