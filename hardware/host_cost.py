"""What the reference simulation costs on an ordinary processor."""

from __future__ import annotations

from spikearm.hardware.cost import Figure, TableCost

_DEGNAN = (
    "Intel i7-4960X: Degnan et al. 2015, as used by keras-spiking; measured on dense arithmetic, so "
    "every synapse and every neuron is paid for in every step"
)

HOST_COST = TableCost(
    name="CPU i7-4960X (Degnan et al. 2015)",
    energy={
        "synapses": (Figure("synaptic_ops_dense", 8.6e-9, _DEGNAN),),
        "neurons": (Figure("neuron_updates", 8.6e-9, _DEGNAN),),
        "learning": (
            Figure(
                "learning_updates",
                8.6e-9,
                f"{_DEGNAN}. It gives no figure for learning: one multiply-accumulate per weight assumed",
            ),
        ),
    },
    # No latency is modelled: the host's is measured, with its own clock, while the loop runs.
    latency=(),
    chip=(
        Figure(
            "dt_s",
            0.554,
            "W; adaptation with 1000 neurons on a CPU: DeWolf, Jaworski, Eliasmith 2020, "
            "Front. Neurorobot. 14:568359, recomputed from the published raw data",
        ),
    ),
    chip_scope=(
        "measured power above that of the same computer running the PD controller: a difference, "
        "without the idle power of the chip; the 1000-neuron network of that work, not scaled to this one"
    ),
)
"""Figures of the reference backend."""
