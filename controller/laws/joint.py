"""Control laws in joint space: PD and PID on a joint reference, with the arm's own inertia."""

from __future__ import annotations

import numpy as np

from spikearm.controller.laws.gains import Gains
from spikearm.controller.protocols import ArmDynamics, LawOutput, Target
from spikearm.errors import ConfigError
from spikearm.records import FloatArray, JointState


class JointPID:
    """``u = M(q) (kp e + kd de + ki integral(e)) + M(q) ddq* + bias(q, dq)``.

    Gains are those of a unit mass; the inertia matrix turns them into torque, so that every joint closes
    its loop with the same bandwidth. Two guards keep the integral from winding up: it does not grow while
    the torque is saturated, and its share of the acceleration is bounded.

    Args:
        dynamics: The controller's model of the arm.
        gains: Feedback gains; ``ki = 0`` makes it a PD law.
        integral_limit: Bound of the integral's share of each joint's acceleration [rad/s^2].
        dt_s: Control time step [s].
    """

    def __init__(
        self, dynamics: ArmDynamics, gains: Gains, *, dt_s: float, integral_limit: float = 50.0
    ) -> None:
        self._dynamics = dynamics
        self._gains = gains
        self._dt_s = dt_s
        self._limit = integral_limit
        self._integral: FloatArray = np.zeros(dynamics.n_joints)
        self._saturated = False

    def reset(self) -> None:
        """Forget the integral."""
        self._integral[:] = 0.0
        self._saturated = False

    def compute(self, state: JointState, target: Target) -> LawOutput:
        """Torque for this tick.

        Raises:
            ConfigError: The target has no joint reference.
        """
        if target.q is None or target.dq is None or target.ddq is None:
            raise ConfigError(
                "a joint-space law needs q, dq and ddq in its target; plan them with "
                "`spikearm.controller.ik.joint_reference`."
            )
        self._dynamics.update(state.q, state.dq)
        error = target.q - state.q
        if self._gains.ki:
            self._integrate(error)
        feedback = self._gains.kp * error + self._gains.damping * (target.dq - state.dq) + self._integral
        mass_matrix = self._dynamics.mass_matrix()
        return LawOutput(
            task=mass_matrix @ feedback, support=mass_matrix @ target.ddq + self._dynamics.bias()
        )

    def _integrate(self, error: FloatArray) -> None:
        """One step of the integral; while the torque is cut it may shrink, but not grow."""
        growth = self._gains.ki * self._dt_s * error
        if self._saturated:
            growth[growth * self._integral >= 0.0] = 0.0
        self._integral += growth
        np.clip(self._integral, -self._limit, self._limit, out=self._integral)

    def notify_saturated(self, saturated: bool) -> None:
        """While the torque is cut, the integral does not grow."""
        self._saturated = saturated
