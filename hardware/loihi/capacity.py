"""Whether a network fits on the chip, and how much of it it takes up, in the words of the network.

Limits of one core and the number of cores: Davies et al. 2018, IEEE Micro 38(1), 82-99.
"""

from __future__ import annotations

import math
from typing import Any

import nengo

from spikearm.errors import CapacityError
from spikearm.hardware.utilisation import Part, Use, Utilisation

MAX_IN_AXONS = 4096
N_CORES = 128

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


def check_network(network: nengo.Network) -> None:
    """What must be refused before building: nengo-loihi cannot split a learned connection.

    Raises:
        CapacityError: An ensemble has more neurons than a learned connection may have axons.
    """
    for connection in network.all_connections:
        if connection.learning_rule_type is None:
            continue
        pre = connection.pre_obj
        n_axons = pre.n_neurons if isinstance(pre, nengo.Ensemble) else connection.size_in
        if n_axons > MAX_IN_AXONS:
            raise CapacityError(
                f"ensemble {pre.label or str(pre)!r} needs {n_axons} input axons for its learned connection, "
                f"a Loihi core has {MAX_IN_AXONS}; split it with "
                f"n_ensembles={_parts(n_axons)}."
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


def _parts(n_neurons: int) -> int:
    """The smallest number of equal parts of which each fits."""
    fewest = math.ceil(n_neurons / MAX_IN_AXONS)
    return next(k for k in range(fewest, n_neurons + 1) if n_neurons % k == 0)
