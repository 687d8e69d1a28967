"""The interface of a substrate: a backend compiles a network into a program; a program steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spikearm.hardware.cost import CostModel
from spikearm.models.network import NetworkSpec
from spikearm.records import FloatArray, OpCounts


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one network step produced.

    Attributes:
        outputs: A copy of each output port by name.
        counts: The operations the substrate carried out in this step.
        age_s: How long before this step's end the inputs were given that the outputs answer, beyond one step
            [s]; 0 where a step is done when it returns, more where the substrate is at the end of a wire.
    """

    outputs: Mapping[str, FloatArray]
    counts: OpCounts
    age_s: float = 0.0


class Program(Protocol):
    """A network compiled for one backend; one ``step`` is one network time step of ``dt_s``."""

    @property
    def dt_s(self) -> float:
        """Network time step [s]."""
        ...

    def step(self, inputs: Mapping[str, FloatArray]) -> StepResult:
        """Advance by one step with these inputs, one array per input port.

        Raises:
            PortError: A port is missing, unknown, of the wrong shape, or not finite. Nothing was stepped.
        """
        ...

    def reset(self) -> None:
        """Go back to the compiled state, learned weights included."""
        ...

    def state_dict(self) -> dict[str, NDArray[np.generic]]:
        """Everything needed to resume exactly here, learned weights included; copies."""
        ...

    def load_state_dict(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Resume from a saved state.

        Raises:
            StateError: The state belongs to another network, or is incomplete. Nothing was changed.
        """
        ...

    def close(self) -> None:
        """Release the substrate; stepping afterwards is an error. Closing twice is not."""
        ...


class Backend(Protocol):
    """A substrate that networks can be compiled for."""

    @property
    def name(self) -> str:
        """The name on the command line and in logs."""
        ...

    @property
    def cost_model(self) -> CostModel:
        """What the operations of this substrate cost."""
        ...

    @property
    def has_dead_time(self) -> bool:
        """Whether a neuron that fires drops what its input had above the threshold.

        It then loses half a time step of its input at each spike, on average: a dead time, for which a
        network that knows of it can make up. Nengo's own neurons lose nothing.
        """
        ...

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> Program:
        """Build the network and everything the substrate needs to run it.

        Args:
            spec: What to compute.
            dt_s: Network time step [s].
            seed: Seed of everything random: the network's own draws and the substrate's.

        Raises:
            CapacityError: The network does not fit on the substrate.
            TimeStepError: The substrate cannot run at this time step.
        """
        ...
