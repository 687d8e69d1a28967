"""The robot's own torque while nobody commands it: it holds the arm against gravity and damps it."""

from __future__ import annotations

import itertools
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
_LEAST_DAMPING = 5.0
"""Of a real arm [1/s]: by it alone, an arm comes from 1 rad/s to rest within 0.2 rad, a margin's width."""
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

    def require_damping(self) -> None:
        """A real arm's hold can be made softer, and not be set away: it is all that a stop does.

        Raises:
            ConfigError: It was.
        """
        if self.hold_damping < _LEAST_DAMPING:
            raise ConfigError(
                f"of a real arm, hold_damping is at least {_LEAST_DAMPING:g} 1/s, not {self.hold_damping:g}: "
                "it is what brakes an arm that has to be stopped. Give a larger --hold-damping."
            )


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
        real: Whether the arm can hurt. It is read right after a torque was written, and so gets the torque
            of a reading a period later; a simulated one moves by the write, and is read where it is then.

    Raises:
        ConfigError: With these gains, no arm comes to rest at this period, or a real one is hardly damped.
    """

    def __init__(
        self,
        dynamics: HoldDynamics,
        gains: HoldGains,
        q_range: FloatArray,
        *,
        dt_s: float,
        real: bool = False,
    ) -> None:
        if real:
            gains.require_damping()
        _require_quiet(gains, dt_s, late=real)
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


def _require_quiet(gains: HoldGains, dt_s: float, *, late: bool) -> None:
    """Feedback that comes once a period is too strong for it if a small motion grows from one to the next.

    Raises:
        ConfigError: It grows.
    """
    if _growth(gains, dt_s, late=late) > 1.0 + _GROWTH:
        longest_s = _longest_period(HoldGains(), late=late)
        raise ConfigError(
            f"held with hold_damping = {gains.hold_damping:g}, hold_stiffness = {gains.hold_stiffness:g} and "
            f"hold_integral = {gains.hold_integral:g}, an arm never comes to rest at a period of {dt_s:g} s. "
            f"Give a shorter --control-dt-s, or gains that fit it: the default's do up to {longest_s:.3f} s."
        )


def _growth(gains: HoldGains, dt_s: float, *, late: bool) -> float:
    """Largest eigenvalue of a held unit mass over one period, which the inertia makes of every joint.

    Between two torques its motion is exact (a double integrator with its input held, e.g. Franklin, Powell,
    Workman, "Digital Control of Dynamic Systems", section 4.3): ``q' = q + dt v + dt^2 u / 2``,
    ``v' = v + dt u``. The torque is that of the hold, ``z' = z - integral dt q`` and
    ``u = z' - stiffness q - damping v``, of this reading or, if it comes late, of the one before.
    """
    q, v, z, before = np.eye(4)
    z = z - gains.hold_integral * dt_s * q
    wanted = z - gains.hold_stiffness * q - gains.hold_damping * v
    u = before if late else wanted
    step = np.array((q + dt_s * v + 0.5 * dt_s**2 * u, v + dt_s * u, z, wanted))
    return float(np.abs(np.linalg.eigvals(step)).max())


def _longest_period(gains: HoldGains, *, late: bool) -> float:
    """Longest period at which these gains bring an arm to rest, in whole milliseconds [s]."""
    periods_s = itertools.takewhile(
        lambda dt_s: _growth(gains, dt_s, late=late) <= 1.0 + _GROWTH, (1e-3 * n for n in range(1, 1000))
    )
    return max(periods_s, default=0.0)
