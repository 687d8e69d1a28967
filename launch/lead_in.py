"""The way of an arm to the start of its path: nobody asked for it, so it is slow and announced.

A path may leave joints free, as the elbow of an arm of seven; a law draws them to the arm's home then. So an
arm whose end effector is at its start may be far from it all the same, and its way has two parts: the end
effector's, straight, and the joints', from where they are to where the law would have them.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np

from spikearm.controller.ik import InverseKinematics
from spikearm.controller.path import Reach, Schedule, minimum_jerk
from spikearm.controller.protocols import Target
from spikearm.controller.resume import resumed
from spikearm.controller.spiking import SpikingController
from spikearm.errors import ConfigError, UnreachableError
from spikearm.launch.compose import Control
from spikearm.records import FloatArray, Pose

_AT_START_M = 1e-3
"""Distance from the start of its path within which an arm stands there [m]."""
_AT_START_RAD = 0.01
"""Likewise for its end effector's orientation and its joints [rad]."""
_SHORTEST_S = 1.0
"""Time of a way that is short, and of every way of a simulated arm [s]."""
_FASTEST_M_S, _FASTEST_RAD_S = 0.05, 0.2
"""Largest speeds of a real arm's way, of its end effector and of its joints."""
_N_POINTS = 100
"""Points at which a way is looked at beforehand: its fastest part is known to a thousandth."""
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
        ConfigError: The way is longer, and must not be; it takes longer than 20 s, or there is none.
    """
    start, pose = schedule.targets[0], pose_at(control, q)
    home = np.asarray(control.arm.home)
    goal_q = home if start.q is None else start.q
    far_m = float(np.linalg.norm(pose.position - start.pose.position))
    far_rad = max(_turned_rad(start, pose), float(np.abs(q - goal_q).max()))
    if far_m < _AT_START_M and far_rad < _AT_START_RAD:
        return schedule
    far = _Far(far_m, far_rad, _time_of(control, start, pose, q, goal_q) if real else _SHORTEST_S)
    if real and not monitored:
        _require_led(control, far, may_be_long=may_be_long)
    _announce(far, monitored=monitored)
    duration_s = min(far.duration_s, _LONGEST_S)
    return resumed(schedule, 0, pose=pose, q=q, posture=home, duration_s=duration_s)


@dataclass(frozen=True)
class _Far:
    """How far an arm is from its start.

    Attributes:
        m: Of its end effector's place [m].
        rad: Of its orientation or a joint, whichever is further [rad].
        duration_s: Time of the way [s].
    """

    m: float
    rad: float
    duration_s: float

    def __str__(self) -> str:
        return f"stands {self.m:.3f} m and up to {self.rad:.2f} rad from the start of its path"


def _announce(far: _Far, *, monitored: bool) -> None:
    if far.duration_s > _LONGEST_S:
        _LOG.warning("the arm %s, too far to be led there in %g s.", far, _LONGEST_S)
        return
    _LOG.warning(
        "the arm %s; it %s led there first, in %.1f s that belong to no reach.",
        far,
        "would be" if monitored else "is",
        far.duration_s,
    )


def _require_led(control: Control, far: _Far, *, may_be_long: bool) -> None:
    """Refuse to lead a real arm that is too far away.

    Raises:
        ConfigError: The way is longer than it may be, or than the controller can make slow.
    """
    stands = f"this arm is real and {far}"
    if far.duration_s > _LONGEST_S:
        raise ConfigError(f"{stands}, too far to be led there in {_LONGEST_S:g} s. Move it nearer by hand.")
    long = far.m > _LONG_M or far.rad > _LONG_RAD
    if long and isinstance(control.controller, SpikingController):
        # Its network has learned the pull to the posture: that acts at once, whatever the target says.
        raise ConfigError(
            f"{stands}, more than {_LONG_M:g} m or {_LONG_RAD:g} rad, from where the spiking controller "
            "cannot lead it slowly. Move it there by hand, or lead it with --controller osc and --lead-in."
        )
    if long and not may_be_long:
        raise ConfigError(
            f"{stands}, more than {_LONG_M:g} m or {_LONG_RAD:g} rad. Move it there by hand, or have it led "
            f"there in {far.duration_s:.1f} s with --lead-in; clear that way first."
        )


def _time_of(control: Control, start: Target, pose: Pose, q: FloatArray, goal_q: FloatArray) -> float:
    """Time in which a real arm is led there slowly [s]; infinite if it cannot go that way."""
    try:
        joints = _way(control, start, pose, q, goal_q)
    except UnreachableError:
        return math.inf
    if float(np.abs(joints[-1] - goal_q).max()) > _LONG_RAD:
        return math.inf  # the other solution of an elbow or a wrist: no slow way leads from one to the other
    position = np.array([pose_at(control, each).position for each in joints])
    # The same way in another time: all speeds change alike.
    fastest_m = _N_POINTS * float(np.linalg.norm(np.diff(position, axis=0), axis=1).max())
    fastest_rad = _N_POINTS * float(np.abs(np.diff(joints, axis=0)).max())
    return max(_SHORTEST_S, fastest_m / _FASTEST_M_S, fastest_rad / _FASTEST_RAD_S)


def _way(control: Control, start: Target, pose: Pose, q: FloatArray, goal_q: FloatArray) -> FloatArray:
    """Joint angles at equal times along the way [rad], shape (n_points + 1, n_joints).

    Straight for a law in joint space. Otherwise the end effector's way is straight, and free joints follow
    their posture.

    Raises:
        UnreachableError: The end effector cannot go straight to its start.
    """
    reach, joints = Reach(pose, start.pose, 1.0), [q]
    for k in range(1, _N_POINTS + 1):
        t_s = k / _N_POINTS
        posture = q + minimum_jerk(t_s, 1.0)[0] * (goal_q - q)
        if start.q is None:
            kinematics = InverseKinematics(control.dynamics, posture=posture, task_axes=control.arm.task_axes)
            posture = kinematics.solve(reach.target(t_s).pose, joints[-1])
        joints.append(posture)
    return np.array(joints)


def pose_at(control: Control, q: FloatArray) -> Pose:
    """Pose of the end effector at rest at these joint angles, by the controller's model."""
    control.dynamics.update(q, np.zeros_like(q))
    return control.dynamics.pose()


def _turned_rad(start: Target, pose: Pose) -> float:
    """Angle between the end effector and where its path begins [rad]."""
    return 2.0 * math.acos(min(1.0, abs(float(pose.quaternion @ start.pose.quaternion))))
