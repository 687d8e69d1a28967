"""Minimum-jerk reaching (Flash and Hogan 1985, J. Neurosci. 5:1688), and its schedule tick by tick."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Protocol

import numpy as np

from spikearm.controller.orientation import rotation_error, slerp
from spikearm.controller.protocols import Target
from spikearm.errors import ConfigError
from spikearm.records import FloatArray, Pose

LEADING = -1
"""In place of a reach's number: a tick that leads the arm to the start of one, and belongs to none."""

# Far below any tick, far above the rounding of `k * control_dt_s`: a tick at the end of one reach is
# the first of the next.
_TIME_ROUNDING_S = 1e-9


class Path(Protocol):
    """Where the end effector should be at any time."""

    @property
    def duration_s(self) -> float:
        """Time from the start to the end of the motion [s]."""
        ...

    def target(self, t_s: float) -> Target:
        """Target at a time; before the start and after the end the path holds still."""
        ...

    def reach_index(self, t_s: float) -> int:
        """Which reach of the path this time belongs to, from 0."""
        ...


@dataclass(frozen=True, slots=True)
class Reach:
    """One straight reach; the orientation turns the shortest way with the same profile.

    Attributes:
        start: Pose at time 0, at rest.
        goal: Pose at ``duration_s``, at rest.
        duration_s: Time the reach takes [s].
    """

    start: Pose
    goal: Pose
    duration_s: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration_s) and self.duration_s > 0):
            raise ConfigError(
                f"a reach needs a positive number of seconds, not {self.duration_s!r}; try 0.8."
            )
        for name, pose in (("start", self.start), ("goal", self.goal)):
            _check_pose(name, pose)

    def target(self, t_s: float) -> Target:
        """Target at this time after the start; velocity and acceleration are exact derivatives."""
        s, ds, dds = minimum_jerk(t_s, self.duration_s)
        # Straight line and fixed axis: all six components share one profile.
        way = np.concatenate(
            (
                self.goal.position - self.start.position,
                rotation_error(self.start.quaternion, self.goal.quaternion),
            )
        )
        pose = Pose(self.start.position + s * way[:3], slerp(self.start.quaternion, self.goal.quaternion, s))
        return Target(pose, ds * way, dds * way)

    def reach_index(self, t_s: float) -> int:
        """Always 0: it is one reach."""
        return 0


class ReachSequence:
    """Reaches one after another, each starting where the last one ended.

    Args:
        reaches: At least one.

    Raises:
        ConfigError: There is none, or one does not start at the goal of the one before.
    """

    def __init__(self, reaches: tuple[Reach, ...]) -> None:
        if not reaches:
            raise ConfigError("a sequence needs at least one reach; got none.")
        for i, (before, after) in enumerate(pairwise(reaches)):
            gap_m = float(np.linalg.norm(after.start.position - before.goal.position))
            gap_rad = float(np.linalg.norm(rotation_error(before.goal.quaternion, after.start.quaternion)))
            if gap_m > 1e-9 or gap_rad > 1e-9:
                raise ConfigError(
                    f"reach {i + 1} starts {gap_m:g} m and {gap_rad:g} rad away from the goal of "
                    f"reach {i}; start it there."
                )
        self.reaches = reaches
        self._starts_s = [0.0, *accumulate(reach.duration_s for reach in reaches)]

    @property
    def duration_s(self) -> float:
        """Sum of the durations [s]."""
        return self._starts_s[-1]

    def target(self, t_s: float) -> Target:
        """Target at this time after the start of the first reach."""
        i = self.reach_index(t_s)
        return self.reaches[i].target(t_s - self._starts_s[i])

    def reach_index(self, t_s: float) -> int:
        """Which reach this time belongs to; after the end, the last."""
        i = bisect_right(self._starts_s, t_s + _TIME_ROUNDING_S) - 1
        return min(max(i, 0), len(self.reaches) - 1)


def minimum_jerk(t_s: float, duration_s: float) -> tuple[float, float, float]:
    """The smoothest way from rest to rest (Flash and Hogan 1985).

    Args:
        t_s: Time since the start [s]; before 0 nothing has moved, after the duration all has.
        duration_s: Time from start to end [s].

    Returns:
        Fraction of the way, and its first two derivatives [1/s, 1/s^2].
    """
    x = min(max(t_s / duration_s, 0.0), 1.0)
    s = x**3 * (10.0 + x * (-15.0 + 6.0 * x))
    ds = 30.0 * x**2 * (1.0 - x) ** 2 / duration_s
    dds = 60.0 * x * (1.0 - x) * (1.0 - 2.0 * x) / duration_s**2
    return s, ds, dds


