"""What an arm is asked to do: targets for the end effector, or for the joints, over time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from spikearm.envs.batch.arms import ArmBatch
from spikearm.envs.gym.checks import check_number, floats
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

    def check_target(self, target: Any) -> FloatArray | None:
        """The target that ``reset`` of an environment was told, checked; None for none."""
        ...

    def reset(self, e: int, rng: np.random.Generator, target: FloatArray | None) -> None:
        """Draw the targets of one arm's episode, and take the one given instead if there is one."""
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
        e, n = batch.n_arms, batch.n_joints
        self._at = (np.zeros((e, 3)), np.zeros((e, 4)), np.zeros((e, 6, n)))

    @property
    def achieved(self) -> FloatArray:
        """Positions of the end effectors [m]."""
        return self._batch.position

    def _points(self) -> FloatArray:
        """Positions of the end effectors at the postures in ``_q`` [m], shape (n_arms, 3)."""
        self._batch.locate_at(self._q, *self._at)
        return self._at[0]

    def check_target(self, target: Any) -> FloatArray | None:
        """No target can be given.

        Raises:
            ConfigError: One is.
        """
        _no_target(target)
        return None


class ReachTask(_EndEffectorTask):
    """One point per episode, where the end effector is at a random posture near home and above the floor."""

    MOST_DRAWS = 100

    def __init__(self, batch: ArmBatch, draw: JointSpaceDraw) -> None:
        super().__init__(batch, draw)
        self._floor_m = batch.floor_m

    def check_target(self, target: Any) -> FloatArray | None:
        """The point [m], shape (3,), if one is given.

        Raises:
            ConfigError: It is not three finite numbers.
            UnreachableError: It is farther from the arm's first joint than the arm is long.
        """
        return None if target is None else _reachable(target, self._batch)

    def reset(self, e: int, rng: np.random.Generator, target: FloatArray | None) -> None:
        """Draw the point; or take the one given [m], shape (3,)."""
        own = np.random.default_rng(rng.integers(2**63))  # however many draws it takes, what follows stays
        for _ in range(self.MOST_DRAWS):
            posture = self._draw(own)[None]
            self._batch.locate_at(posture, self.goal[e : e + 1], self._at[1], first=e)
            if self.goal[e, 2] >= self._floor_m:
                break
        if target is not None:
            self.goal[e] = target

    def update(self, time_s: FloatArray) -> None:
        """Nothing moves."""


