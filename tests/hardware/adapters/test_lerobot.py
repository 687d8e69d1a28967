"""A robot of LeRobot's interface with MuJoCo behind it."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import ClosedError, ConfigError, DriveError, NotFiniteError
from spikearm.hardware.adapters.lerobot import LeRobotNames, LeRobotPlant

JOINTS = ("shoulder", "elbow")
DEGREES = 180.0 / np.pi


class SimulatedRobot:
    """The methods and features that LeRobot's abstract ``Robot`` asks of a robot, in degrees."""

    name = "planar"

    def __init__(self) -> None:
        self.arm = MujocoPlant(ARMS["planar2"])
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
    return SimulatedRobot()


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
