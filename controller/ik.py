"""Inverse kinematics: joint angles for a pose, and joint references for laws in joint space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline

from spikearm.controller.orientation import rotation_error
from spikearm.controller.path import Schedule
from spikearm.controller.protocols import ArmDynamics
from spikearm.errors import ConfigError, UnreachableError
from spikearm.records import FloatArray, Pose

ALL_AXES = (True,) * 6
_TOLERANCE = 1e-6  # [m, rad], a hundredth of what a reference may be off
_CONVERGED_RAD = 1e-11  # the references are differentiated twice: 1e-11 rad / (1 ms)^2 = 1e-5 rad/s^2
_MAX_ITERATIONS = 200
_MAX_STEP_RAD = 0.3  # beyond it the linearisation means nothing


class InverseKinematics:
    """Joint angles that bring the end effector to a pose and stay as near to a posture as that allows.

    Levenberg-Marquardt with damping that vanishes with the error (Sugihara 2011, IEEE Trans. Robot.
    27:984): quadratic convergence where the pose can be reached, bounded steps where it cannot. What the
    task leaves free is drawn to the posture, so the answer depends on the pose and not on the way there
    (Siciliano et al. 2009, "Robotics", sec. 3.5).

    Args:
        dynamics: Kinematics of the arm.
        posture: Joint angles to stay near to [rad], shape (n_joints,).
        task_axes: Which of x, y, z, rx, ry, rz have to be met.

    Raises:
        ConfigError: ``task_axes`` are not six flags, or none is set.
    """

    def __init__(
        self, dynamics: ArmDynamics, *, posture: FloatArray, task_axes: tuple[bool, ...] = ALL_AXES
    ) -> None:
        if len(task_axes) != 6 or not any(task_axes):
            raise ConfigError(
                f"task_axes are six flags (x, y, z, rx, ry, rz), at least one set; got {task_axes}."
            )
        self._dynamics = dynamics
        self._posture = np.asarray(posture, dtype=np.float64)
        self._axes = np.flatnonzero(task_axes)
        self._zero = np.zeros(dynamics.n_joints)
        self._eye = np.eye(len(self._axes))

    def solve(self, pose: Pose, q_start: FloatArray) -> FloatArray:
        """Joint angles for a pose.

        Args:
            pose: Where the end effector should be.
            q_start: Joint angles to start the search from [rad], shape (n_joints,).

        Returns:
            Joint angles [rad], shape (n_joints,).

        Raises:
            UnreachableError: The end effector cannot get there, with how far it stays away.
        """
        q = np.array(q_start, dtype=np.float64)
        for _ in range(_MAX_ITERATIONS):
            error = self._error(q, pose)
            step = self._step(q, error)
            largest = float(np.abs(step).max())
            q += step * min(1.0, _MAX_STEP_RAD / largest) if largest > 0 else 0.0
            if largest < _CONVERGED_RAD:
                break
        error = self._error(q, pose)
        if np.abs(error).max() > _TOLERANCE:
            self._refuse(pose, error)
        return q

    def _error(self, q: FloatArray, pose: Pose) -> FloatArray:
        """Desired minus actual pose in the task's axes [m, rad], shape (k,); updates the kinematics."""
        self._dynamics.update(q, self._zero)
        actual = self._dynamics.pose()
        error = np.concatenate(
            (pose.position - actual.position, rotation_error(actual.quaternion, pose.quaternion))
        )
        return error[self._axes]

    def _step(self, q: FloatArray, error: FloatArray) -> FloatArray:
        jacobian = self._dynamics.jacobian()[self._axes]  # (k, n)
        damping = 0.5 * float(error @ error) + 1e-12
        inner = jacobian @ jacobian.T + damping * self._eye
        pull = self._posture - q
        # With J# the damped inverse, J# e + (1 - J# J) pull takes a single solve when written like this:
        step: FloatArray = pull + jacobian.T @ np.linalg.solve(inner, error - jacobian @ pull)
        return step

    def _refuse(self, pose: Pose, error: FloatArray) -> None:
        gap = np.zeros(6)
        gap[self._axes] = error
        away_m, away_rad = np.linalg.norm(gap[:3]), np.linalg.norm(gap[3:])
        raise UnreachableError(
            f"the arm cannot reach position {np.round(pose.position, 4).tolist()} m, quaternion "
            f"{np.round(pose.quaternion, 4).tolist()}: it stays {away_m:.2g} m and {away_rad:.2g} rad away; "
            "shorten the path, start elsewhere, or give up task axes."
        )


def joint_reference(
    schedule: Schedule,
    dynamics: ArmDynamics,
    q0: FloatArray,
    *,
    posture: FloatArray | None = None,
    task_axes: tuple[bool, ...] = ALL_AXES,
) -> Schedule:
    """The same schedule with joint angles, velocities and accelerations, for laws in joint space.

    Every tick's pose is met to 1e-6 m and rad. A cubic spline through the angles gives the derivatives, so
    that the three always belong together.

    Args:
        schedule: Targets of the end effector, at least two.
        dynamics: Kinematics of the arm; left at another state than it had.
        q0: Joint angles near those of the first target [rad], shape (n_joints,).
        posture: What the free joints are drawn to [rad], shape (n_joints,); None means ``q0``.
        task_axes: Which of x, y, z, rx, ry, rz have to be met.

    Raises:
        UnreachableError: A target cannot be reached; names the tick.
        ConfigError: The schedule is too short, or ``task_axes`` are wrong.
    """
    if len(schedule) < 2:
        raise ConfigError("a joint reference needs a schedule of at least two ticks to have velocities.")
    kinematics = InverseKinematics(dynamics, posture=q0 if posture is None else posture, task_axes=task_axes)
    q = np.empty((len(schedule), dynamics.n_joints))
    guess = np.asarray(q0, dtype=np.float64)
    for tick, target in enumerate(schedule):
        try:
            q[tick] = kinematics.solve(target.pose, guess)
        except UnreachableError as error:
            raise UnreachableError(f"tick {tick}: {error}") from None
        guess = q[tick] if tick < 2 else 3.0 * (q[tick] - q[tick - 1]) + q[tick - 2]
    spline = CubicSpline(np.arange(len(schedule)) * schedule.control_dt_s, q)
    dq, ddq = spline(spline.x, 1), spline(spline.x, 2)
    targets = tuple(replace(target, q=q[i], dq=dq[i], ddq=ddq[i]) for i, target in enumerate(schedule))
    return replace(schedule, targets=targets)
