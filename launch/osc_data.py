"""States of random reaches, with what operational-space control makes of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.osc import OperationalSpace
from spikearm.controller.orientation import displacement, left_jacobian
from spikearm.controller.path import Schedule, sample
from spikearm.controller.protocols import Law
from spikearm.envs.arms import ArmSpec
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.plant import MujocoPlant
from spikearm.launch.reaches import Targets, draw_reaches
from spikearm.models.osc_samples import OscSamples
from spikearm.records import FloatArray, Pose

CONTROL_DT_S = 0.004
"""Coarse: it is the states that count, and of those the variety."""
_EVERY = 6
_CHAIN = 4
"""Targets that are gone to and back from one after another: the null space does not come to rest between."""
_SHARE = (0.7, 1.2)
"""Lengths of the reaches, relative to the arm's own; shorter ones lie within."""
_TURN_RAD = (0.1, 0.45)
_REACH_S = (0.8, 1.2)
_JITTER_Q, _JITTER_DQ = 0.02, 0.05
"""Deviation from the path [rad, rad/s]: the way back must be known too."""


@dataclass(frozen=True)
class Reaching:
    """An arm, its model, and random reaches of it.

    Attributes:
        arm: The arm.
        dynamics: Its model; every use sets its state anew.
        gains: Feedback of the law.
        posture_kp: Stiffness of the pull to the home posture [1/s^2].
    """

    arm: ArmSpec
    dynamics: MujocoDynamics
    gains: Gains
    posture_kp: float = 10.0

    @property
    def center(self) -> Pose:
        """Pose at home."""
        self.dynamics.update(np.asarray(self.arm.home), np.zeros(self.arm.n_joints))
        return self.dynamics.pose()

    def law(self, *, feedforward: bool) -> Law:
        """The analytic controller."""
        return OperationalSpace(
            self.dynamics,
            self.gains,
            dt_s=CONTROL_DT_S,
            posture=np.asarray(self.arm.home),
            posture_gains=Gains(kp=self.posture_kp),
            task_axes=self.arm.task_axes,
            feedforward=feedforward,
        )

    def draw(self, rng: np.random.Generator, *, n_targets: int) -> Schedule:
        """Out to random poses, and back each time."""
        reaches = draw_reaches(
            self.arm,
            self.dynamics,
            rng,
            targets=Targets(n=n_targets, turn_rad=rng.uniform(*_TURN_RAD)),
            distance_m=self.arm.reach_m * 0.75 * rng.uniform(*_SHARE),
            n_reaches=2 * n_targets,
            duration_s=rng.uniform(*_REACH_S),
        )
        return sample(reaches, CONTROL_DT_S)


def draw_samples(
    reaching: Reaching,
    rng: np.random.Generator,
    *,
    n_reaches: int,
    progress: Callable[[int], None] | None = None,
) -> OscSamples:
    """States in a tube around the paths that the analytic controller takes, in both forms of the law.

    A reach is a line in the space of poses, so their number decides how well that space is covered.

    Args:
        reaching: The arm and its reaches.
        rng: Source of randomness.
        n_reaches: Reaches out and back.
        progress: Called with the number of reaches done so far, after each.
    """
    states = []
    for chain, first in enumerate(range(0, n_reaches, _CHAIN)):
        law = reaching.law(feedforward=chain % 2 == 0)
        n_targets = min(_CHAIN, n_reaches - first)
        states += _visited(reaching, law, reaching.draw(rng, n_targets=n_targets))
        if progress is not None:
            progress(first + n_targets)
    n = reaching.arm.n_joints
    q, dq = (np.array(values) for values in zip(*states, strict=True))
    q += rng.normal(0.0, _JITTER_Q, (len(q), n))
    dq += rng.normal(0.0, _JITTER_DQ, (len(dq), n))
    return evaluate(reaching, q, dq)


def _visited(reaching: Reaching, law: Law, schedule: Schedule) -> list[tuple[FloatArray, FloatArray]]:
    """Joint angles and velocities on the way."""
    states = []
    with MujocoPlant(reaching.arm, control_dt_s=CONTROL_DT_S, physics_dt_s=CONTROL_DT_S) as plant:
        for tick, target in enumerate(schedule):
            state = plant.read()
            if tick % _EVERY == 0:
                states.append((state.q, state.dq))
            output = law.compute(state, target)
            plant.write(output.task + output.support)
    return states


def evaluate(reaching: Reaching, q: FloatArray, dq: FloatArray) -> OscSamples:
    """All parts of the law at these states, shapes (n, n_joints)."""
    center = reaching.center
    parts = [_algebra(reaching, center, *state) for state in zip(q, dq, strict=True)]
    return OscSamples(q, dq, *(np.array(part) for part in zip(*parts, strict=True)))


def _algebra(reaching: Reaching, center: Pose, q: FloatArray, dq: FloatArray) -> tuple[FloatArray, ...]:
    """The parts of :class:`OscSamples` at one state."""
    dynamics, home = reaching.dynamics, np.asarray(reaching.arm.home)
    dynamics.update(q, np.zeros_like(dq))
    gravity, mass_matrix = dynamics.bias().copy(), dynamics.mass_matrix().copy()
    jacobian, x = dynamics.jacobian().copy(), displacement(center, dynamics.pose())
    minv_jt = np.linalg.solve(mass_matrix, jacobian.T)
    jt_mx = jacobian.T @ np.linalg.inv(jacobian @ minv_jt)
    null_inertia = mass_matrix - jt_mx @ (minv_jt.T @ mass_matrix)
    turn = np.eye(6)
    turn[3:, 3:] = left_jacobian(x[3:])
    # Coriolis torque does not see the direction of the motion, damping does.
    dynamics.update(q, -dq)
    back = dynamics.bias().copy()
    dynamics.update(q, dq)
    passive = 0.5 * (dynamics.bias() - back)
    coriolis = 0.5 * (dynamics.bias() + back) - gravity - jt_mx @ dynamics.jacobian_dot_dq()
    support = gravity + reaching.posture_kp * (null_inertia @ (home - q))
    inertia = np.diag(mass_matrix).copy()
    in_coordinates: FloatArray = np.asarray(np.linalg.solve(turn, jacobian), dtype=np.float64)
    return x, in_coordinates, jt_mx @ turn, support, null_inertia, coriolis, passive, inertia
