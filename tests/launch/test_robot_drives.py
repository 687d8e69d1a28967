"""Real arms' adapters, served like any other robot."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sdk = pytest.importorskip("dynamixel_sdk")
sys.path.append(str(Path(__file__).parents[1] / "hardware" / "adapters"))

from dynamixel_bus import Bus  # noqa: E402 - needs the path above

from spikearm.envs.arms import load_arm  # noqa: E402
from spikearm.envs.dynamics import MujocoDynamics  # noqa: E402
from spikearm.errors import AddressError, ConfigError  # noqa: E402
from spikearm.hardware.adapters import dynamixel_port  # noqa: E402
from spikearm.hardware.adapters.dynamixel_config import DynamixelConfig  # noqa: E402
from spikearm.hardware.link.faults import FaultPlan  # noqa: E402
from spikearm.hardware.link.limits import LimitRules  # noqa: E402
from spikearm.hardware.link.link_clock import LinkClock  # noqa: E402
from spikearm.hardware.link.wire import Mode, Trait  # noqa: E402
from spikearm.launch.hardware_run import LinkConfig, connect  # noqa: E402
from spikearm.launch.robot import make_robot  # noqa: E402
from spikearm.launch.robot_config import RobotConfig  # noqa: E402


@pytest.fixture
def bus(monkeypatch):
    monkeypatch.setattr(sdk.port_handler, "LATENCY_TIMER", 150)
    monkeypatch.setattr(dynamixel_port, "_ANSWER_SHARE", 30.0)
    bus = Bus(dt_s=0.01)
    yield bus
    bus.close()


def settings(bus, folder: Path, **changes) -> RobotConfig:
    servos = DynamixelConfig(servo_port=bus.port, servo_limit_a=30.0, servo_baudrate=1_000_000)
    fields = {"arm": "planar2", "drive": "dynamixel", "dynamixel": servos, "control_dt_s": 0.01}
    fields |= {"acknowledge_real_arm": True}
    return RobotConfig(**{**fields, "listen": f"unix:{folder}/arm.sock", **changes})


def test_servos_are_served_held_and_let_go(bus, served, short_path):
    link = LinkConfig(robot=f"unix:{short_path}/arm.sock")
    start = bus.plant.read().q
    with served(settings(bus, short_path)):
        with connect(link, load_arm("planar2")) as plant:
            assert plant.traits == Trait.REAL
            with pytest.raises(ConfigError, match="this robot is real"):
                plant.arm()
            clock = LinkClock(plant, arm=False)
            for _ in range(100):
                clock.wait()
                plant.write(np.zeros(2))
            assert plant.mode is Mode.MONITOR
        np.testing.assert_allclose(bus.plant.read().q, start, atol=0.05)
    assert [servo.table[64] for servo in bus.servos.values()] == [0, 0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lock_step": True}, "a real arm does not wait"),
        ({"acknowledge_real_arm": False}, "held by torque as soon as it is served.*--acknowledge-real-arm"),
        ({"faults": FaultPlan(drop=0.1)}, "faults are for simulated arms"),
        ({"arm": "planar3"}, "has 3 joints, but servo_ids names 2 servos"),
    ],
)
def test_settings_that_do_not_fit_are_refused(bus, short_path, change, said):
    with pytest.raises(ConfigError, match=said):
        make_robot(settings(bus, short_path, **change))


def test_real_arm_is_not_served_where_every_user_could_command_it(bus, short_path):
    with pytest.raises(AddressError, match="every user of this machine could command a real arm"):
        make_robot(settings(bus, short_path, listen="udp://127.0.0.1:0"))


def test_first_hold_of_a_real_arm_begins_without_torque_and_within_reduced_limits(bus, short_path):
    with make_robot(settings(bus, short_path)) as robot:
        robot.server.tick()
        torque = robot.session.applied
        assert np.abs(torque).max() == pytest.approx(10.0)  # 1000 N m/s at 100 Hz
        full = MujocoDynamics(load_arm("planar2")).torque_limits
        clamped = robot.session._limits.clip(np.full(2, 1e6))
    np.testing.assert_allclose(clamped, np.minimum(0.5 * full, 30.0 * 1.78))


@pytest.mark.parametrize("share", [None, 1.0])
def test_arm_that_its_servos_cannot_carry_is_not_served(bus, short_path, share):
    weak = DynamixelConfig(servo_port=bus.port, servo_limit_a=1.0, servo_baudrate=1_000_000)
    config = settings(bus, short_path, dynamixel=weak, limits=LimitRules(torque_share=share))
    said = r"takes 2.\.\d* N m at joint 0, and its drive gives 1\.780 N m at most.*--servo-limit-a"
    with pytest.raises(ConfigError, match=said):
        make_robot(config)
    assert [servo.table[64] for servo in bus.servos.values()] == [0, 0]


def test_limit_of_the_servos_holds_where_it_is_the_smaller_one(bus, short_path):
    servos = DynamixelConfig(servo_port=bus.port, servo_limit_a=15.0, servo_baudrate=1_000_000)
    with make_robot(settings(bus, short_path, dynamixel=servos)) as robot:
        clamped = robot.session._limits.clip(np.full(2, 1e6))
    full = MujocoDynamics(load_arm("planar2")).torque_limits
    np.testing.assert_allclose(clamped, np.minimum(15.0 * 1.78, 0.5 * full))


def test_servos_that_are_to_end_before_their_first_tick_stay_off(bus, short_path):
    enabled = []
    for servo in bus.servos.values():

        def remember(address, data, take=servo.set):
            if address == 64:
                enabled.append(data[0])
            return take(address, data)

        servo.set = remember
    with make_robot(settings(bus, short_path)) as robot:
        robot.serve(lambda: False, on_stop=id)
    assert set(enabled) == {0}


def test_missing_sdk_is_said(bus, short_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dynamixel_sdk", None)
    monkeypatch.delitem(sys.modules, "spikearm.hardware.adapters.dynamixel", raising=False)
    with pytest.raises(ConfigError, match=r"pip install .spikearm\[dynamixel\]"):
        make_robot(settings(bus, short_path))
