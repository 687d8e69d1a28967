"""What an arm is asked to do: targets for the end effector, or for the joints, over time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from spikearm.envs.batch.arms import ArmBatch
from spikearm.errors import ConfigError, UnreachableError
from spikearm.records import FloatArray


class Task(Protocol):
    """Targets of many arms.

    Attributes:
        goal: Where each arm should be now, shape (n_arms, goal_size).
        goal_rate: How fast that moves, per second; all zero unless ``moving``.
        moving: Whether targets move within an episode.
        unit: Of goals: "m" or "rad".
    """

    goal: FloatArray
    goal_rate: FloatArray
    moving: bool
    unit: str

    @property
    def achieved(self) -> FloatArray:
        """Where each arm is, in the same terms; a view, shape (n_arms, goal_size)."""
        ...

    def reset(self, e: int, rng: np.random.Generator, target: Any) -> None:
        """Draw the targets of one arm's episode; ``target`` is what ``reset`` was told, or None."""
        ...

    def update(self, time_s: FloatArray) -> None:
        """Set ``goal`` and ``goal_rate`` for these times since each episode began [s], shape (n_arms,)."""
        ...


class JointSpaceDraw:
    """Postures near home, within the joint ranges: where an end effector is sure to be able to go.

    Args:
        home: Centre [rad], shape (n_joints,).
        ranges: Lowest and highest angle [rad], shape (n_joints, 2).
        spread_rad: Greatest distance of a joint from home [rad].
    """

    MARGIN_RAD = 0.05
    """Least distance of a drawn angle from its stop."""

    def __init__(self, home: FloatArray, ranges: FloatArray, spread_rad: float) -> None:
        self.low = np.maximum(home - spread_rad, np.minimum(ranges[:, 0] + self.MARGIN_RAD, home))
        self.high = np.minimum(home + spread_rad, np.maximum(ranges[:, 1] - self.MARGIN_RAD, home))

    def __call__(self, rng: np.random.Generator) -> FloatArray:
        """Joint angles [rad], shape (n_joints,)."""
        drawn: FloatArray = rng.uniform(self.low, self.high)
        return drawn


class _EndEffectorTask:
    """Common to tasks whose target is a point for the end effector."""

    moving = False
    unit = "m"

    def __init__(self, batch: ArmBatch, draw: JointSpaceDraw) -> None:
        self._batch, self._draw = batch, draw
        self.goal, self.goal_rate = np.zeros((batch.n_arms, 3)), np.zeros((batch.n_arms, 3))
        self._q = np.zeros((batch.n_arms, batch.n_joints))
        self._at = (np.zeros((batch.n_arms, 3)), np.zeros((batch.n_arms, 4)), np.zeros_like(batch.jacobian))

    @property
    def achieved(self) -> FloatArray:
        """Positions of the end effectors [m]."""
        return self._batch.position

    def _points(self) -> FloatArray:
        """Positions of the end effectors at the postures in ``_q`` [m], shape (n_arms, 3)."""
        self._batch.locate_at(self._q, *self._at)
        return self._at[0]

    def _refuse_target(self, target: Any) -> None:
        if target is not None:
            raise ConfigError(
                f"reset was given the target {target!r}, but the targets of this task move; leave it out."
            )


class ReachTask(_EndEffectorTask):
    """One point per episode, where the end effector is at a random posture near home."""

    def reset(self, e: int, rng: np.random.Generator, target: Any) -> None:
        """Draw the point, or take the one given [m], shape (3,)."""
        if target is None:
            self._q[e] = self._draw(rng)
            self.goal[e] = self._points()[e]
        else:
            self.goal[e] = checked_target(target, self._batch)

    def update(self, time_s: FloatArray) -> None:
        """Nothing moves."""


class TrackTask(_EndEffectorTask):
    """A point that moves as the end effector would if every joint swung with a frequency of its own.

    It is reachable at every moment, and its speed is that of its joints: an amplitude of half the spread and
    ``period_s`` for the slowest, three quarters of it for the fastest.

    Args:
        batch: The arms.
        draw: Gives the centre of the motion and the limits of its amplitude.
        period_s: Longest period of a joint's swing [s].
    """

    moving = True

    def __init__(self, batch: ArmBatch, draw: JointSpaceDraw, *, period_s: float) -> None:
        super().__init__(batch, draw)
        if not (np.isfinite(period_s) and period_s > 0):
            raise ConfigError(f"period_s must be a positive number of seconds, not {period_s!r}.")
        self._slowest = 2.0 * np.pi / period_s
        self._centre, self._amplitude = np.zeros_like(self._q), np.zeros_like(self._q)
        self._omega, self._phase = np.zeros_like(self._q), np.zeros_like(self._q)

    def reset(self, e: int, rng: np.random.Generator, target: Any) -> None:
        """Draw the motion."""
        self._refuse_target(target)
        n = self._batch.n_joints
        self._centre[e] = 0.5 * (self._draw.low + self._draw.high)
        self._amplitude[e] = 0.5 * (self._draw.high - self._draw.low) * rng.uniform(0.25, 0.75, n)
        self._omega[e] = self._slowest * rng.uniform(1.0, 4.0 / 3.0, n)
        self._phase[e] = rng.uniform(0.0, 2.0 * np.pi, n)

    def update(self, time_s: FloatArray) -> None:
        """Move the points."""
        angle = self._omega * time_s[:, None] + self._phase
        self._q = self._centre + self._amplitude * np.sin(angle)
        self.goal[:] = self._points()
        rate = self._amplitude * self._omega * np.cos(angle)
        self.goal_rate[:] = (self._at[2][:, :3] @ rate[:, :, None])[:, :, 0]


