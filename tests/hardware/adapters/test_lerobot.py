"""A robot of LeRobot's interface with MuJoCo behind it."""

from __future__ import annotations

import ast
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))

import lerobot_library
from lerobot_library import Robot, RobotConfig, make_robot_from_config

from spikearm.envs.arms import ARMS
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ClosedError, ConfigError, DriveError, NotFiniteError
from spikearm.hardware.adapters.lerobot import LeRobotNames, LeRobotPlant

JOINTS = ("shoulder", "elbow")
DEGREES = 180.0 / np.pi


@RobotConfig.register_subclass("simulated_planar")
@dataclass(kw_only=True)
class SimulatedPlanarConfig(RobotConfig):
    """Settings of :class:`SimulatedPlanar`."""

    arm: str = "planar2"


class SimulatedPlanar(Robot):
    """A registered robot with MuJoCo behind it, in degrees."""

    config_class = SimulatedPlanarConfig
    name = "simulated_planar"

    def __init__(self, config: SimulatedPlanarConfig) -> None:
        super().__init__(config)
        self.arm = MujocoPlant(ARMS[config.arm])
        self._connected = False
        self.lacks: str | None = None

    @property
    def observation_features(self):
        return {f"{joint}.{what}": float for joint in JOINTS for what in ("pos", "vel")}

    @property
    def action_features(self):
        return {f"{joint}.torque": float for joint in JOINTS}

    @property
    def is_connected(self):
        return self._connected

    @property
    def is_calibrated(self):
        return True

    def calibrate(self):
        pass

    def configure(self):
        pass

    def connect(self, calibrate=True):
        assert not self._connected
        self._connected = True

    def get_observation(self):
        assert self._connected
        state = self.arm.read()
        seen = {}
        for joint, q, dq in zip(JOINTS, state.q, state.dq, strict=True):
            seen |= {f"{joint}.pos": q * DEGREES, f"{joint}.vel": dq * DEGREES}
        seen.pop(self.lacks, None)
        return seen

    def send_action(self, action):
        assert self._connected
        sent = self.arm.write(np.array([action[f"{joint}.torque"] for joint in JOINTS]))
        return dict(zip(action, sent.tolist(), strict=True))

    def disconnect(self):
        assert self._connected
        self._connected = False


@pytest.fixture
def robot():
    return make_robot_from_config(RobotConfig.get_choice_class("simulated_planar")(id="bench"))


@pytest.fixture
def plant(robot):
    plant = LeRobotPlant(robot, LeRobotNames(JOINTS, degrees=True), dt_s=0.001)
    yield plant
    plant.close()


def test_states_are_those_of_the_arm(robot, plant):
    for _ in range(30):
        plant.write(np.array((-3.0, 2.0)))
    state, true = plant.read(), robot.arm.read()
    np.testing.assert_allclose(state.q, true.q, rtol=1e-12)
    np.testing.assert_allclose(state.dq, true.dq, rtol=1e-12)


def test_write_returns_what_was_really_sent(plant):
    np.testing.assert_array_equal(plant.write(np.array((1.5, -0.5))), (1.5, -0.5))
    sent = plant.write(np.array((1e6, -1e6)))
    assert (np.abs(sent) < 1e3).all()


def test_closing_disconnects_once(robot, plant):
    assert robot.is_connected
    plant.close()
    plant.close()
    assert not robot.is_connected
    with pytest.raises(ClosedError, match="closed; make a new one"):
        plant.write(np.zeros(2))


def test_robot_that_is_connected_stays_so(robot):
    robot.connect()
    LeRobotPlant(robot, LeRobotNames(JOINTS, degrees=True), dt_s=0.001).close()


def test_robot_without_torque_is_refused(robot):
    names = LeRobotNames(JOINTS, torque="{}.pos")
    with pytest.raises(ConfigError, match=r"does not take 'shoulder.pos', 'elbow.pos'.*only takes positions"):
        LeRobotPlant(robot, names, dt_s=0.001)
    with pytest.raises(ConfigError, match=r"does not observe 'wrist.pos', 'wrist.vel'"):
        LeRobotPlant(robot, LeRobotNames(("wrist",)), dt_s=0.001)
    assert not robot.is_connected


def test_observation_that_lacks_a_joint_is_a_fault(robot, plant):
    robot.lacks = "elbow.vel"
    with pytest.raises(DriveError, match=r"said nothing about 'elbow.vel'"):
        plant.read()


def test_bad_torque_is_not_sent(robot, plant):
    with pytest.raises(NotFiniteError, match="Nothing was sent"):
        plant.write(np.array((np.inf, 0.0)))
    with pytest.raises(ConfigError, match="torque has shape"):
        plant.write(np.zeros(1))
    assert robot.arm.read().t_s == 0.0


@pytest.mark.parametrize("joints", [(), ("a", "a")])
def test_joints_need_different_names(joints):
    with pytest.raises(ConfigError, match="joints are different names"):
        LeRobotNames(joints)


# -- the real package --------------------------------------------------------------------------------


def test_registered_robot_is_made_by_its_name(robot):
    assert isinstance(robot, SimulatedPlanar)
    assert (robot.id, robot.robot_type, SimulatedPlanarConfig().type) == ("bench", *2 * ["simulated_planar"])


def abstract(tree: ast.Module) -> dict[str, list[str]]:
    """What a module's ``Robot`` leaves to its subclasses: names, and their arguments and kinds."""
    (robot,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Robot")
    found = {}
    for each in robot.body:
        if isinstance(each, ast.FunctionDef):
            marks = sorted(ast.unparse(mark) for mark in each.decorator_list)
            if "abc.abstractmethod" in marks:
                found[each.name] = [*marks, *(argument.arg for argument in each.args.args)]
    return found


def test_stand_in_has_the_interface_of_the_package():
    """By its source: to import it takes all of its datasets and models."""
    spec = importlib.util.find_spec("lerobot")
    if spec is None:
        pytest.skip("lerobot is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "robots"
    real = ast.parse((folder / "robot.py").read_text())
    stand_in = ast.parse(Path(lerobot_library.__file__).read_text())
    assert abstract(real) == abstract(stand_in)
    assert len(abstract(real)) == 10
    config = ast.unparse(ast.parse((folder / "config.py").read_text()))
    for line in (
        "class RobotConfig(draccus.ChoiceRegistry",
        "id: str | None = None",
        "def type(self) -> str:",
    ):
        assert line in config
    assert "def make_robot_from_config(config: RobotConfig) -> Robot:" in (folder / "utils.py").read_text()
