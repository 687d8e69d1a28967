"""Going on after a stop: from where the arm was found, back to where the interrupted reach began."""

from __future__ import annotations

import dataclasses
import math

from spikearm.controller.path import LEADING, Reach, Schedule, minimum_jerk, sample
from spikearm.controller.protocols import Target
from spikearm.errors import ConfigError
from spikearm.records import FloatArray, Pose


def resumed(
    schedule: Schedule, tick: int, *, pose: Pose, q: FloatArray, posture: FloatArray, duration_s: float = 1.0
) -> Schedule:
    """The rest of a schedule, led up to from the measured state, at rest at both ends.

    The way there belongs to no reach, and nothing is learned on it; that of an earlier stop is dropped. The
    interrupted reach is done again from its start, because there the path is at rest; so no target jumps,
    whatever happened in between.

    Args:
        schedule: The interrupted schedule.
        tick: First of its ticks that was not carried out.
        pose: Where the end effector is now, at rest.
        q: Where the joints are now [rad], shape (n_joints,).
        posture: Where joints that the path leaves free shall be at the end of the way [rad], shape
            (n_joints,).
        duration_s: Time of the way back [s].

    Raises:
        ConfigError: There is no such tick.
    """
    if not 0 <= tick < len(schedule):
        raise ConfigError(f"tick must be from 0 to {len(schedule) - 1}, the schedule's last; got {tick}.")
    reach = schedule.reach_index[max(tick, schedule.n_leading)]
    first = schedule.reach_index.index(reach, schedule.n_leading)
    goal = schedule.targets[first]
    n_ticks = max(1, math.ceil(duration_s / schedule.control_dt_s))
    way = sample(Reach(pose, goal.pose, n_ticks * schedule.control_dt_s), schedule.control_dt_s, n_ticks)
    back = tuple(
        _with_joints(target, goal, q, posture, k / n_ticks, n_ticks * schedule.control_dt_s)
        for k, target in enumerate(way)
    )
    return Schedule(
        targets=back + schedule.targets[first:],
        reach_index=(LEADING,) * n_ticks + schedule.reach_index[first:],
        control_dt_s=schedule.control_dt_s,
        n_leading=n_ticks,
    )


def _with_joints(
    target: Target, goal: Target, q: FloatArray, posture: FloatArray, s: float, duration_s: float
) -> Target:
    """The same with joint references, if the schedule has any, and else a posture: straight in joint space.

    Drawn to a posture that is far away, free joints would move at once, and fast, however slow the way is.
    """
    x, dx, ddx = minimum_jerk(s * duration_s, duration_s)
    if goal.q is None:
        return dataclasses.replace(target, posture=q + x * (posture - q), leading=True)
    way = goal.q - q
    return dataclasses.replace(target, q=q + x * way, dq=dx * way, ddq=ddx * way, leading=True)
