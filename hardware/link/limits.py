"""What the robot's side lets through: torque, its change, and soft margins before the hard limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spikearm.compiled import kernel
from spikearm.errors import ConfigError
from spikearm.hardware.link.wire import NO_STOP, Stop
from spikearm.records import FloatArray, JointState

_SPEED_RAD_S = 3.0
_REAL_SPEED_RAD_S, _REAL_TORQUE_SHARE = 1.0, 0.5
"""Of an arm that can hurt, unless somebody says otherwise; half the torque carries any shipped arm."""
_REAL_RATE_NM_S = 1000.0
"""Fastest change of torque that an arm which can hurt may be given [N m/s], as in libfranka."""
_REAL_MOST_SPEED_RAD_S = 3.0
"""Highest speed at which such an arm may be told to stop [rad/s]: three times the default, and a little above
the 2.62 rad/s of the FR3's large joints (Franka, "Robot and interface specifications"). What a reading may
leap by grows with it."""
_REAL_LEAST_MARGIN_RAD, _REAL_LEAST_MARGIN_RAD_S = 0.05, 0.1
"""Narrowest margins in which such an arm may push back before its limits."""
_LEAP_RAD = 0.05
"""Beyond what the speed limit allows in the time, a joint's reading has not moved but leapt [rad].