class TrackTask(_EndEffectorTask):
    """A point that moves as the end effector would if every joint swung with a frequency of its own.

    It is reachable at every moment, and its speed is that of its joints: amplitudes of an eighth to three
    eighths of their room, periods of three quarters of ``period_s`` to all of it.

    Args:
        batch: The arms.
        draw: Gives the centre of the motion and the limits of its amplitude.
        period_s: Longest period of a joint's swing [s].
    """

    moving = True

    def __init__(self, batch: ArmBatch, draw: JointSpaceDraw, *, period_s: float) -> None:
        super().__init__(batch, draw)
        check_number("period_s", period_s, zero=False)
        self._slowest = 2.0 * np.pi / period_s
        self._centre, self._amplitude = np.zeros_like(self._q), np.zeros_like(self._q)
        self._omega, self._phase = np.zeros_like(self._q), np.zeros_like(self._q)

    def reset(self, e: int, rng: np.random.Generator, target: FloatArray | None) -> None:
        """Draw the motion."""
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

    The points lie on a circle in the plane of the arm's last two movable position axes; an arm that moves
    along one axis only has two points. The arm must get to all of them with its joints within their stops.

    Args:
        batch: The arms.
        draw: Home and what lies around it.
        axes: Position axes the arm controls, of 0 (x), 1 (y), 2 (z).
        home: Joint angles of the centre [rad], shape (n_joints,).
        radius_m: Radius of the circle [m].
        hold_s: Time until the target changes [s].

    Raises:
        ConfigError: Radius or time is not positive.
        UnreachableError: The arm does not get to one of the points.
    """

    MISS_M = 1e-3
    """Greatest distance at which damped least squares have arrived, along the axes that the arm controls."""

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
        check_number("radius_m", radius_m, zero=False, most=batch.reach[1])
        check_number("hold_s", hold_s, zero=False)
        self._hold_s, self._axes = hold_s, list(axes)
        self._n_points = 8 if len(axes) > 1 else 2
        self._points_out = self._circle(home, radius_m)
        self._order = np.zeros((batch.n_arms, 64), dtype=np.int64)

    def reset(self, e: int, rng: np.random.Generator, target: FloatArray | None) -> None:
        """Draw the order of the points; each block has every one of them."""
        blocks = self._order.shape[1] // self._n_points
        self._order[e] = np.concatenate([rng.permutation(self._n_points) for _ in range(blocks)])

    def update(self, time_s: FloatArray) -> None:
        """The point out in even intervals, the centre in odd ones."""
        interval = np.floor(time_s / self._hold_s + 1e-6).astype(np.int64)
        out = self._order[np.arange(len(interval)), (interval // 2) % self._order.shape[1]]
        self.goal[:] = self._points_out[np.where(interval % 2 == 0, out, self._n_points)]

    def _circle(self, home: FloatArray, radius_m: float) -> FloatArray:
        """The points and, last, the centre [m], shape (n_points + 1, 3)."""
        angles = 2.0 * np.pi * np.arange(self._n_points) / self._n_points
        self._q[:] = home
        points = np.repeat(self._points()[:1], self._n_points + 1, axis=0)
        plane = self._axes[-2:]
        offsets = radius_m * np.stack((np.cos(angles), np.sin(angles)), axis=1)
        points[:-1, plane] += offsets[:, : len(plane)]
        reached = np.array([self._nearest(home, point) for point in points])
        misses = np.linalg.norm((reached - points)[:, self._axes], axis=1)
        if misses.max() > self.MISS_M:
            k = int(np.argmax(misses))
            raise UnreachableError(
                f"point {k} of the circle of {radius_m:g} m about {points[-1].round(3).tolist()} is "
                f"{misses[k]:.3g} m beyond what the arm reaches with its joints within their stops; choose a "
                "smaller radius_m."
            )
        return reached

    def _nearest(self, home: FloatArray, point: FloatArray) -> FloatArray:
        """Where the end effector gets on its way to a point, from home, along the axes it controls [m]."""
        low, high = self._batch.joint_ranges.T
        damping = 1e-4 * np.eye(len(self._axes))
        self._q[:] = home
        for _ in range(100):
            missing = (point - self._points()[0])[self._axes]
            jacobian = self._at[2][0, self._axes]
            step = jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping, missing)
            self._q[:] = np.clip(self._q + step, low, high)
        nearest: FloatArray = self._points()[0].copy()
        return nearest


class JointTask:
    """A posture for the joints that moves smoothly: every joint swings with a frequency of its own."""

    moving = True
    unit = "rad"

    def __init__(self, batch: ArmBatch, draw: JointSpaceDraw, *, period_s: float) -> None:
        check_number("period_s", period_s, zero=False)
        shape = (batch.n_arms, batch.n_joints)
        self._batch, self._draw, self._slowest = batch, draw, 2.0 * np.pi / period_s
        self.goal, self.goal_rate = np.zeros(shape), np.zeros(shape)
        self._centre, self._amplitude = np.zeros(shape), np.zeros(shape)
        self._omega, self._phase = np.zeros(shape), np.zeros(shape)

    @property
    def achieved(self) -> FloatArray:
        """Joint angles [rad]."""
        return self._batch.q

    def check_target(self, target: Any) -> FloatArray | None:
        """No target can be given.

        Raises:
            ConfigError: One is.
        """
        _no_target(target)
        return None

    def reset(self, e: int, rng: np.random.Generator, target: FloatArray | None) -> None:
        """Draw the motion."""
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


def _no_target(target: Any) -> None:
    if target is not None:
        raise ConfigError(
            f"reset was given the target {target!r}, but the targets of this task move; leave it out."
        )


def _reachable(target: Any, batch: ArmBatch) -> FloatArray:
    point = floats("target", target)
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
