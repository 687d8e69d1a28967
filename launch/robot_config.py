"""What is served as a robot, and how a client reaches it: settings of both ends of a link."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from spikearm.envs.perturbation import Perturbation
from spikearm.hardware.adapters.dynamixel_config import DynamixelConfig
from spikearm.hardware.adapters.franka_config import FrankaConfig
from spikearm.hardware.adapters.lerobot_config import LeRobotConfig
from spikearm.hardware.link.faults import FaultPlan
from spikearm.hardware.link.hold import HoldGains
from spikearm.hardware.link.limits import LimitRules
from spikearm.hardware.link.session import SessionRules
from spikearm.launch.config import RunConfig

DEFAULT_ADDRESS = "local:robot"


@dataclass(frozen=True)
class RobotConfig:
    """An arm behind the wire, in a process of its own.

    Attributes:
        arm: A shipped arm, or an MJCF file's path. Shipped are iiwa14, gen3, fr3, ur5e, planar1, planar2 and
            planar3.
        listen: Address to listen at: local:NAME, which only this user can reach, unix:PATH, or
            udp://HOST:PORT. Anything that other machines can reach needs a key.
        key_file: 32-byte key of mode 0600 that the client has as well.
        lock_step: Move only when commanded, not in real time: as fast as the client commands.
        acknowledge_real_arm: Say that a real arm may be energised: its surroundings are clear, its emergency
            stop is at hand, docs/safety.md was read.
        drive: The arm's drive. "mujoco" is a simulated arm; for a real one, "franka", "dynamixel" or
            "lerobot", and the model of --arm is then its dynamics.
        dynamixel: The servos.
        franka: The Franka arm.
        lerobot: The robot of LeRobot's.
        seed: Seed of the arm's sensor noise; that of the run, for the same noise as in one process.
        control_dt_s: Period [s].
        perturbation: What the arm carries and suffers.
        limits: What is let through, whatever the client says.
        session: What is asked of the client.
        hold: The arm's own hold while nobody commands it.
        faults: What goes wrong on purpose.
    """

    arm: str = "iiwa14"
    listen: str = DEFAULT_ADDRESS
    key_file: Path | None = None
    lock_step: bool = False
    acknowledge_real_arm: bool = False
    drive: Literal["mujoco", "dynamixel", "franka", "lerobot"] = "mujoco"
    dynamixel: DynamixelConfig = field(default_factory=DynamixelConfig)
    franka: FrankaConfig = field(default_factory=FrankaConfig)
    lerobot: LeRobotConfig = field(default_factory=LeRobotConfig)
    seed: int = 0
    control_dt_s: float = 0.001
    perturbation: Annotated[Perturbation, tyro.conf.OmitArgPrefixes] = field(
        default_factory=lambda: RunConfig().perturbation
    )
    limits: LimitRules = field(default_factory=LimitRules)
    session: SessionRules = field(default_factory=SessionRules)
    hold: HoldGains = field(default_factory=HoldGains)
    faults: FaultPlan = field(default_factory=FaultPlan)


def robot_of(config: RunConfig, base: RobotConfig) -> RobotConfig:
    """The robot that a run's configuration is about."""
    shared = ("arm", "seed", "control_dt_s", "perturbation")
    return dataclasses.replace(base, **{key: getattr(config, key) for key in shared})