class CenterOutTask(_EndEffectorTask):
    """Out to one of eight points around the centre and back to it, again and again.

    The points lie on a circle in the plane of the arm's first two movable position axes that is vertical if
    it can be, and are moved to where the arm can follow (damped least squares from home).

    Args:
        batch: The arms.
        draw: Home and what lies around it.
        axes: Position axes the arm controls, of 0 (x), 1 (y), 2 (z).
        home: Joint angles of the centre [rad], shape (n_joints,).
        radius_m: Radius of the circle [m].
        hold_s: Time until the target changes [s].
    """

    N_POINTS = 8

    def __init__(
        self,
        batch: ArmBatch,
        draw: JointSpaceDraw,
        *,
        axes: tuple[int, ...],
        home: FloatArray,
        radius_m: float,
        hold_s: float,
    ) -> None:
        super().__init__(batch, draw)
        for name, value in (("radius_m", radius_m), ("hold_s", hold_s)):
            if not (np.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be a positive number, not {value!r}.")
        self._hold_s = hold_s
        self._points_out = self._circle(axes[-2:], home, radius_m)
        self._order = np.zeros((batch.n_arms, 64), dtype=np.int64)

    def reset(self, e: int, rng: np.random.Generator, target: Any) -> None:
        """Draw the order of the points; each block of eight has every one of them."""
        self._refuse_target(target)
        blocks = self._order.shape[1] // self.N_POINTS
        self._order[e] = np.concatenate([rng.permutation(self.N_POINTS) for _ in range(blocks)])

    def update(self, time_s: FloatArray) -> None:
        """The point out in even intervals, the centre in odd ones."""
        interval = np.floor(time_s / self._hold_s + 1e-6).astype(np.int64)
        out = self._order[np.arange(len(interval)), (interval // 2) % self._order.shape[1]]
        self.goal[:] = self._points_out[np.where(interval % 2 == 0, out, self.N_POINTS)]

    def _circle(self, axes: tuple[int, ...], home: FloatArray, radius_m: float) -> FloatArray:
        """The points and, last, the centre [m], shape (9, 3)."""
        angles = 2.0 * np.pi * np.arange(self.N_POINTS) / self.N_POINTS
        self._q[:] = home
        centre = self._points()[0].copy()
        points = np.repeat(centre[None], self.N_POINTS + 1, axis=0)
        points[:-1, axes[0]] += radius_m * np.cos(angles)
        if len(axes) > 1:
            points[:-1, axes[1]] += radius_m * np.sin(angles)
        return np.array([self._nearest(home, point) for point in points])

    def _nearest(self, home: FloatArray, point: FloatArray) -> FloatArray:
        """Where the end effector gets on its way to a point, from home [m]."""
        self._q[:] = home
        for _ in range(100):
            reached = self._points()[0]
            jacobian = self._at[2][0, :3]
            step = np.linalg.solve(jacobian @ jacobian.T + 1e-4 * np.eye(3), point - reached)
            self._q += jacobian.T @ step
        nearest: FloatArray = self._points()[0].copy()
        return nearest


class JointTask:
    """A posture for the joints that moves smoothly: every joint swings with a frequency of its own."""

    moving = True
    unit = "rad"

    def __init__(self, batch: ArmBatch, draw: JointSpaceDraw, *, period_s: float) -> None:
        if not (np.isfinite(period_s) and period_s > 0):
            raise ConfigError(f"period_s must be a positive number of seconds, not {period_s!r}.")
        shape = (batch.n_arms, batch.n_joints)
        self._batch, self._draw, self._slowest = batch, draw, 2.0 * np.pi / period_s
        self.goal, self.goal_rate = np.zeros(shape), np.zeros(shape)
        self._centre, self._amplitude = np.zeros(shape), np.zeros(shape)
        self._omega, self._phase = np.zeros(shape), np.zeros(shape)

    @property
    def achieved(self) -> FloatArray:
        """Joint angles [rad]."""
        return self._batch.q

    def reset(self, e: int, rng: np.random.Generator, target: Any) -> None:
        """Draw the motion."""
        if target is not None:
            raise ConfigError(
                f"reset was given the target {target!r}, but the targets of this task move; leave it out."
            )
        n = self._batch.n_joints
        self._centre[e] = self._draw(rng)
        room = np.minimum(self._draw.high - self._centre[e], self._centre[e] - self._draw.low)
        self._amplitude[e] = room * rng.uniform(0.25, 1.0, n)
        self._omega[e] = self._slowest * rng.uniform(1.0, 4.0 / 3.0, n)
        self._phase[e] = rng.uniform(0.0, 2.0 * np.pi, n)

    def update(self, time_s: FloatArray) -> None:
        """Move the postures."""
        angle = self._omega * time_s[:, None] + self._phase
        self.goal[:] = self._centre + self._amplitude * np.sin(angle)
        self.goal_rate[:] = self._amplitude * self._omega * np.cos(angle)


def checked_target(target: Any, batch: ArmBatch) -> FloatArray:
    """A point given to ``reset`` [m], shape (3,).

    Raises:
        ConfigError: It is not three finite numbers.
        UnreachableError: It is farther from the arm's first joint than the arm is long.
    """
    try:
        point = np.asarray(target, dtype=np.float64)
    except (TypeError, ValueError):
        point = np.full(0, np.nan)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ConfigError(f"target must be three finite numbers of metres, not {target!r}.")
    base, reach_m = batch.reach
    distance_m = float(np.linalg.norm(point - base))
    if distance_m > reach_m:
        raise UnreachableError(
            f"target {point.tolist()} is {distance_m:.3g} m from the arm's first joint, which reaches "
            f"{reach_m:.3g} m; choose a nearer one."
        )
    return point
