"""Whether a network fits on the chip, and how much of it it takes up, in the words of the network.

Limits of one core and the number of cores: Davies et al. 2018, IEEE Micro 38(1), 82-99.
"""

from __future__ import annotations

from typing import Any

import nengo

from spikearm.errors import CapacityError
from spikearm.hardware.utilisation import Part, Use, Utilisation

N_CORES = 128
CORE_COMPARTMENTS = 1024

_UNITS = {
    "compartments": "compartments (neurons)",
    "in-axons": "input axons",
    "out-axons": "output axons",
    "synapses": "bits of synapse memory",
}

_TABLE = {
    "compartments": "compartments",
    "in-axons": "input axons",
    "out-axons": "output axons",
    "synapses": "synapse memory bits",
}


def check_size(network: nengo.Network) -> None:
    """Refuse what no placement could fit, before its decoders are solved: that takes memory without end.

    Raises:
        CapacityError: There are more neurons than a chip has compartments.
    """
    n_neurons, limit = network.n_neurons, N_CORES * CORE_COMPARTMENTS
    if n_neurons > limit:
        raise CapacityError(
            f"network {network.label!r} has {n_neurons} neurons, a Loihi chip has {limit} compartments; "
            "use fewer neurons."
        )


def check_built_model(model: Any) -> None:
    """Limits of each core, one block per core, and the number of cores of a chip.

    Args:
        model: The ``nengo_loihi.builder.Model`` of a built network.

    Raises:
        CapacityError: A block exceeds a core, or the blocks exceed the chip.
    """
    for block in model.blocks:
        for resource, (used, limit) in block.utilization().items():
            if used > limit:
                raise CapacityError(
                    f"{block.label!r} needs {used} {_UNITS[resource]}, a Loihi core has {limit}; "
                    "use fewer neurons or split the ensemble with a larger n_ensembles."
                )
    if len(model.blocks) > N_CORES:
        raise CapacityError(
            f"the network needs {len(model.blocks)} cores, a Loihi chip has {N_CORES}; use fewer neurons."
        )


def utilisation_of(model: Any) -> Utilisation:
    """Use of each core by a built model; one block per core, in the order in which they are placed.

    Args:
        model: The ``nengo_loihi.builder.Model`` of a built network.
    """
    parts = (
        Part(
            str(block.label),
            {_TABLE[name]: Use(int(used), int(limit)) for name, (used, limit) in block.utilization().items()},
        )
        for block in model.blocks
    )
    return Utilisation("cores", N_CORES, tuple(parts))
