"""The robot's own torque while nobody commands it: it holds the arm against gravity and damps it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spikearm.errors import ConfigError
from spikearm.records import FloatArray, JointState

_INSIDE_RAD = 0.02
"""How far inside its range an arm is held that had left it [rad]."""


class HoldDynamics(Protocol):
    """What a hold needs to know of its arm; refers to the state last given to :meth:`update`."""

    def update(self, q: FloatArray, dq: FloatArray) -> None:
        """Compute for this state [rad, rad/s]."""
        ...

    def mass_matrix(self) -> FloatArray:
        """Joint-space inertia [kg m^2], shape (n_joints, n_joints)."""
        ...

    def bias(self) -> FloatArray:
        """Torque of gravity and other known forces [N m], shape (n_joints,)."""
        ...


@dataclass(frozen=True)
class HoldGains:
    """Feedback of a hold, for a unit mass.

    Attributes:
        hold_damping: [1/s].
        hold_stiffness: Pull towards the place where the hold began [1/s^2]; without it, an arm that carries
            something its dynamics do not know of sinks at a constant speed. It stands in for the brakes of a
            real arm.
    """

    hold_damping: float = 20.0
    hold_stiffness: float = 100.0

    def __post_init__(self) -> None:
        for key in ("hold_damping", "hold_stiffness"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value >= 0.0):
                raise ConfigError(f"{key} must be 0 or a positive number, not {value!r}.")


class Hold:
    """``u = M(q) (stiffness (q0 - q) - damping dq) + bias(q, dq)`` about the angles ``q0`` at which it began.

    Args:
        dynamics: The robot's own model of its arm.
        gains: Feedback.
        q_range: Lowest and highest angle of each joint [rad], shape (n_joints, 2); infinite without a stop.
            An arm that has left it is brought back to its edge.
    """

    def __init__(self, dynamics: HoldDynamics, gains: HoldGains, q_range: FloatArray) -> None:
        self._dynamics = dynamics
        self._gains = gains
        self._low, self._high = q_range.T + np.array([[_INSIDE_RAD], [-_INSIDE_RAD]])
        self._q0: FloatArray | None = None

    def release(self) -> None:
        """The next hold begins where the arm is then."""
        self._q0 = None

    def torque(self, state: JointState) -> FloatArray:
        """Torque that holds [N m], shape (n_joints,)."""
        if self._q0 is None:
            self._q0 = np.minimum(np.maximum(state.q, self._low), self._high)
        self._dynamics.update(state.q, state.dq)
        wanted = self._gains.hold_stiffness * (self._q0 - state.q) - self._gains.hold_damping * state.dq
        torque: FloatArray = self._dynamics.mass_matrix() @ wanted + self._dynamics.bias()
        return torque if np.isfinite(torque).all() else np.zeros_like(torque)
