"""What a step costs on a Loihi chip."""

from __future__ import annotations

from spikearm.hardware.cost import Figure, TableCost

_DAVIES = (
    "Davies et al. 2018, IEEE Micro 38(1), 82-99, Table 2: circuit simulation before silicon, "
    "14 nm at 0.75 V, not measured"
)
_INACTIVE_J = 52e-12
_ACTIVE_J = 81e-12

LOIHI_COST = TableCost(
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
    },
    # The slowest core decides, then all cores wait for each other. Without the exchange with the host,
    # which took 1.5 to 8 ms on the boards of 2018 to 2021 and has no published figure per value.
    latency=(
        Figure("busiest_core_synaptic_ops", 3.5e-9, f"{_DAVIES}; on the busiest core"),
        Figure("busiest_core_neuron_updates", 8.4e-9, f"{_DAVIES}; active neuron, on the busiest core"),
        Figure("learning_updates", 6.1e-9, f"{_DAVIES}; pairwise STDP; as if all were on one core"),
        Figure(
            "dt_s",
            1.0e-6 / 1e-3,
            "barrier synchronisation, 1.0 us per 1 ms step for 2 tiles (8 cores): SANA-FE (Boyle et al.), "
            "its description of Loihi",
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
    chip_scope=(
        "measured power of the whole chip in use, static power and input/output included "
        "(idle: 0.048 W); the 1000-neuron network of that work, not scaled to this one"
    ),
)
"""Figures of the Loihi backend."""
