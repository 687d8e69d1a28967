"""An arm is looked at, and given nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.launch import robot_look


@pytest.fixture
def bus(monkeypatch):
    sdk = pytest.importorskip("dynamixel_sdk")
    sys.path.append(str(Path(__file__).parents[1] / "hardware" / "adapters"))
    from dynamixel_bus import Bus

    monkeypatch.setattr(sdk.port_handler, "LATENCY_TIMER", 150)
    from spikearm.hardware.adapters import dynamixel_port

    monkeypatch.setattr(dynamixel_port, "_ANSWER_SHARE", 30.0)
    bus = Bus(dt_s=0.01)
    yield bus
    bus.close()


@pytest.fixture
def look(spikearm, bus):
    words = ("--drive", "dynamixel", "--arm", "planar2", "--servo-port", bus.port, "--duration-s", 1.5)
    words += ("--servo-baudrate", 1_000_000, "--control-dt-s", 0.01, "--json")
    return lambda *more: spikearm("robot", "look", *words, *more)


def noting(set_, enabled):
    """Keeps what a servo's torque enable is set to."""

    def noted(address: int, data: bytes) -> int:
        if address == 64:
            enabled.append(data[0])
        return set_(address, data)

    return noted


def test_servos_are_read_and_never_given_torque(look, bus):
    enabled = []
    for servo in bus.servos.values():
        servo.set = noting(servo.set, enabled)
    ended = look("--acknowledge-real-arm")
    assert ended.code == 0
    document = ended.document
    np.testing.assert_allclose(document["q_rad"], bus.plant.read().q, atol=0.2)
    assert (np.array(document["q_lowest_rad"]) <= document["q_rad"]).all()
    dynamics = MujocoDynamics(load_arm("planar2"))
    dynamics.update(np.array(document["q_rad"]), np.zeros(2))
    np.testing.assert_allclose(document["weight_by_model_nm"], dynamics.bias())
    assert document["joints_outside_their_range"] == []
    assert enabled
    assert not any(enabled)
    assert ended.err.count("┃ weight") == 2  # at once, and after a second
    assert "┃ measured" in ended.err
    assert "simulated" not in ended.err


def test_arm_is_read_once_however_soon_it_ends(spikearm):
    ended = spikearm("robot", "look", "--arm", "planar2", "--duration-s", 1e-9, "--json")
    assert ended.code == 0
    assert ended.document["q_lowest_rad"] == ended.document["q_highest_rad"] == ended.document["q_rad"]


def test_simulated_arm_is_shown_once(spikearm, monkeypatch):
    monkeypatch.setattr(robot_look, "_SHOWN_EVERY_S", 1e-3)
    ended = spikearm("robot", "look", "--arm", "planar2", "--duration-s", 0.2)
    assert ended.code == 0
    assert ended.err.count("┃ weight") == 1


def test_simulated_arm_says_why_nothing_moves_and_shows_no_torque_it_does_not_measure(spikearm):
    ended = spikearm("robot", "look", "--arm", "planar2", "--duration-s", 1e-9, "--json")
    assert "a simulated planar2, which stands still at its home and measures no torque" in ended.complaint
    assert "┃ weight" in ended.err
    assert "┃ measured" not in ended.err
    assert "-0.00" not in ended.err
    assert ended.document["torque_measured_nm"] is None


def test_arm_that_may_sink_is_opened_only_if_somebody_says_so(look):
    ended = look()
    assert ended.code == 2
    assert "Support it, and say so with --acknowledge-real-arm" in ended.complaint


def test_joint_outside_its_range_is_named(spikearm, monkeypatch):
    ranges = np.array(((0.5, 1.0), (-3.0, 3.0)))
    monkeypatch.setattr(MujocoDynamics, "joint_ranges", property(lambda _: ranges))
    ended = spikearm("robot", "look", "--arm", "planar2", "--duration-s", 0.05, "--json")
    assert ended.document["joints_outside_their_range"] == [0]
    assert "0 outside" in ended.err


def test_time_has_to_pass(spikearm):
    ended = spikearm("robot", "look", "--duration-s", 0)
    assert (ended.code, "duration_s must be a positive number" in ended.complaint) == (2, True)
