"""The controller of one tick: a law, and optionally a spiking network that adds what the law lacks."""

from __future__ import annotations

import math
from time import perf_counter

import numpy as np

from spikearm.controller.fallback import Fallback, FallbackRules, Rung
from spikearm.controller.network import NetworkTick, TickNetwork
from spikearm.controller.protocols import Command, Law, Target
from spikearm.records import NO_COST, NO_COUNTS, Cost, FloatArray, JointState

_ROUNDING = 1e-5
"""Part of a joint's limit by which sent and applied torque may differ for no reason but their format."""


class TorqueController:
    """Law plus adaptation, clipped to the arm's limits.

    The network learns from the law's task torque with the sign turned: as long as the law has to push,
    the network is told to push more. What it has learned acts on the task alone. After a tick whose torque
    was cut by a limit, in any joint, the error is zero: a torque that never reached the arm teaches nothing,
    and it moves all joints. So it is while the network's own output is not used, and on the way to where a
    path begins: near a singularity, where no path goes, what is learned grows until the arm swings.

    Args:
        law: Gives task and support torque.
        torque_limits: Largest torque of each joint [N m], shape (n_joints,).
        adaptation: The network that learns, or None for the law alone. It takes ``state`` (q, dq) and
            ``error`` [N m], and gives ``torque`` [N m].
        fallback: What to do while the network's output cannot be used.
    """

    def __init__(
        self,
        law: Law,
        torque_limits: FloatArray,
        *,
        adaptation: TickNetwork | None = None,
        fallback: FallbackRules | None = None,
    ) -> None:
        self._law = law
        self._limits = np.asarray(torque_limits, dtype=np.float64)
        self._lowest = -self._limits
        self._adaptation = adaptation
        self._saturated = False
        # Without a network nothing is ever late, whatever the tick.
        dt_s = math.inf if adaptation is None else adaptation.control_dt_s
        self._fallback = Fallback(fallback or FallbackRules(), len(self._limits), dt_s=dt_s)

    @property
    def idle_cost(self) -> Cost:
        """Cost of a tick without an operation: nothing, in each of the terms that there are."""
        return NO_COST if self._adaptation is None else self._adaptation.idle_cost

    def reset(self) -> None:
        """Start anew: no integral, no learned weight."""
        self._law.reset()
        if self._adaptation is not None:
            self._adaptation.reset()
        self._saturated = False
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
        adapted = self._adapt(state, wanted.task, leading=target.leading)
        learned = self._fallback.torque(adapted.outputs["torque"], adapted.arrival_age_s)
        adaptive = learned if wanted.onto_task is None else wanted.onto_task.dot(learned)
        after_network = perf_counter()
        unlimited = wanted.task + wanted.support + adaptive
        torque = np.minimum(np.maximum(unlimited, self._lowest), self._limits)
        self._saturated = torque.tolist() != unlimited.tolist()
        self._law.notify_saturated(self._saturated)
        return Command(
            torque=torque,
            task_torque=wanted.task,
            adaptive_torque=adaptive,
            saturated=self._saturated,
            cost=adapted.cost,
            counts=adapted.counts,
            law_s=after_law - start,
            network_s=after_network - after_law,
            network_age_s=adapted.age_s,
            fallback=self._fallback.rung,
        )

    def notify_applied(self, sent: FloatArray, applied: FloatArray) -> None:
        """An arm that applied less than it was sent is saturated too, whatever the reason.

        The tick that saturates has learned already; learning stands still from the next one on. Rounding on
        the way to the arm, to single precision for instance, is no saturation.
        """
        if applied.tolist() == sent.tolist():
            return
        if (np.abs(applied - sent) > _ROUNDING * self._limits).any():
            self._saturated = True
            self._law.notify_saturated(True)

    def close(self) -> None:
        """Release the substrate."""
        if self._adaptation is not None:
            self._adaptation.close()

    def _adapt(self, state: JointState, task: FloatArray, *, leading: bool) -> NetworkTick:
        """The network's part of this tick; nothing without a network."""
        if self._adaptation is None:
            return NetworkTick({"torque": np.zeros(len(task))}, NO_COUNTS, NO_COST)
        frozen = self._saturated or leading or self._fallback.rung is not Rung.NETWORK
        inputs = {
            "state": np.concatenate((state.q, state.dq)),
            "error": np.zeros(len(task)) if frozen else -task,
        }
        return self._adaptation.tick(inputs)
