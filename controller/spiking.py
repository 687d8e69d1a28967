"""The controller of one tick that is a network as a whole: no law, no model of the arm."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from spikearm.controller.network import TickNetwork
from spikearm.controller.orientation import displacement, left_jacobian
from spikearm.controller.protocols import Command, Target
from spikearm.records import FloatArray, JointState, Pose


class SpikingController:
    """Gives the network the state and the target, and clips what it answers to the arm's limits.

    All that is computed here concerns the target: its displacement from the centre the network was trained
    around and, with feed-forward, the rates of change of these six coordinates.

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

    def reset(self) -> None:
        """Start anew."""
        self._network.reset()

    def update(self, state: JointState, target: Target) -> Command:
        """The decision of this tick."""
        start = perf_counter()
        inputs = target_inputs(self._center, target, feedforward=self._feedforward)
        inputs["state"] = np.concatenate((state.q, state.dq))
        after_target = perf_counter()
        ticked = self._network.tick(inputs)
        after_network = perf_counter()
        unlimited = ticked.outputs["torque"]
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
        turn = left_jacobian(inputs["target"][3:])
        for name, value in (("velocity", target.velocity), ("acceleration", target.acceleration)):
            inputs[name] = np.concatenate((value[:3], np.linalg.solve(turn, value[3:])))
    return inputs
