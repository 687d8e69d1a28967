"""The robot's own torque while nobody commands it: it holds the arm against gravity and damps it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from spikearm.errors import ConfigError
from spikearm.records import FloatArray, JointState

_INTEGRAL_LIMIT = 5.0
"""Bound of the integral's share of each joint's acceleration [rad/s^2]: what a payload may need."""
_INSIDE_RAD = 0.02
"""How far inside its range an arm is held that had left it [rad]."""
_BRAKING_RAD_S2 = 15.0
"""Largest acceleration that the feedback asks for [rad/s^2].

Torque changes by 1 N m per tick at most: an iiwa14 that brakes from 3 rad/s by unbounded feedback gets
what that asks for too late, and is driven by it. Of 12 random motions at 3 rad/s, 6 ended beyond 10 rad/s;
with the bound all came to rest.
"""
_RETURN_RAD_S = 0.3
"""Speed at which the arm may be pulled back [rad/s], also into its range.

The integral adds at most ``_INTEGRAL_LIMIT / hold_damping`` to it, 0.17 rad/s by the default gains.
It bounds how far away the place may be where it is held: an arm that was stopped in motion comes to rest
further on, and is left there.
"""
_GROWTH = 1e-6
"""Of a motion, over one period: what rounding makes of gains that are 0."""


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

    The defaults put all three poles at -10 1/s, so that an arm which had to be stopped is at rest a second
    later, whatever it carries: a load of ``d`` [rad/s^2] moves it by ``d t^2 / 2 exp(-10 t)`` [rad].

    Attributes:
        hold_damping: [1/s].
        hold_stiffness: Pull towards the place where the arm is held [1/s^2]; without it, an arm that carries
            something its dynamics do not know of sinks at a constant speed. It stands in for the brakes of a
            real arm.
        hold_integral: Takes up what such a load leaves [1/s^3].
    """

    hold_damping: float = 30.0
    hold_stiffness: float = 300.0
    hold_integral: float = 1000.0

    def __post_init__(self) -> None:
        for key in ("hold_damping", "hold_stiffness", "hold_integral"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value >= 0.0):
                raise ConfigError(f"{key} must be 0 or a positive number, not {value!r}.")


class Hold:
    """``u = M(q) (bounded(stiffness (q0 - q) - damping dq) + integral) + bias(q, dq)``; it is held at ``q0``.

    The feedback is bounded as a whole, not joint by joint: a vector of another direction would move joints
    that are at rest, through the inertia they share.

    Args:
        dynamics: The robot's own model of its arm.
        gains: Feedback.
        q_range: Lowest and highest angle of each joint [rad], shape (n_joints, 2); infinite without a stop.
            An arm that has left it is brought back to its edge.
        dt_s: Period [s].

    Raises:
        ConfigError: With these gains, no arm comes to rest at this period.
    """

    def __init__(self, dynamics: HoldDynamics, gains: HoldGains, q_range: FloatArray, *, dt_s: float) -> None:
        _require_quiet(gains, dt_s)
        self._dynamics = dynamics
        self._gains = gains
        # Where the pull balances the damping at that speed.
        pull, damping = gains.hold_stiffness, gains.hold_damping
        self._furthest_rad = _RETURN_RAD_S * damping / pull if pull else math.inf
        self._low, self._high = q_range.T + np.array([[_INSIDE_RAD], [-_INSIDE_RAD]])
        self._dt_s = dt_s
        self._q0: FloatArray | None = None
        self._integral = np.zeros(len(q_range))

    def release(self) -> None:
        """The next hold begins where the arm is then."""
        self._q0 = None
        self._integral[:] = 0.0

    def torque(self, state: JointState) -> FloatArray:
        """Torque that holds [N m], shape (n_joints,); 0 if the state is not finite, and nothing is kept."""
        if not (np.isfinite(state.q).all() and np.isfinite(state.dq).all()):
            return np.zeros_like(state.q)
        gains, error = self._gains, self._place(state.q) - state.q
        wanted = gains.hold_stiffness * error - gains.hold_damping * state.dq
        if (too_much := np.abs(wanted).max() / _BRAKING_RAD_S2) > 1.0:
            wanted /= too_much
        else:
            self._integral += gains.hold_integral * self._dt_s * error
            np.clip(self._integral, -_INTEGRAL_LIMIT, _INTEGRAL_LIMIT, out=self._integral)
        self._dynamics.update(state.q, state.dq)
        torque: FloatArray = self._dynamics.mass_matrix() @ (wanted + self._integral) + self._dynamics.bias()
        return torque if np.isfinite(torque).all() else np.zeros_like(torque)

    def weight(self, state: JointState) -> FloatArray:
        """Torque that carries an arm at rest there [N m], shape (n_joints,): all an old state is good for."""
        self._dynamics.update(state.q, np.zeros_like(state.dq))
        torque = self._dynamics.bias()
        return torque if np.isfinite(torque).all() else np.zeros_like(torque)

    def _place(self, q: FloatArray) -> FloatArray:
        """Where the arm is held: where the hold began, or nearer if it was carried away."""
        place = q if self._q0 is None else self._q0
        inside = np.minimum(np.maximum(place, self._low), self._high)
        # Last, so that it bounds the way back into the range as well: an arm may read far outside of it.
        near, far = q - self._furthest_rad, q + self._furthest_rad
        self._q0 = np.minimum(np.maximum(inside, near), far)
        return self._q0


def _require_quiet(gains: HoldGains, dt_s: float) -> None:
    """Feedback that comes once a period is too strong for it if a small motion grows from one to the next.

    By the largest eigenvalue of a held unit mass over one period, which the inertia makes of every joint:
    ``z' = z - integral dt q``, ``v' = v + dt (z' - stiffness q - damping v)``, ``q' = q + dt v'``.

    Raises:
        ConfigError: It grows.
    """
    z = np.array((-gains.hold_integral * dt_s, 0.0, 1.0))  # in q, v, z
    v = np.array((0.0, 1.0, 0.0)) + dt_s * (z - (gains.hold_stiffness, gains.hold_damping, 0.0))
    q = np.array((1.0, 0.0, 0.0)) + dt_s * v
    if np.abs(np.linalg.eigvals(np.array((q, v, z)))).max() > 1.0 + _GROWTH:
        raise ConfigError(
            f"held with hold_damping = {gains.hold_damping:g}, hold_stiffness = {gains.hold_stiffness:g} and "
            f"hold_integral = {gains.hold_integral:g}, an arm never comes to rest at a period of {dt_s:g} s. "
            "Give a shorter --control-dt-s, or gains that fit it: the default's do up to 0.05 s."
        )
