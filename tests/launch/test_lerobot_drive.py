"""A robot that is registered with LeRobot, served by its name."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "hardware" / "adapters"))

import lerobot_library

from spikearm.envs.arms import ARMS
from spikearm.errors import ConfigError
from spikearm.hardware.adapters.lerobot_config import LeRobotConfig
from spikearm.hardware.link.wire import Stop, Trait
from spikearm.launch.lerobot_settings import settings_of
from spikearm.launch.robot import make_robot
from spikearm.launch.robot_config import RobotConfig


@pytest.fixture
def library(monkeypatch):
    """The package, in which a plugin registers a robot as soon as it is asked to."""

    def register() -> None:
        import simulated_planar  # noqa: F401 - as LeRobot does it

    monkeypatch.setitem(sys.modules, "lerobot.robots", lerobot_library)
    monkeypatch.setitem(
        sys.modules, "lerobot.utils.import_utils", SimpleNamespace(register_third_party_plugins=register)
    )


def settings(folder: Path, **changes) -> RobotConfig:
    robot = LeRobotConfig("simulated_planar", "bench", ("shoulder", "elbow"), lerobot_degrees=True)
    return RobotConfig(
        arm="planar2",
        drive="lerobot",
        lerobot=dataclasses.replace(robot, **changes),
        listen=f"unix:{folder}/arm.sock",
        acknowledge_real_arm=True,
    )


def test_registered_robot_is_served_and_held(library, short_path):
    with make_robot(settings(short_path)) as robot:
        assert robot.server._traits & Trait.REAL
        start = robot.server.reading.q
        np.testing.assert_allclose(start, ARMS["planar2"].home, atol=1e-9)
        for _ in range(1000):
            robot.server.tick()
        assert robot.session.stop == Stop(0)
        np.testing.assert_allclose(robot.server.reading.q, start, atol=0.05)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lerobot_robot": "none"}, r"no robot 'none' is registered with LeRobot, only .*simulated_planar"),
        ({"lerobot_joints": ("elbow",)}, "has 2 joints, but lerobot_joints names 1"),
        ({"lerobot_joints": ("a", "b")}, "does not observe 'a.pos'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(library, short_path, change, said):
    with pytest.raises(ConfigError, match=said):
        make_robot(settings(short_path, **change))


@dataclasses.dataclass(kw_only=True)
class OnAPort(lerobot_library.RobotConfig):
    """Settings of a robot that needs one, as most of LeRobot's do."""

    port: str
    baud: int | None = 1_000_000
    gripper: bool = True

    def __post_init__(self) -> None:
        if self.baud == 0:
            raise ValueError("no bus is that slow")


def on_a_port(*given: str) -> LeRobotConfig:
    return LeRobotConfig("on_a_port", "left", ("a", "b"), lerobot_set=given)


def test_settings_of_the_robots_own_are_passed_on():
    made = settings_of(OnAPort, on_a_port("port=/dev/ttyUSB0", "baud=57600", "gripper=false"))
    assert made == OnAPort(id="left", port="/dev/ttyUSB0", baud=57600, gripper=False)
    assert settings_of(OnAPort, on_a_port("port=7")).port == "7"  # text is text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), r"robot 'on_a_port' needs port: give --lerobot-set port=VALUE; it has .*port, baud, gripper"),
        (("prot=/dev/ttyUSB0",), r"has no setting 'prot'; it has .*port, baud, gripper, and needs port"),
        (("port",), r"takes NAME=VALUE, such as port=/dev/ttyUSB0; got 'port'"),
        (("port=x", "baud=0"), r"does not take these settings, .*: no bus is that slow"),
    ],
)
def test_settings_that_the_robot_cannot_have_are_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        settings_of(OnAPort, on_a_port(*given))


def test_robot_that_needs_a_setting_says_which(library, short_path, monkeypatch):
    monkeypatch.setitem(lerobot_library.RobotConfig.registered, "on_a_port", OnAPort)
    with pytest.raises(ConfigError, match="needs port: give --lerobot-set port=VALUE"):
        make_robot(settings(short_path, lerobot_robot="on_a_port"))


def test_missing_package_is_named(short_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lerobot.robots", None)
    with pytest.raises(ConfigError, match=r"--drive lerobot needs LeRobot: pip install .spikearm\[lerobot\]"):
        make_robot(settings(short_path))
