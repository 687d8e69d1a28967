"""Operational-space control: forces at the end effector, mapped to joints through the arm's inertia."""

from __future__ import annotations

import numpy as np

from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.integral import Integral
from spikearm.controller.laws.inverse import damped_inverse, invert
from spikearm.controller.orientation import rotation_error
from spikearm.controller.protocols import ArmDynamics, LawOutput, Target
from spikearm.errors import ConfigError, ModelError
from spikearm.records import FloatArray, JointState


class OperationalSpace:
    """Khatib 1987: ``u = J^T Mx (x** + kd de + kp e - dJ dq) + bias + (1 - J^T Jbar^T) u_null``.

    ``Mx = (J M^-1 J^T)^-1`` is the inertia that the end effector shows in the task's axes and
    ``Jbar = M^-1 J^T Mx`` the inverse of the Jacobian that needs no extra kinetic energy. Near a
    singularity the inverse is damped, so that torques stay bounded where the task cannot be done.

    That form feeds the target's velocity and acceleration forward. The other one, which DeWolf et al. 2023
    (Neuromorph. Comput. Eng. 3 014007) publish, knows of the target its pose alone, damps all of the arm's
    motion and compensates gravity: ``u = J^T Mx kp e - kd M dq + g(q) + (1 - J^T Jbar^T) u_null``. It lags
    behind a moving target by ``kd / kp`` times its velocity.

    With an integral gain, ``ki integral(e)`` joins ``kp e``: PID in the task's axes. Two guards keep it from
    winding up: it does not grow while the torque is saturated, and its share of the acceleration is bounded.

    The feedback is the law's *task* torque, the signal an adaptive network learns from. The desired
    acceleration, the bias and the null-space torque are its *support*: none of them vanishes when the
    tracking is perfect, so none of them may train.

    Of what a network has learned, ``J^T Jbar^T`` keeps the part that acts on the task. The task torque never
    tells the network what it does to the free joints; left to itself that part drifts, until the arm has
    turned away from its posture. The published form damps all joints with its task torque, which thus
    teaches all of them, and nothing is taken away.

    Args:
        dynamics: The controller's model of the arm.
        gains: Feedback on position and orientation alike; ``ki = 0`` makes it a PD law.
        dt_s: Control time step [s].
        posture: Joint angles the null space is drawn to [rad], shape (n_joints,), unless the target has its
            own.
        posture_gains: Feedback of that pull.
        task_axes: Which of x, y, z, rx, ry, rz are controlled.
        feedforward: Whether the target's velocity and acceleration are fed forward, and Coriolis and
            passive torques compensated; False for the published form.
        damping: Largest damping of the inverse near a singularity, relative to ``J M^-1 J^T``.
        integral_limit: Bound of the integral's share of each axis's acceleration [m/s^2, rad/s^2].
    """

    def __init__(
        self,
        dynamics: ArmDynamics,
        gains: Gains,
        *,
        dt_s: float,
        posture: FloatArray,
        posture_gains: Gains | None = None,
        task_axes: tuple[bool, ...] = (True,) * 6,
        feedforward: bool = True,
        damping: float = 1e-4,
        integral_limit: float = 50.0,
    ) -> None:
        if len(task_axes) != 6 or not any(task_axes):
            raise ConfigError(
                f"task_axes are six flags (x, y, z, rx, ry, rz), at least one set; got {task_axes}."
            )
        self._dynamics = dynamics
        self._posture = np.asarray(posture, dtype=np.float64)
        self._posture_gains = posture_gains or Gains(kp=10.0)
        # A slice takes a view of all six, and indices a copy.
        self._axes = slice(None) if all(task_axes) else np.flatnonzero(task_axes)
        self._feedforward = feedforward
        self._damping = damping
        self._at_rest = np.zeros(dynamics.n_joints)
        self._error = np.zeros(6)
        self._minv = np.eye(dynamics.n_joints)
        invert(self._minv)  # compiled or loaded now, not in the first tick
        self._integral = Integral(sum(task_axes), ki=gains.ki, dt_s=dt_s, limit=integral_limit)
        self.gains = gains

    @property
    def gains(self) -> Gains:
        """Feedback of the task; may be replaced between two ticks."""
        return self._gains

    @gains.setter
    def gains(self, gains: Gains) -> None:
        self._gains = gains
        self._integral.ki = gains.ki

    def reset(self) -> None:
        """Forget the integral."""
        self._integral.reset()

    def notify_saturated(self, saturated: bool) -> None:
        """While the torque is cut, the integral does not grow."""
        self._integral.frozen = saturated

    def compute(self, state: JointState, target: Target) -> LawOutput:
        """Torque for this tick.

        Raises:
            ModelError: The dynamics' mass matrix is not positive definite.
        """
        dynamics = self._dynamics
        # At rest, the bias is gravity alone.
        dynamics.update(state.q, state.dq if self._feedforward else self._at_rest)
        jacobian = dynamics.jacobian()[self._axes]  # (k, n)
        mass_matrix = dynamics.mass_matrix()  # (n, n)
        minv_jt = self._inverse(mass_matrix, state.q).dot(jacobian.T)  # (n, k)
        inertia = damped_inverse(jacobian.dot(minv_jt), self._damping)  # (k, k)
        jt_mx = jacobian.T.dot(inertia)  # (n, k)

        error, damping = self._pose_error(target)[self._axes], self._gains.damping
        stiffness = self._gains.kp * error + self._integral.update(error)
        u_null = mass_matrix.dot(self._pull(state, target))
        onto_task = jt_mx.dot(minv_jt.T)  # J^T Jbar^T
        support = dynamics.bias() + u_null - onto_task.dot(u_null)
        if not self._feedforward:
            return LawOutput(jt_mx.dot(stiffness) - damping * mass_matrix.dot(state.dq), support)
        error_rate = target.velocity[self._axes] - jacobian.dot(state.dq)
        acceleration = target.acceleration - dynamics.jacobian_dot_dq()
        return LawOutput(
            task=jt_mx.dot(stiffness + damping * error_rate),
            support=support + jt_mx.dot(acceleration[self._axes]),
            onto_task=onto_task,
        )

    def _inverse(self, mass_matrix: FloatArray, q: FloatArray) -> FloatArray:
        self._minv[:] = mass_matrix
        if not invert(self._minv):
            raise ModelError(
                f"the mass matrix at joint angles {q} rad is not positive definite, as that of bodies is. If "
                "these angles are what the arm reported, look at the masses and inertias of its model; if "
                "they are no numbers, at its sensors."
            )
        return self._minv

    def _pose_error(self, target: Target) -> FloatArray:
        """Position and rotation from the actual to the desired pose [m, rad], shape (6,)."""
        pose = self._dynamics.pose()
        self._error[:3] = target.pose.position - pose.position
        self._error[3:] = rotation_error(pose.quaternion, target.pose.quaternion)
        return self._error

    def _pull(self, state: JointState, target: Target) -> FloatArray:
        """Acceleration of all joints towards the posture [rad/s^2]; the published form damps elsewhere."""
        posture = self._posture if target.posture is None else target.posture
        stiffness: FloatArray = self._posture_gains.kp * (posture - state.q)
        return stiffness - self._posture_gains.damping * state.dq if self._feedforward else stiffness