def out_and_back(
    start: Pose, direction: FloatArray, distance_m: float, *, n_reaches: int, duration_s: float
) -> ReachSequence:
    """Reaches along one direction and back again, with the orientation held.

    Args:
        start: Pose the first reach starts from.
        direction: Direction in the world; its length does not matter, shape (3,).
        distance_m: Length of each reach [m].
        n_reaches: Number of reaches; out and back are two.
        duration_s: Time of each reach [s].

    Raises:
        ConfigError: A number is out of its range.
    """
    length = float(np.linalg.norm(direction))
    if not (math.isfinite(length) and length > 0):
        raise ConfigError(f"direction must be three finite numbers, not all 0; got {direction}.")
    if not (math.isfinite(distance_m) and distance_m > 0):
        raise ConfigError(f"distance_m must be a positive number of metres, not {distance_m!r}.")
    far = Pose(start.position + distance_m / length * np.asarray(direction), start.quaternion)
    return to_each_and_back(start, (far,), n_reaches=n_reaches, duration_s=duration_s)


def to_each_and_back(
    start: Pose, goals: Sequence[Pose], *, n_reaches: int, duration_s: float
) -> ReachSequence:
    """Reaches from one pose to each of several goals in turn, back to it after each, and round again.

    Args:
        start: Pose the first reach starts from.
        goals: At least one.
        n_reaches: Number of reaches; out and back are two.
        duration_s: Time of each reach [s].

    Raises:
        ConfigError: There is no goal or no reach, or the duration is no positive number.
    """
    if not goals:
        raise ConfigError("reaches need at least one goal; got none.")
    if n_reaches < 1:
        raise ConfigError(f"n_reaches must be at least 1, not {n_reaches!r}.")
    ends = [pair for goal in goals for pair in ((start, goal), (goal, start))]
    return ReachSequence(tuple(Reach(*ends[i % len(ends)], duration_s) for i in range(n_reaches)))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Targets of all ticks, computed beforehand so that no tick pays for path math.

    Attributes:
        targets: One per tick, at ``k * control_dt_s``.
        reach_index: Reach each tick belongs to, or ``LEADING``, shape (n_ticks,).
        control_dt_s: Control time step [s].
        n_leading: How many ticks, from the first on, lead to where the first or an interrupted reach begins.
    """

    targets: tuple[Target, ...]
    reach_index: tuple[int, ...]
    control_dt_s: float
    n_leading: int = 0

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, tick: int) -> Target:
        return self.targets[tick]

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets)


def sample(path: Path, control_dt_s: float, n_ticks: int | None = None) -> Schedule:
    """Targets at every tick.

    Args:
        path: What to follow.
        control_dt_s: Control time step [s].
        n_ticks: Number of ticks; None means as many as the path takes.

    Raises:
        ConfigError: The time step is not a positive number, or there is no tick.
    """
    if not (math.isfinite(control_dt_s) and control_dt_s > 0):
        raise ConfigError(
            f"control_dt_s must be a positive number of seconds, not {control_dt_s!r}; try 0.001."
        )
    if n_ticks is None:
        n_ticks = math.ceil((path.duration_s - _TIME_ROUNDING_S) / control_dt_s)
    if n_ticks < 1:
        raise ConfigError(f"a schedule needs at least one tick; got n_ticks={n_ticks!r}.")
    times_s = [tick * control_dt_s for tick in range(n_ticks)]
    return Schedule(
        targets=tuple(path.target(t_s) for t_s in times_s),
        reach_index=tuple(path.reach_index(t_s) for t_s in times_s),
        control_dt_s=control_dt_s,
    )


def _check_pose(name: str, pose: Pose) -> None:
    position, quaternion = np.asarray(pose.position), np.asarray(pose.quaternion)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise ConfigError(f"{name} position must be three finite numbers of metres, not {pose.position!r}.")
    if quaternion.shape != (4,) or not abs(float(np.linalg.norm(quaternion)) - 1.0) < 1e-6:
        raise ConfigError(f"{name} quaternion must be of length 1 (w x y z), not {pose.quaternion!r}.")
