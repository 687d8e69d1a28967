"""What the state encoder learns from: sessions of reaches, and the torque missing along them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline

from spikearm.controller.ik import InverseKinematics
from spikearm.controller.path import minimum_jerk
from spikearm.envs.arms import ArmSpec
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.families import TRAINED, draw_from
from spikearm.envs.missing_torque import MissingTorque
from spikearm.errors import UnreachableError
from spikearm.launch.compose import state_scaling
from spikearm.launch.reaches import stays_dexterous
from spikearm.models.encoder_training import TaskSet
from spikearm.records import FloatArray, Pose

DT_S = 0.02
"""Between samples: the loop passes a few hertz."""

_N_TARGETS = (3, 6)
_AT_HOME = 0.75  # share of sessions that start from the arm's home; the others start about it
_ABOUT_HOME = 0.3  # of the range of joint angles that count as 1 for the network
_OUT_AND_BACK = 0.7  # share of sessions that return after every reach; the others go round all targets
_REACH_S = (0.7, 1.0)
_USUAL_REACH_S = 0.8  # in all but 0.3 of the sessions
_STOP_MARGIN_RAD = 0.15
_RANDOM_FIELDS = 0.4  # share of perturbations that are no mechanical family at all
_TWO_FAMILIES = 0.3  # share of the others that are of two families at once


@dataclass(frozen=True)
class _Motion:
    """Joint angles, velocities and accelerations, each shape (n, n_joints)."""

    q: FloatArray
    dq: FloatArray
    ddq: FloatArray

    def backwards(self) -> _Motion:
        """The same way back."""
        return _Motion(self.q[::-1], -self.dq[::-1], self.ddq[::-1])


def draw_tasks(
    arm: ArmSpec,
    rng: np.random.Generator,
    *,
    n_sessions: int,
    n_samples: int,
    n_perturbations: int,
    random_fields: float = _RANDOM_FIELDS,
    progress: Callable[[int], None] | None = None,
) -> TaskSet:
    """Sessions of reaches near the arm's home, each under several perturbations of the trained families.

    Args:
        arm: The arm.
        rng: Source of randomness.
        n_sessions: Number of sessions.
        n_samples: Moments of each session, 0.02 s apart.
        n_perturbations: Perturbations per session.
        random_fields: Share of the perturbations that are random smooth functions of the state.
        progress: Called with the number of sessions drawn so far, after each.
    """
    dynamics, missing, scaling = MujocoDynamics(arm), MissingTorque(arm), state_scaling(arm)
    states, mobility, torques = [], [], []
    for session in range(n_sessions):
        motion = _draw_session(arm, dynamics, rng, n_samples)
        state = np.concatenate((motion.q, motion.dq), axis=1)
        onto_task, moved = _kinematics(arm, dynamics, motion)
        lacking = [
            _random_field(scaling(state), arm.n_joints, rng) * arm.torque_scale_nm
            if rng.random() < random_fields
            else _missing(missing, arm, motion, rng)
            for _ in range(n_perturbations)
        ]
        states.append(state)
        mobility.append(moved)
        torques.append(np.einsum("tij,ptj->pti", onto_task, np.stack(lacking)))
        if progress is not None:
            progress(session + 1)
    return TaskSet(np.stack(states), np.stack(mobility), np.stack(torques), DT_S)


def _missing(missing: MissingTorque, arm: ArmSpec, motion: _Motion, rng: np.random.Generator) -> FloatArray:
    """Torque missing under a perturbation of one trained family, or of two, shape (n, n_joints)."""
    n_families = 2 if rng.random() < _TWO_FAMILIES else 1
    missing.perturb(draw_from(arm, rng, *rng.choice(TRAINED, size=n_families, replace=False)))
    return np.stack([missing(*moment) for moment in zip(motion.q, motion.dq, motion.ddq, strict=True)])


def _random_field(x: FloatArray, n_joints: int, rng: np.random.Generator) -> FloatArray:
    """A smooth random function of the scaled state, so that features fit more than what was thought of.

    Random Fourier features (Rahimi and Recht 2007) of a drawn length scale, with angles and velocities
    scaled apart; odd about the origin (nearly linear if smooth) in six of ten cases.

    Args:
        x: Scaled states, shape (n, n_state).
        n_joints: Number of joints.
        rng: Source of randomness.

    Returns:
        Torque, 1 for the arm's scale, shape (n, n_joints).
    """
    n_waves, half = 24, x.shape[1] // 2
    length = np.exp(rng.uniform(np.log(0.3), np.log(3.0))) * np.repeat(
        np.exp(rng.uniform(-0.7, 0.7, 2)), (half, x.shape[1] - half)
    )
    waves = rng.standard_normal((x.shape[1], n_waves)) / length[:, None]
    phase = rng.uniform(0.0, 2.0 * np.pi, n_waves) if rng.random() < 0.4 else 0.0
    field: FloatArray = np.sin(x @ waves + phase) @ rng.standard_normal((n_waves, n_joints))
    field *= np.exp(rng.normal(0.0, 0.7, n_joints)) / np.sqrt(n_waves)
    return field


def _kinematics(arm: ArmSpec, dynamics: MujocoDynamics, motion: _Motion) -> tuple[FloatArray, FloatArray]:
    """Part of a torque that acts on the task, and the end effector's acceleration per torque, per moment."""
    axes = np.flatnonzero(arm.task_axes)
    onto_task, mobility = [], []
    for q, dq in zip(motion.q, motion.dq, strict=True):
        dynamics.update(q, dq)
        jacobian = dynamics.jacobian()
        moved = np.linalg.solve(dynamics.mass_matrix(), jacobian.T).T  # J M^-1, (6, n)
        onto_task.append(jacobian[axes].T @ np.linalg.solve(moved[axes] @ jacobian[axes].T, moved[axes]))
        mobility.append(moved[:3])
    return np.stack(onto_task), np.stack(mobility)


