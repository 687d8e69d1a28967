"""What the reference simulation costs on ordinary processors."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from spikearm.hardware.cost import Figure, TableCost


def _dense(joules: float, processor: str) -> Mapping[str, tuple[Figure, ...]]:
    """One figure for every synapse and every neuron in every step, as on clocked processors."""
    source = (
        f"{processor}: Degnan et al. 2015, as used by keras-spiking; measured on dense arithmetic, so "
        "every synapse and every neuron is paid for in every step"
    )
    learning = f"{source}. It gives no figure for learning: one multiply-accumulate per weight assumed"
    host = f"{source}; what a network leaves to its host is taken to be no cheaper"
    return {
        "synapses": (Figure("synaptic_ops_dense", joules, source),),
        "neurons": (Figure("neuron_updates", joules, source),),
        "learning": (Figure("learning_updates", joules, learning),),
        "host": (Figure("host_macs", joules, host),),
    }


_CPU = _dense(8.6e-9, "Intel i7-4960X")

HOST_ENERGY: Mapping[str, tuple[Figure, ...]] = MappingProxyType({"host": _CPU["host"]})
"""The term of every substrate for what a network leaves to its host: the CPU's figure."""

HOST_COST = TableCost(
    name="CPU i7-4960X (Degnan et al. 2015)",
    energy=_CPU,
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

GPU_COST = TableCost(
    name="GPU GTX Titan Black (Degnan et al. 2015)",
    energy=_dense(0.3e-9, "Nvidia GTX Titan Black"),
    latency=(),
)
"""The same network on a GPU, for comparisons; a batch of one leaves most of such a chip idle, which these
figures do not see."""
