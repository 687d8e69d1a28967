"""A plant that fails to say what it measures, or what it was reset to, stops the arm and not its server."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rig import Masses

from spikearm.errors import NoReadingError, ProtectiveStopError
from spikearm.hardware.link.wire import Flag, Mode, Stop, Trait


class Measuring(Masses):
    """Says of its torque what it is told to; a reset of it may go wrong."""

    measured: object = (0.25, -0.25)
    reset_gives: object = None

    @property
    def torque_measured(self):
        if isinstance(self.measured, Exception):
            raise self.measured
        return self.measured

    def reset(self, *, seed=None):
        state = super().reset(seed=seed)
        if isinstance(self.reset_gives, Exception):
            raise self.reset_gives
        return state if self.reset_gives is None else self.reset_gives(state)


def test_torque_that_cannot_be_measured_stops_the_arm_and_not_the_server(rig):
    robot = rig(plant=Measuring())
    client = robot.armed()
    robot.plant.measured = RuntimeError("bus is lost")
    for _ in range(3):
        client.next_state()
    assert (client.mode, client.stop_reason) == (Mode.STOPPED, Stop.PLANT)
    assert "RuntimeError: bus is lost" in robot.server.fault
    assert robot.server.blind
    robot.plant.measured = (0.25, -0.25)
    robot.periods(2)
    assert not robot.server.blind
    client.next_state()
    client.recover()
    assert client.mode is Mode.MONITOR


def test_one_measured_torque_that_is_lost_is_bridged_as_a_lost_reading(rig):
    robot = rig(plant=Measuring())
    client = robot.armed()
    for error in (NoReadingError("lost on the line"), (0.25, -0.25)):
        robot.plant.measured = error
        client.next_state()
        client.write(np.zeros(2))
    assert robot.session.mode is Mode.COMMAND_ACTIVE
    assert not robot.server.blind


def test_arm_whose_torque_cannot_be_measured_when_serving_begins_gets_none(rig):
    robot = rig(plant=Measuring(), traits=Trait.REAL)
    asked = []
    robot.plant.measured = RuntimeError("bus is lost")
    robot.server.begin(lambda reading, given: asked.append(given))
    robot.periods(20)
    assert asked == []
    assert robot.session.stop & (Stop.PLANT | Stop.TORQUE_OFF) == Stop.PLANT | Stop.TORQUE_OFF
    assert robot.plant.applied == []


@pytest.mark.parametrize("armed", [False, True])
@pytest.mark.parametrize("lock_step", [False, True])
def test_reset_that_fails_stops_the_arm_and_not_the_server(rig, armed, lock_step):
    robot = rig(plant=Measuring(), lock_step=lock_step)
    client = robot.armed() if armed else robot.connect()
    robot.plant.reset_gives = RuntimeError("homing has failed")
    with pytest.raises(ProtectiveStopError, match="its drive or simulation failed"):
        client.reset()
    assert "homing has failed" in robot.server.fault
    robot.plant.reset_gives = None
    client.recover()
    client.reset()
    assert client.mode is Mode.MONITOR
    assert robot.plant.t_s <= 3 * robot.plant.dt_s


def test_reset_to_what_is_no_number_stops_the_arm_and_is_not_passed_on(rig):
    robot = rig(plant=Measuring())
    robot.armed()
    before = robot.server.reading
    robot.plant.reset_gives = lambda state: replace(state, q=np.array((np.nan, 0.0)))
    packet = robot.codec.pack_command(robot.command(flags=Flag.HOLD | Flag.RESET))
    robot.inwards.append((packet, "client 0"))
    robot.server.collect_until(robot.now_ns)
    assert robot.server.reading is before
    assert robot.server.blind
    robot.server.tick()
    assert robot.session.stop == Stop.SENSOR
    assert np.isfinite(robot.plant.applied).all()


@pytest.mark.parametrize("kind", [list, tuple, lambda numbers: np.array(numbers, dtype=np.int64)])
def test_torque_is_measured_in_any_numbers(rig, kind):
    plant = Measuring()
    plant.measured = kind((3, -2))
    robot = rig(plant=plant)
    client = robot.armed()
    np.testing.assert_array_equal(client.next_state().measured, (3.0, -2.0))
    plant.error = RuntimeError("torque is off")
    client.next_state()
    np.testing.assert_array_equal(client.next_state().applied, (3.0, -2.0))


@pytest.mark.parametrize("measured", [(1.0,), (1.0, 2.0, 3.0), 1.0, "much"])
def test_torque_of_other_joints_stops_the_arm(rig, measured):
    robot = rig(plant=Measuring())
    client = robot.armed()
    robot.plant.measured = measured
    for _ in range(3):
        client.next_state()
    assert client.stop_reason == Stop.PLANT


@pytest.mark.parametrize("wrong", [{"q": np.zeros(3)}, {"dq": np.zeros(1)}, {"q": [0.0, 0.0]}, None])
def test_reading_that_is_none_of_these_joints_stops_the_arm(rig, wrong):
    robot = rig()
    client = robot.armed()
    read = robot.plant.read
    robot.plant.read = lambda: None if wrong is None else replace(read(), **wrong)
    for _ in range(3):
        client.next_state()
    assert client.stop_reason == Stop.PLANT


@pytest.mark.parametrize("kind", [list, lambda applied: applied[:1]])
def test_applied_torque_is_taken_in_any_numbers_and_of_these_joints_alone(rig, kind):
    robot = rig()
    client = robot.armed()
    write = robot.plant.write
    robot.plant.write = lambda torque: kind(write(torque))
    for _ in range(3):
        client.next_state()
    assert client.stop_reason == (Stop(0) if kind is list else Stop.PLANT)