def _draw_session(
    arm: ArmSpec, dynamics: MujocoDynamics, rng: np.random.Generator, n_samples: int
) -> _Motion:
    """Minimum-jerk reaches to some targets, again and again; drawn anew until the arm can do it."""
    while True:
        at_home = rng.random() < _AT_HOME
        start_q = np.asarray(arm.home) if at_home else _about_home(arm, dynamics, rng)
        dynamics.update(start_q, np.zeros(arm.n_joints))
        start = dynamics.pose()
        goals = _draw_goals(arm, dynamics, start_q, start, rng)
        duration_s = rng.uniform(*_REACH_S) if rng.random() < 0.3 else _USUAL_REACH_S
        out_and_back = rng.random() < _OUT_AND_BACK
        kinematics = InverseKinematics(dynamics, posture=start_q, task_axes=arm.task_axes)
        try:
            reaches = _cycle(kinematics, start, start_q, goals, duration_s, out_and_back)
        except UnreachableError:
            continue
        n_cycles = -(-n_samples // sum(len(reach.q) for reach in reaches))
        parts = reaches * n_cycles
        return _Motion(
            *(
                np.concatenate([getattr(part, name) for part in parts])[:n_samples]
                for name in ("q", "dq", "ddq")
            )
        )


def _about_home(arm: ArmSpec, dynamics: MujocoDynamics, rng: np.random.Generator) -> FloatArray:
    low, high = (dynamics.joint_ranges + np.array([_STOP_MARGIN_RAD, -_STOP_MARGIN_RAD])).T
    shift = arm.q_half_range_rad * rng.uniform(-_ABOUT_HOME, _ABOUT_HOME, arm.n_joints)
    return np.clip(np.asarray(arm.home) + shift, low, high)


def _draw_goals(
    arm: ArmSpec, dynamics: MujocoDynamics, start_q: FloatArray, start: Pose, rng: np.random.Generator
) -> list[Pose]:
    """Targets in directions that the arm can go from here; none if it finds no way out."""
    axes = np.flatnonzero(arm.task_axes)
    n_targets = int(rng.integers(_N_TARGETS[0], _N_TARGETS[1] + 1))
    goals: list[Pose] = []
    for _ in range(20 * n_targets):
        direction = rng.standard_normal(3) * arm.task_axes[:3]
        way = arm.reach_m * rng.uniform(0.6, 1.1) * direction / np.linalg.norm(direction)
        if stays_dexterous(dynamics, start_q, axes, way):
            goals.append(Pose(start.position + way, start.quaternion))
        if len(goals) == n_targets:
            break
    return goals


def _cycle(
    kinematics: InverseKinematics,
    start: Pose,
    start_q: FloatArray,
    goals: list[Pose],
    duration_s: float,
    out_and_back: bool,
) -> list[_Motion]:
    """Once to all targets and back to the start.

    Raises:
        UnreachableError: The arm cannot go there; also if there is no target.
    """
    if not goals:
        raise UnreachableError("no target can be reached from here.")
    reaches: list[_Motion] = []
    if out_and_back:
        for goal in goals:
            out, _ = _reach(kinematics, start, goal, start_q, duration_s)
            reaches += [out, out.backwards()]
        return reaches
    q = start_q
    for here, there in pairwise([start, *goals, start]):
        reach, q = _reach(kinematics, here, there, q, duration_s)
        reaches.append(reach)
    return reaches


def _reach(
    kinematics: InverseKinematics, start: Pose, goal: Pose, q_start: FloatArray, duration_s: float
) -> tuple[_Motion, FloatArray]:
    """One straight reach in joint space, sampled in the middle of every step; and where it ends."""
    fractions = np.linspace(0.0, 1.0, 17)
    way, q, angles = goal.position - start.position, q_start, []
    for fraction in fractions:
        q = kinematics.solve(Pose(start.position + fraction * way, start.quaternion), q)
        angles.append(q)
    along = CubicSpline(fractions, np.stack(angles))
    n = round(duration_s / DT_S)
    s, ds, dds = np.array([minimum_jerk((i + 0.5) * DT_S, n * DT_S) for i in range(n)]).T[:, :, None]
    slope, bend = along(s[:, 0], 1), along(s[:, 0], 2)
    return _Motion(along(s[:, 0]), slope * ds, bend * ds**2 + slope * dds), q
