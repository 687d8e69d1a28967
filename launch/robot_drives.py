"""The arm behind a robot: simulated, or a real one through its vendor's library."""

from __future__ import annotations

import importlib
from types import ModuleType

from spikearm.envs.arms import ARMS, ArmSpec
from spikearm.errors import ConfigError
from spikearm.hardware.adapters.franka import N_JOINTS, FrankaPlant
from spikearm.hardware.adapters.franka_config import FRANKA_DT_S
from spikearm.hardware.adapters.lerobot import LeRobotNames, LeRobotPlant
from spikearm.hardware.link.served_plant import ServedPlant
from spikearm.launch.compose import simulated_arm
from spikearm.launch.lerobot_settings import settings_of
from spikearm.launch.robot_config import RobotConfig


def make_arm(config: RobotConfig, arm: ArmSpec) -> ServedPlant:
    """The arm itself.

    Raises:
        ConfigError: The settings do not fit it, or its vendor's library is not installed.
        DriveError: It does not answer.
    """
    if config.drive == "mujoco":
        return simulated_arm(arm, config.perturbation, seed=config.seed, control_dt_s=config.control_dt_s)
    makers = {"dynamixel": _make_dynamixel, "franka": _make_franka, "lerobot": _make_lerobot}
    return makers[config.drive](config, arm)


def _make_dynamixel(config: RobotConfig, arm: ArmSpec) -> ServedPlant:
    if len(config.dynamixel.servo_ids) != arm.n_joints:
        raise ConfigError(
            f"arm {arm.name!r} has {arm.n_joints} joints, but servo_ids names "
            f"{len(config.dynamixel.servo_ids)} servos; give one per joint."
        )
    _library("dynamixel_sdk", "dynamixel", "ROBOTIS' SDK")
    from spikearm.hardware.adapters.dynamixel import DynamixelPlant

    return DynamixelPlant(config.dynamixel, dt_s=config.control_dt_s)


def _make_franka(config: RobotConfig, arm: ArmSpec) -> ServedPlant:
    if arm.n_joints != N_JOINTS:
        raise ConfigError(f"a Franka arm has {N_JOINTS} joints, but arm {arm.name!r} has {arm.n_joints}.")
    if arm.name in ARMS and arm.name != "fr3":
        # It has as many joints; held by another arm's gravity, this one would fall or fly up.
        raise ConfigError(f"arm {arm.name!r} is none of Franka's; use --arm fr3, or an MJCF file of yours.")
    if config.control_dt_s != FRANKA_DT_S:
        raise ConfigError(
            f"a Franka arm has a clock of its own, of {FRANKA_DT_S:g} s; control_dt_s cannot be "
            f"{config.control_dt_s:g} s."
        )
    return FrankaPlant(config.franka, _library("pylibfranka", "franka", "Franka's library"))


def _make_lerobot(config: RobotConfig, arm: ArmSpec) -> ServedPlant:
    settings = config.lerobot
    if len(settings.lerobot_joints) != arm.n_joints:
        raise ConfigError(
            f"arm {arm.name!r} has {arm.n_joints} joints, but lerobot_joints names "
            f"{len(settings.lerobot_joints)}; give one name per joint."
        )
    robots = _library("lerobot.robots", "lerobot", "LeRobot")
    importlib.import_module("lerobot.utils.import_utils").register_third_party_plugins()
    known = robots.RobotConfig.get_known_choices()
    if settings.lerobot_robot not in known:
        raise ConfigError(
            f"no robot {settings.lerobot_robot!r} is registered with LeRobot, only {sorted(known)}. Install "
            "the package that brings it (lerobot_robot_...), and give its name as --lerobot-robot."
        )
    robot = robots.make_robot_from_config(settings_of(known[settings.lerobot_robot], settings))
    names = LeRobotNames(settings.lerobot_joints, degrees=settings.lerobot_degrees)
    return LeRobotPlant(robot, names, dt_s=config.control_dt_s)


def _library(module: str, extra: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f'--drive {extra} needs {what}: pip install "spikearm[{extra}]".') from error
