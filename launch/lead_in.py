"""The way of an arm to the start of its path: nobody asked for it, so it is slow and announced."""

from __future__ import annotations

import logging
import math

import numpy as np

from spikearm.controller.path import Schedule
from spikearm.controller.protocols import Target
from spikearm.controller.resume import resumed
from spikearm.errors import ConfigError
from spikearm.launch.compose import Control
from spikearm.records import FloatArray, Pose

_AT_START_M = 1e-3
"""Distance from the start of its path within which an arm stands there [m]."""
_AT_START_RAD = 0.01
"""Likewise for its end effector's orientation, and for its joints where the path gives them [rad]."""
_SHORTEST_S = 1.0
"""Time of a way that is short, and of every way of a simulated arm [s]."""
_FASTEST_M_S, _FASTEST_RAD_S = 0.05, 0.2
"""Largest speeds of a real arm's way."""
_PEAK = 15.0 / 8.0
"""Largest speed of a minimum-jerk motion by its mean one (Flash and Hogan 1985, J. Neurosci. 5:1688)."""
_LONG_M, _LONG_RAD = 0.1, 0.1
"""Ways of a real arm beyond which somebody has to ask for them."""
_LONGEST_S = 20.0
"""Longest way [s]: its targets are computed while the robot waits, which it does for a second."""
_LOG = logging.getLogger(__name__)


def led_up(
    control: Control,
    schedule: Schedule,
    q: FloatArray,
    *,
    real: bool,
    may_be_long: bool,
    monitored: bool = False,
) -> Schedule:
    """The schedule, led up to from where the robot stands, unless it stands at its start.

    The way is announced; that of a real arm takes so long that end effector and joints stay slow.

    Args:
        control: The controller, with its model of the arm.
        schedule: What is to be done.
        q: Where the joints are [rad], shape (n_joints,).
        real: Whether the arm can hurt.
        may_be_long: Whether the way may be longer than 0.1 m or 0.1 rad.
        monitored: Whether the arm is only looked at: nothing leads it then, from however far.

    Raises:
        ConfigError: The way is longer, and must not be; or takes longer than 20 s.
    """
    start, pose = schedule.targets[0], pose_at(control, q)
    if _stands_at(start, pose, q):
        return schedule
    goal_q = np.asarray(control.arm.home) if start.q is None else start.q
    far_m = float(np.linalg.norm(pose.position - start.pose.position))
    far_rad = max(_turned_rad(start, pose), float(np.abs(q - goal_q).max()))
    duration_s = _time_of(far_m, far_rad, may_be_long=may_be_long or monitored) if real else _SHORTEST_S
    way = f"{far_m:.3f} m and up to {far_rad:.2f} rad from the start of its path"
    _LOG.warning(
        "the arm stands %s; it %s led there first, in %.1f s that belong to no reach.",
        way,
        "would be" if monitored else "is",
        duration_s,
    )
    return resumed(schedule, 0, pose=pose, q=q, duration_s=duration_s)


def _time_of(far_m: float, far_rad: float, *, may_be_long: bool) -> float:
    """Time in which a real arm is led so far, slowly [s].

    Raises:
        ConfigError: The way is longer than it may be, or takes longer than 20 s.
    """
    duration_s = max(_SHORTEST_S, _PEAK * far_m / _FASTEST_M_S, _PEAK * far_rad / _FASTEST_RAD_S)
    stands = (
        f"this arm is real and stands {far_m:.3f} m and up to {far_rad:.2f} rad from the start of its path"
    )
    if duration_s > _LONGEST_S:
        raise ConfigError(f"{stands}, too far to be led there in {_LONGEST_S:g} s. Move it nearer by hand.")
    if not may_be_long and (far_m > _LONG_M or far_rad > _LONG_RAD):
        raise ConfigError(
            f"{stands}, more than {_LONG_M:g} m or {_LONG_RAD:g} rad. Move it there by hand, or have it led "
            f"there in {duration_s:.1f} s with --lead-in; clear that way first."
        )
    return duration_s


def pose_at(control: Control, q: FloatArray) -> Pose:
    """Pose of the end effector at rest at these joint angles, by the controller's model."""
    control.dynamics.update(q, np.zeros_like(q))
    return control.dynamics.pose()


def _stands_at(start: Target, pose: Pose, q: FloatArray) -> bool:
    """Whether an arm stands where its path begins."""
    there = float(np.linalg.norm(pose.position - start.pose.position)) < _AT_START_M
    joints_there = start.q is None or float(np.abs(q - start.q).max()) < _AT_START_RAD
    return there and _turned_rad(start, pose) < _AT_START_RAD and joints_there


def _turned_rad(start: Target, pose: Pose) -> float:
    """Angle between the end effector and where its path begins [rad]."""
    return 2.0 * math.acos(min(1.0, abs(float(pose.quaternion @ start.pose.quaternion))))
