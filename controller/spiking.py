"""The controller of one tick that is a network as a whole: no law, no model of the arm."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from spikearm.controller.fallback import Fallback, FallbackRules
from spikearm.controller.network import TickNetwork
from spikearm.controller.orientation import displacement, left_jacobian
from spikearm.controller.protocols import Command, Target
from spikearm.records import FloatArray, JointState, Pose

_HELD_S = 0.02
"""Time for which the last good torque is held while there is no other [s]."""


class SpikingController:
    """Gives the network the state and the target, and clips what it answers to the arm's limits.

    All that is computed here concerns the target: its displacement from the centre the network was trained
    around and, with feed-forward, the rates of change of these six coordinates.

    A torque that is stale or not finite never reaches the arm: the last good one is held for a few ticks.
    With no law beneath the network, nothing else would bear the arm's own weight; so then the run is ended.

    Args:
        network: The compiled :class:`~spikearm.models.osc.SpikingOSC`.
        center: Pose that displacements are counted from.
        torque_limits: Largest torque of each joint [N m], shape (n_joints,).
        feedforward: Whether the network takes the target's velocity and acceleration.
    """

    def __init__(
        self, network: TickNetwork, center: Pose, torque_limits: FloatArray, *, feedforward: bool
    ) -> None:
        self._network, self._center, self._feedforward = network, center, feedforward
        self._limits = np.asarray(torque_limits, dtype=np.float64)
        self._nothing = np.zeros_like(self._limits)
        rules = FallbackRules(hold_s=_HELD_S, stop_s=_HELD_S)
        self._fallback = Fallback(rules, len(self._limits), dt_s=network.control_dt_s)

    def reset(self) -> None:
        """Start anew."""
        self._network.reset()
        self._fallback.reset()

    def resume(self) -> None:
        """Go on after the arm was stopped; there is no integral to forget."""

    def update(self, state: JointState, target: Target) -> Command:
        """The decision of this tick.

        Raises:
            NetworkLostError: There was no torque that can be used for too long.
        """
        start = perf_counter()
        inputs = target_inputs(self._center, target, feedforward=self._feedforward)
        inputs["state"] = np.concatenate((state.q, state.dq))
        after_target = perf_counter()
        ticked = self._network.tick(inputs)
        unlimited = self._fallback.torque(ticked.outputs["torque"], ticked.arrival_age_s)
        after_network = perf_counter()
        torque = np.clip(unlimited, -self._limits, self._limits)
        return Command(
            torque=torque,
            task_torque=self._nothing,
            adaptive_torque=torque,
            saturated=bool((torque != unlimited).any()),
            cost=ticked.cost,
            counts=ticked.counts,
            law_s=after_target - start,
            network_s=after_network - after_target,
            network_age_s=ticked.age_s,
            fallback=self._fallback.rung,
        )

    def notify_applied(self, sent: FloatArray, applied: FloatArray) -> None:
        """Nothing here winds up."""

    def close(self) -> None:
        """Release the substrate."""
        self._network.close()


def target_inputs(center: Pose, target: Target, *, feedforward: bool) -> dict[str, FloatArray]:
    """The target as the network's coordinates: displacement, and with feed-forward its rates of change.

    The acceleration is turned like a velocity; what is left out, the product of two rates of rotation, is
    far below what the task asks for.
    """
    inputs = {"target": displacement(center, target.pose)}
    if feedforward:
        rates = np.stack((target.velocity, target.acceleration), axis=1)  # (6, 2)
        rates[3:] = np.linalg.solve(left_jacobian(inputs["target"][3:]), rates[3:])
        inputs["velocity"], inputs["acceleration"] = rates[:, 0].copy(), rates[:, 1].copy()
    return inputs
