"""The controller of one tick: a law, and optionally a spiking network that adds what the law lacks."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from spikearm.controller.fallback import Fallback, FallbackRules, Rung
from spikearm.controller.protocols import Command, Law, Target
from spikearm.hardware.backend import Program
from spikearm.hardware.cost import CostModel
from spikearm.records import NO_COST, NO_COUNTS, Cost, FloatArray, JointState, OpCounts
from spikearm.timesteps import n_steps

_ROUNDING = 1e-5
"""Part of a joint's limit by which sent and applied torque may differ for no reason but their format."""


@dataclass(frozen=True)
class Adaptation:
    """A compiled adaptive network and what its steps cost.

    Attributes:
        program: Takes ``state`` (q, dq) and ``error`` [N m], gives ``torque`` [N m].
        cost_model: Cost of the substrate's operations.
    """

    program: Program
    cost_model: CostModel


class TorqueController:
    """Law plus adaptation, clipped to the arm's limits.

    The network learns from the law's task torque with the sign turned: as long as the law has to push,
    the network is told to push more. After a tick whose torque was cut by a limit, in any joint, the
    error is zero: a torque that never reached the arm teaches nothing, and it moves all joints. So it is
    while the network's own output is not used.

    Args:
        law: Gives task and support torque.
        torque_limits: Largest torque of each joint [N m], shape (n_joints,).
        control_dt_s: Control time step [s]. A network step divides it, or is a multiple of it: then
            the network steps in every so many ticks, and its output is held in between.
        adaptation: The network, or None for the law alone.
        fallback: What to do while the network's output cannot be used.
    """

    def __init__(
        self,
        law: Law,
        torque_limits: FloatArray,
        *,
        control_dt_s: float,
        adaptation: Adaptation | None = None,
        fallback: FallbackRules | None = None,
    ) -> None:
        self._law = law
        self._limits = np.asarray(torque_limits, dtype=np.float64)
        self._adaptation = adaptation
        self._control_dt_s = control_dt_s
        self._n_network_steps, self._n_held_ticks = 0, 1
        if adaptation is not None:
            self._n_network_steps, self._n_held_ticks = network_rate(control_dt_s, adaptation.program.dt_s)
        self._since_step = 0
        self._output: tuple[FloatArray, float] | None = None  # torque, age when it came
        self._saturated = False
        self._fallback = Fallback(fallback or FallbackRules(), len(self._limits))

    def reset(self) -> None:
        """Start anew: no integral, no learned weight."""
        self._law.reset()
        if self._adaptation is not None:
            self._adaptation.program.reset()
        self._saturated = False
        self._since_step, self._output = 0, None
        self._fallback.reset()

    def resume(self) -> None:
        """Go on after the arm was stopped: forget integrals, keep what was learned."""
        self._law.reset()
        self._saturated = False

    def update(self, state: JointState, target: Target) -> Command:
        """The decision of this tick."""
        start = perf_counter()
        wanted = self._law.compute(state, target)
        after_law = perf_counter()
        adaptive, counts, cost, age_s = self._adapt(state, wanted.task)
        after_network = perf_counter()
        unlimited = wanted.task + wanted.support + adaptive
        torque = np.clip(unlimited, -self._limits, self._limits)
        self._saturated = bool((torque != unlimited).any())
        self._law.notify_saturated(self._saturated)
        return Command(
            torque=torque,
            task_torque=wanted.task,
            adaptive_torque=adaptive,
            saturated=self._saturated,
            cost=cost,
            counts=counts,
            law_s=after_law - start,
            network_s=after_network - after_law,
            network_age_s=age_s,
            fallback=self._fallback.rung,
        )

    def notify_applied(self, sent: FloatArray, applied: FloatArray) -> None:
        """An arm that applied less than it was sent is saturated too, whatever the reason.

        The tick that saturates has learned already; learning stands still from the next one on. Rounding on
        the way to the arm, to single precision for instance, is no saturation.
        """
        if (np.abs(applied - sent) > _ROUNDING * self._limits).any():
            self._saturated = True
            self._law.notify_saturated(True)

    def close(self) -> None:
        """Release the substrate."""
        if self._adaptation is not None:
            self._adaptation.program.close()

    def _adapt(self, state: JointState, task: FloatArray) -> tuple[FloatArray, OpCounts, Cost, float]:
        """All network steps of this tick: torque and age of the last one, sums of counts and costs."""
        if self._adaptation is None:
            return np.zeros_like(task), NO_COUNTS, NO_COST, 0.0
        if self._output is not None and self._since_step < self._n_held_ticks:
            nothing = self._adaptation.cost_model.estimate(NO_COUNTS, 0.0)
            return self._held(*self._output, nothing)
        frozen = self._saturated or self._fallback.rung is not Rung.NETWORK
        inputs = {
            "state": np.concatenate((state.q, state.dq)),
            "error": np.zeros_like(task) if frozen else -task,
        }
        counts = NO_COUNTS
        for _ in range(self._n_network_steps):
            result = self._adaptation.program.step(inputs)
            counts = result.counts if counts is NO_COUNTS else counts + result.counts
        elapsed_s = self._n_network_steps * self._adaptation.program.dt_s
        self._since_step, self._output = 1, (result.outputs["torque"], result.age_s)
        cost = self._adaptation.cost_model.estimate(counts, elapsed_s)
        return self._fallback.torque(result.outputs["torque"], result.age_s), counts, cost, result.age_s

    def _held(
        self, torque: FloatArray, age_s: float, nothing: Cost
    ) -> tuple[FloatArray, OpCounts, Cost, float]:
        """A tick between two steps of a network that is slower than the loop.

        The output grows older as planned; what counts as stale is only what was so when it came.
        """
        grown_s = self._since_step * self._control_dt_s
        self._since_step += 1
        return self._fallback.torque(torque, age_s), NO_COUNTS, nothing, age_s + grown_s


def network_rate(control_dt_s: float, network_dt_s: float) -> tuple[int, int]:
    """Network steps in a tick, and ticks from one of them to the next; one of the two is 1.

    Raises:
        TimeStepError: Neither step divides the other.
    """
    if network_dt_s > control_dt_s:
        return 1, n_steps(network_dt_s, control_dt_s, outer="network step", inner="control step")
    return n_steps(control_dt_s, network_dt_s, outer="control step", inner="network step"), 1
