"""A robot of LeRobot's interface with MuJoCo behind it."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))

import lerobot_library
from lerobot_library import RobotConfig, make_robot_from_config
from simulated_planar import JOINTS, SimulatedPlanar, SimulatedPlanarConfig

from spikearm.errors import ClosedError, ConfigError, DriveError, NotFiniteError
from spikearm.hardware.adapters.lerobot import LeRobotNames, LeRobotPlant


@pytest.fixture
def robot():
    return make_robot_from_config(RobotConfig.get_known_choices()["simulated_planar"](id="bench"))


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


def test_robot_that_does_not_disconnect_may_give_torque(robot, plant, monkeypatch):
    monkeypatch.setattr(robot, "disconnect", lambda: 1 / 0)
    with pytest.raises(DriveError, match=r"may give torque: division by zero\. Cut its power"):
        plant.close()
    plant.close()


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
