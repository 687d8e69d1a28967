"""What the state encoder learns from: random perturbations, and states of random reaches under each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikearm.controller.path import minimum_jerk
from spikearm.envs.arms import STANDARD_GRAVITY, ArmSpec
from spikearm.envs.missing_torque import MissingTorque
from spikearm.envs.perturbation import Perturbation, Vector
from spikearm.models.encoder_training import TaskSet
from spikearm.records import FloatArray

_REACHES = 6  # per perturbation; the first half of the samples comes from the first half of them
_REACH_S = 0.8
_CENTRE, _EXCURSION = 0.35, 0.4  # of the range of joint angles that count as 1 for the network
_JITTER_Q, _JITTER_DQ = 0.01, 0.025  # same unit: the arm is never exactly on its path
_SHARE = 0.3  # of the tasks that have a given kind of perturbation; payloads are in twice as many


@dataclass(frozen=True)
class _Motion:
    """A state and its acceleration."""

    q: FloatArray
    dq: FloatArray
    ddq: FloatArray


def draw_tasks(arm: ArmSpec, rng: np.random.Generator, *, n_tasks: int, n_samples: int) -> TaskSet:
    """Perturbations and the torque each of them adds along random reaches near the arm's home.

    Args:
        arm: The arm.
        rng: Source of randomness.
        n_tasks: Number of perturbations.
        n_samples: States per perturbation.
    """
    missing = MissingTorque(arm)
    n = arm.n_joints
    states = np.empty((n_tasks, n_samples, 2 * n))
    torques = np.empty((n_tasks, n_samples, n))
    for task in range(n_tasks):
        missing.perturb(draw_perturbation(arm, rng))
        ends = _draw_reaches(arm, rng)
        for i in range(n_samples):
            seen = _REACHES // 2 if i < n_samples // 2 else _REACHES
            motion = _draw_motion(arm, ends[rng.integers(seen)], rng)
            states[task, i] = np.concatenate((motion.q, motion.dq))
            torques[task, i] = missing(motion.q, motion.dq, motion.ddq)
    return TaskSet(states, torques)


def draw_perturbation(arm: ArmSpec, rng: np.random.Generator) -> Perturbation:
    """One perturbation, in proportion to the arm: some kinds at once, each of a random size."""
    n, weight_n = arm.n_joints, STANDARD_GRAVITY * arm.payload_kg
    payload, friction, damping, gain, force, field, tilt = (
        rng.random(7) < np.array([2, 1, 1, 1, 1, 1, 1]) * _SHARE
    )
    return Perturbation(
        payload_kg=payload * rng.uniform(0.0, 2.2 * arm.payload_kg),
        payload_offset_m=_vector(payload * rng.normal(0.0, 0.05, 3)),
        joint_friction=tuple(friction * rng.uniform(0.0, 0.15 * arm.torque_scale_nm, n)),
        joint_damping=tuple(damping * rng.uniform(0.0, 0.2 * arm.torque_scale_nm, n)),
        actuator_gain=tuple(1.0 + gain * rng.uniform(-0.2, 0.15, n)),
        force_n=_vector(force * rng.normal(0.0, 0.6 * weight_n, 3)),
        force_field=_matrix(field * rng.normal(0.0, weight_n, (3, 3))),
        gravity_tilt_rad=(float(tilt * rng.uniform(-0.2, 0.2)), float(tilt * rng.uniform(-0.2, 0.2))),
    )


def _draw_reaches(arm: ArmSpec, rng: np.random.Generator) -> list[tuple[FloatArray, FloatArray]]:
    """Both ends of each reach, in joint angles, around a common centre."""
    half_range = arm.q_half_range_rad
    centre = np.asarray(arm.home) + half_range * rng.uniform(-_CENTRE, _CENTRE, arm.n_joints)
    ends = centre + half_range * rng.uniform(-_EXCURSION, _EXCURSION, (_REACHES, 2, arm.n_joints))
    return [(start, goal) for start, goal in ends]


def _draw_motion(arm: ArmSpec, ends: tuple[FloatArray, FloatArray], rng: np.random.Generator) -> _Motion:
    """A moment of a reach, there or back."""
    start, goal = ends if rng.random() < 0.5 else ends[::-1]
    s, ds, dds = minimum_jerk(rng.uniform(0.0, _REACH_S), _REACH_S)
    way = goal - start
    return _Motion(
        q=start + s * way + rng.normal(0.0, _JITTER_Q * arm.q_half_range_rad, arm.n_joints),
        dq=ds * way + rng.normal(0.0, _JITTER_DQ * arm.dq_half_range_rad_s, arm.n_joints),
        ddq=dds * way,
    )


def _vector(values: FloatArray) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _matrix(values: FloatArray) -> tuple[Vector, Vector, Vector]:
    a, b, c = (_vector(row) for row in values)
    return a, b, c
