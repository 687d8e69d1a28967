"""A compiled network, advanced along with the loop: several steps per tick, or one in several ticks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from spikearm.hardware.backend import Program
from spikearm.hardware.cost import CostModel
from spikearm.records import NO_COUNTS, Cost, FloatArray, OpCounts
from spikearm.timesteps import n_steps


@dataclass(frozen=True, slots=True)
class NetworkTick:
    """What the network has to say in one control tick.

    Attributes:
        outputs: Outputs of the last step by port.
        counts: Operations of all steps of this tick.
        cost: Modelled cost of them.
        arrival_age_s: Age of the outputs when they came [s]; 0 where a step is done when it returns.
        held_s: How long they have been held since [s]; planned, and so no sign of a network that is late.
    """

    outputs: Mapping[str, FloatArray]
    counts: OpCounts
    cost: Cost
    arrival_age_s: float = 0.0
    held_s: float = 0.0

    @property
    def age_s(self) -> float:
        """Age of the outputs now [s]."""
        return self.arrival_age_s + self.held_s


class TickNetwork:
    """A network that keeps step with the loop.

    Where its step divides the control step, a tick makes all of its steps with one set of inputs. Where it is
    a multiple, the network steps in every so many ticks, and its outputs are held in between.

    Args:
        program: The compiled network.
        cost_model: Cost of the substrate's operations.
        control_dt_s: Control time step [s].

    Attributes:
        program: The compiled network.
        cost_model: Cost of the substrate's operations.
        control_dt_s: Control time step [s].
        idle_cost: Cost of a tick without an operation: nothing, in each of the terms that there are.

    Raises:
        TimeStepError: Neither time step is a multiple of the other.
    """

    def __init__(self, program: Program, cost_model: CostModel, *, control_dt_s: float) -> None:
        self.program, self.cost_model = program, cost_model
        self._n_steps, self._n_ticks = network_rate(control_dt_s, program.dt_s)
        self.control_dt_s = control_dt_s
        self.idle_cost = cost_model.estimate(NO_COUNTS, 0.0)
        self._last: NetworkTick | None = None
        self._n_held = 0

    def tick(self, inputs: Mapping[str, FloatArray]) -> NetworkTick:
        """Advance by one control time step.

        Args:
            inputs: One array per input port, shape (size of the port,).
        """
        if self._last is not None and self._n_held < self._n_ticks - 1:
            return self._hold(self._last)
        counts = NO_COUNTS
        for _ in range(self._n_steps):
            result = self.program.step(inputs)
            counts = result.counts if counts is NO_COUNTS else counts + result.counts
        cost = self.cost_model.estimate(counts, self._n_steps * self.program.dt_s)
        self._n_held = 0
        self._last = NetworkTick(result.outputs, counts, cost, result.age_s)
        return self._last

    def reset(self) -> None:
        """Back to the compiled state."""
        self.program.reset()
        self._last, self._n_held = None, 0

    def close(self) -> None:
        """Release the substrate."""
        self.program.close()

    def _hold(self, last: NetworkTick) -> NetworkTick:
        """A tick between two steps of a network that is slower than the loop."""
        self._n_held += 1
        held_s = self._n_held * self.control_dt_s
        return dataclasses.replace(last, counts=NO_COUNTS, cost=self.idle_cost, held_s=held_s)


def network_rate(control_dt_s: float, network_dt_s: float) -> tuple[int, int]:
    """Network steps in a tick, and ticks from one of them to the next; one of the two is 1.

    Raises:
        TimeStepError: Neither step divides the other.
    """
    if network_dt_s > control_dt_s:
        return 1, n_steps(network_dt_s, control_dt_s, outer="network step", inner="control step")
    return n_steps(control_dt_s, network_dt_s, outer="control step", inner="network step"), 1
