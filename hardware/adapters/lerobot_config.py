"""Settings of a robot of LeRobot's; they need nothing of LeRobot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LeRobotConfig:
    """A robot that takes torques and is registered with LeRobot by a package ``lerobot_robot_*``.

    Attributes:
        lerobot_robot: Name that it is registered under.
        lerobot_id: Which one of its kind; LeRobot's calibration of it goes by this.
        lerobot_joints: Its joints, from the first to the last: it observes ``JOINT.pos`` and ``JOINT.vel``,
            and takes ``JOINT.torque`` [N m].
        lerobot_set: Settings of the robot's own, each as NAME=VALUE, such as port=/dev/ttyUSB0.
        lerobot_degrees: Its angles are in degrees, as those of many of LeRobot's robots.
    """

    lerobot_robot: str = ""
    lerobot_id: str | None = None
    lerobot_joints: tuple[str, ...] = ()
    lerobot_set: tuple[str, ...] = ()
    lerobot_degrees: bool = False
