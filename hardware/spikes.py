"""Which neurons fired in the step just made; what a program may show besides its results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import nengo
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Population:
    """Spiking neurons of one ensemble.

    Attributes:
        label: The ensemble's.
        fired: Not zero where a neuron fired in the last step, shape (n_neurons,); live, not a copy.
    """

    label: str
    fired: NDArray[np.generic]


@runtime_checkable
class ShowsSpikes(Protocol):
    """A program whose spikes can be watched at no cost to its steps."""

    @property
    def populations(self) -> tuple[Population, ...]:
        """All spiking populations; valid as long as the program is."""
        ...


def nengo_populations(simulator: nengo.Simulator) -> tuple[Population, ...]:
    """The spiking ensembles of a Nengo simulator, in the order of the network."""
    model: Any = simulator.model
    return tuple(
        Population(str(ensemble.label), simulator.signals[model.sig[ensemble.neurons]["out"]])
        for ensemble in model.toplevel.all_ensembles
        if ensemble.neuron_type.spiking
    )
