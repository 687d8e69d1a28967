"""A compiled network, advanced by one control tick at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spikearm.hardware.backend import Program
from spikearm.hardware.cost import CostModel
from spikearm.records import NO_COUNTS, Cost, FloatArray, OpCounts
from spikearm.timesteps import n_steps


@dataclass(frozen=True, slots=True)
class NetworkTick:
    """What the network steps of one control tick gave.

    Attributes:
        outputs: Outputs of the last step by port.
        counts: Operations of all steps.
        cost: Modelled cost of all steps.
    """

    outputs: Mapping[str, FloatArray]
    counts: OpCounts
    cost: Cost


class TickNetwork:
    """All network steps of a control tick, with one set of inputs.

    Args:
        program: The compiled network.
        cost_model: Cost of the substrate's operations.
        control_dt_s: Control time step [s]; a whole number of network steps.

    Attributes:
        program: The compiled network.
        cost_model: Cost of the substrate's operations.
    """

    def __init__(self, program: Program, cost_model: CostModel, *, control_dt_s: float) -> None:
        self.program, self.cost_model = program, cost_model
        self._n_steps = n_steps(control_dt_s, program.dt_s, outer="control step", inner="network step")

    def tick(self, inputs: Mapping[str, FloatArray]) -> NetworkTick:
        """Advance by one control time step."""
        counts = NO_COUNTS
        for _ in range(self._n_steps):
            result = self.program.step(inputs)
            counts = result.counts if counts is NO_COUNTS else counts + result.counts
        cost = self.cost_model.estimate(counts, self._n_steps * self.program.dt_s)
        return NetworkTick(result.outputs, counts, cost)

    def reset(self) -> None:
        """Back to the compiled state."""
        self.program.reset()

    def close(self) -> None:
        """Release the substrate."""
        self.program.close()