At 1 kHz that is 50 rad/s, which no arm does, and more than the noise of any encoder; an arm that is twice as
fast as it may be leaps after 17 ms without a reading, by which time it has been stopped."""


@dataclass(frozen=True)
class LimitRules:
    """Limits that hold whatever the client says.

    Attributes:
        torque_share: Part of the arm's torque limits that may be used; None: all of a simulated arm's, half
            of a real one's.
        torque_rate_nm_s: Fastest change of each torque [N m/s]. 1000, as in libfranka; a real arm is given
            no more. At a long period that is more than 1 N m per tick: a hold whose torque came by 1 N m
            per tick at 100 Hz would come too late, and drive a heavy arm.
        speed_rad_s: Joint speed at which the arm stops [rad/s]; None: 3, and 1 for a real arm.
        margin_rad: Distance from a joint's stop at which the arm begins to push back [rad], as in Polymetis.
        margin_rad_s: Distance from the joint speed limit at which it begins to brake [rad/s], likewise.
    """

    torque_share: float | None = None
    torque_rate_nm_s: float = 1000.0
    speed_rad_s: float | None = None
    margin_rad: float = 0.2
    margin_rad_s: float = 0.5

    def __post_init__(self) -> None:
        if self.torque_share is not None and not 0.0 < self.torque_share <= 1.0:
            raise ConfigError(f"torque_share must be above 0 and at most 1, not {self.torque_share!r}.")
        for key in ("torque_rate_nm_s", "speed_rad_s"):
            value = getattr(self, key)
            if value is not None and not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"{key} must be a positive number, not {value!r}.")
        for key in ("margin_rad", "margin_rad_s"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value >= 0.0):
                raise ConfigError(f"{key} must be 0 or a positive number, not {value!r}.")
        lowest = self.speed(real=True)
        if self.margin_rad_s >= lowest:
            raise ConfigError(f"margin_rad_s = {self.margin_rad_s:g} must be below speed_rad_s = {lowest:g}.")

    def require_protective(self) -> None:
        """A real arm's limits can be made wider, and not be set away.

        Raises:
            ConfigError: They were.
        """
        bounds = (
            ("torque_rate_nm_s", self.torque_rate_nm_s, "most", _REAL_RATE_NM_S, "N m/s"),
            ("speed_rad_s", self.speed(real=True), "most", _REAL_MOST_SPEED_RAD_S, "rad/s"),
            ("margin_rad", self.margin_rad, "least", _REAL_LEAST_MARGIN_RAD, "rad"),
            ("margin_rad_s", self.margin_rad_s, "least", _REAL_LEAST_MARGIN_RAD_S, "rad/s"),
        )
        for key, value, at, bound, unit in bounds:
            if value > bound if at == "most" else value < bound:
                raise ConfigError(
                    f"{key} of a real arm must be at {at} {bound:g} {unit}, not {value:g}. Give a "
                    f"{'smaller' if at == 'most' else 'larger'} --{key.replace('_', '-')}."
                )

    def share(self, *, real: bool) -> float:
        """Part of the torque limits that is allowed."""
        if self.torque_share is not None:
            return self.torque_share
        return _REAL_TORQUE_SHARE if real else 1.0

    def speed(self, *, real: bool) -> float:
        """Joint speed at which the arm stops [rad/s]."""
        if self.speed_rad_s is not None:
            return self.speed_rad_s
        return _REAL_SPEED_RAD_S if real else _SPEED_RAD_S


class Limits:
    """The limits of one arm.

    In a soft margin the push grows from nothing to the full allowed torque at the hard limit, so that the
    client's torque is outweighed before the limit, not at it. A joint that is in the margin of its stop and
    moves outwards is damped as well: a speed of ``margin_rad_s`` costs the same push as the whole margin.

    Args:
        rules: The limits.
        torque_limits: The arm's largest torques, both ways [N m], shape (n_joints,).
        q_range: Lowest and highest angle of each joint [rad], shape (n_joints, 2); infinite without a stop.
        dt_s: Period [s].
        real: Whether the arm can hurt.
        drive_limits: Largest torques that its drives give, both ways [N m], shape (n_joints,), where they say
            so: no torque beyond them is let through, whatever share of the model's is allowed.

    Attributes:
        torque: Largest torques that are let through, both ways [N m], shape (n_joints,).

    Raises:
        ConfigError: The limits of an arm that can hurt are too wide to protect it.
    """

    def __init__(
        self,
        rules: LimitRules,
        torque_limits: FloatArray,
        q_range: FloatArray,
        *,
        dt_s: float,
        real: bool = False,
        drive_limits: FloatArray | None = None,
    ) -> None:
        if real:
            rules.require_protective()
        self._rules = rules
        self._dt_s = dt_s
        self._rate_nm = rules.torque_rate_nm_s * dt_s
        self.torque: FloatArray = rules.share(real=real) * np.asarray(torque_limits, dtype=np.float64)
        if drive_limits is not None:
            self.torque = np.minimum(self.torque, drive_limits)
        self._least = -self.torque
        self._low, self._high = np.asarray(q_range, dtype=np.float64).T.copy()
        self._soft_low, self._soft_high = self._low + rules.margin_rad, self._high - rules.margin_rad
        self._fastest = np.full(len(self.torque), rules.speed(real=real))
        self._slowest = -self._fastest
        self._soft_speed = self._fastest - rules.margin_rad_s
        self._slowest_soft = -self._soft_speed
        at_rest = np.zeros(len(self.torque))
        self._leap_ticks = 0
        self.leapt(at_rest, at_rest, 1)
        self.clamp(at_rest, at_rest)  # compiled here, not in the first tick
        _outside(at_rest, self._low, self._high)

    def violated(self, state: JointState) -> Stop:
        """Hard limits that this state is beyond; 0 for none."""
        stop = NO_STOP
        if _outside(state.q, self._low, self._high):
            stop |= Stop.JOINT_LIMIT
        if _outside(state.dq, self._slowest, self._fastest):
            stop |= Stop.SPEED_LIMIT
        return stop

    def leapt(self, q: FloatArray, before: FloatArray, n_ticks: int) -> bool:
        """Whether no motion leads from one reading to another.

        An encoder that lost its count, a servo a turn off, an arm moved while nobody looked: what the
        controller would do about such a difference is not what anybody meant.

        Args:
            q: Joint angles now [rad], shape (n_joints,).
            before: At an earlier reading [rad], shape (n_joints,).
            n_ticks: So many ticks before.
        """
        if n_ticks != self._leap_ticks:  # hardly ever: it is one tick after another
            self._furthest = _LEAP_RAD + n_ticks * self._dt_s * self._fastest
            self._leap_ticks, self._nearest = n_ticks, -self._furthest
        outside: bool = _outside(q - before, self._nearest, self._furthest)
        return outside

    def push_back(self, state: JointState) -> FloatArray | None:
        """Torque of the soft margins [N m], shape (n_joints,); None if the state is in none of them."""
        q, dq = state.q, state.dq
        soft = self._soft_speed
        if not _outside(q, self._soft_low, self._soft_high) and not _outside(dq, self._slowest_soft, soft):
            return None
        low, high = q < self._soft_low, q > self._soft_high
        fast = np.abs(dq) > soft
        rules = self._rules
        push = np.zeros_like(q)
        if rules.margin_rad:
            outwards = np.where(low, np.minimum(dq, 0.0), 0.0) + np.where(high, np.maximum(dq, 0.0), 0.0)
            depth = np.where(low, q - self._soft_low, 0.0) + np.where(high, q - self._soft_high, 0.0)
            push -= depth / rules.margin_rad
            if rules.margin_rad_s:
                push -= outwards / rules.margin_rad_s
        if rules.margin_rad_s:
            push -= np.where(fast, (dq - np.sign(dq) * soft) / rules.margin_rad_s, 0.0)
        return self.torque * push

    def clamp(self, torque: FloatArray, before: FloatArray) -> FloatArray:
        """The torque no further from the one before than it may change, and within its limits in any case.

        Args:
            torque: Wanted [N m], shape (n_joints,).
            before: Applied in the tick before [N m], shape (n_joints,).
        """
        allowed: FloatArray = _clamped(torque, before, self.torque, self._rate_nm)
        return allowed

    def clip(self, torque: FloatArray) -> FloatArray:
        """The torque within its limits [N m], shape (n_joints,)."""
        return np.minimum(np.maximum(torque, self._least), self.torque)


@kernel
def _outside(values: FloatArray, low: FloatArray, high: FloatArray) -> bool:
    """Whether any value is below its lowest or above its highest."""
    outside = False
    for i in range(len(values)):
        outside |= values[i] < low[i] or values[i] > high[i]
    return outside


@kernel
def _clamped(torque: FloatArray, before: FloatArray, limit: FloatArray, rate: float) -> FloatArray:
    """Within the rate of the one before, and then within the limit, which holds whatever was before."""
    allowed = np.empty_like(torque)
    for i in range(len(torque)):
        near = min(max(torque[i], before[i] - rate), before[i] + rate)
        allowed[i] = min(max(near, -limit[i]), limit[i])
    return allowed
