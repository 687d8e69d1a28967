"""Control laws in joint space: PD and PID on a joint reference, with the arm's own inertia."""

from __future__ import annotations

from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.integral import Integral
from spikearm.controller.protocols import ArmDynamics, LawOutput, Target
from spikearm.errors import ConfigError
from spikearm.records import JointState


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
        self._integral = Integral(dynamics.n_joints, ki=gains.ki, dt_s=dt_s, limit=integral_limit)

    def reset(self) -> None:
        """Forget the integral."""
        self._integral.reset()

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
        feedback = self._gains.kp * error + self._gains.damping * (target.dq - state.dq)
        feedback += self._integral.update(error)
        mass_matrix = self._dynamics.mass_matrix()
        return LawOutput(
            task=mass_matrix @ feedback, support=mass_matrix @ target.ddq + self._dynamics.bias()
        )

    def notify_saturated(self, saturated: bool) -> None:
        """While the torque is cut, the integral does not grow."""
        self._integral.frozen = saturated
