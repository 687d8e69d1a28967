"""Operational-space control: forces at the end effector, mapped to joints through the arm's inertia."""

from __future__ import annotations

import numpy as np

from spikearm.controller.laws.gains import Gains
from spikearm.controller.orientation import rotation_error
from spikearm.controller.protocols import ArmDynamics, LawOutput, Target
from spikearm.errors import ConfigError
from spikearm.records import FloatArray, JointState


class OperationalSpace:
    """Khatib 1987: ``u = J^T Mx (x** + kd de + kp e - dJ dq) + bias + (1 - J^T Jbar^T) u_null``.

    ``Mx = (J M^-1 J^T)^-1`` is the inertia that the end effector shows in the task's axes and
    ``Jbar = M^-1 J^T Mx`` the inverse of the Jacobian that needs no extra kinetic energy. Near a
    singularity the inverse is damped, so that torques stay bounded where the task cannot be done.

    The feedback is the law's *task* torque, the signal an adaptive network learns from. The desired
    acceleration, the bias and the null-space torque are its *support*: none of them vanishes when the
    tracking is perfect, so none of them may train.

    Args:
        dynamics: The controller's model of the arm.
        gains: Feedback on position and orientation alike.
        posture: Joint angles the null space is drawn to [rad], shape (n_joints,).
        posture_gains: Feedback of that pull.
        task_axes: Which of x, y, z, rx, ry, rz are controlled.
        damping: Largest damping of the inverse near a singularity, relative to ``J M^-1 J^T``.
    """

    def __init__(
        self,
        dynamics: ArmDynamics,
        gains: Gains,
        *,
        posture: FloatArray,
        posture_gains: Gains | None = None,
        task_axes: tuple[bool, ...] = (True,) * 6,
        damping: float = 1e-4,
    ) -> None:
        if len(task_axes) != 6 or not any(task_axes):
            raise ConfigError(
                f"task_axes are six flags (x, y, z, rx, ry, rz), at least one set; got {task_axes}."
            )
        self._dynamics = dynamics
        self.gains = gains
        self._posture = np.asarray(posture, dtype=np.float64)
        self._posture_gains = posture_gains or Gains(kp=10.0)
        self._axes = np.flatnonzero(task_axes)
        self._damping = damping
        self._eye = np.eye(dynamics.n_joints)
        self._error = np.zeros(6)

    @property
    def gains(self) -> Gains:
        """Feedback of the task; may be replaced between two ticks."""
        return self._gains

    @gains.setter
    def gains(self, gains: Gains) -> None:
        if gains.ki:
            raise ConfigError("operational-space control has no integral; set ki to 0, or adapt instead.")
        self._gains = gains

    def reset(self) -> None:
        """Nothing to forget."""

    def notify_saturated(self, saturated: bool) -> None:
        """Nothing winds up here."""

    def compute(self, state: JointState, target: Target) -> LawOutput:
        """Torque for this tick."""
        dynamics = self._dynamics
        dynamics.update(state.q, state.dq)
        jacobian = dynamics.jacobian()[self._axes]  # (k, n)
        mass_matrix = dynamics.mass_matrix()  # (n, n)
        minv_jt = np.linalg.solve(mass_matrix, jacobian.T)  # (n, k)
        jt_mx = jacobian.T @ self._task_inertia(jacobian @ minv_jt)  # (n, k)

        error, error_rate = self._errors(state.dq, target)
        feedback = self._gains.kp * error + self._gains.damping * error_rate
        feedforward = target.acceleration - dynamics.jacobian_dot_dq()

        pull = self._posture_gains
        u_null = mass_matrix @ (pull.kp * (self._posture - state.q) - pull.damping * state.dq)
        null_space = u_null - jt_mx @ (minv_jt.T @ u_null)
        return LawOutput(
            task=jt_mx @ feedback[self._axes],
            support=jt_mx @ feedforward[self._axes] + dynamics.bias() + null_space,
        )

    def _errors(self, dq: FloatArray, target: Target) -> tuple[FloatArray, FloatArray]:
        """Errors of pose and of velocity, desired minus actual, each shape (6,)."""
        pose = self._dynamics.pose()
        self._error[:3] = target.pose.position - pose.position
        self._error[3:] = rotation_error(pose.quaternion, target.pose.quaternion)
        return self._error, target.velocity - self._dynamics.jacobian() @ dq

    def _task_inertia(self, mobility: FloatArray) -> FloatArray:
        """Inverse of ``J M^-1 J^T``, damped where it is nearly singular (Nakamura and Hanafusa 1986)."""
        values, vectors = np.linalg.eigh(mobility)
        floor = self._damping * values[-1]
        # The damping fades in below the floor, so that nothing jumps when the arm comes near.
        deficit = np.maximum(0.0, 1.0 - values / floor)
        inverse = values / (values**2 + (floor * deficit) ** 2)
        inertia: FloatArray = (vectors * inverse) @ vectors.T
        return inertia
