"""Ctrl-C in every phase of a run on a robot: nothing is armed after it, the arm is left to its own hold."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikearm.controller.ticklog import read_ticks
from spikearm.errors import LinkError
from spikearm.hardware.link.conversation import Conversation
from spikearm.hardware.link.remote_plant import RemotePlant
from spikearm.hardware.link.wire import Mode, Stop
from spikearm.launch import hardware_run
from spikearm.launch.config import RunConfig
from spikearm.launch.hardware_run import LinkConfig, execute_on_robot
from spikearm.launch.robot import Robot
from spikearm.launch.robot_config import RobotConfig

RUN = RunConfig(controller="osc", trials=1, duration_s=0.25, distance_m=0.02)


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def at_call(monkeypatch, owner: type, name: str, number: int = 1) -> None:
    """Ctrl-C when a method is called for the nth time."""
    calls, method = [], getattr(owner, name)

    def interrupted(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == number:
            ctrl_c()
        return method(self, *args, **kwargs)

    monkeypatch.setattr(owner, name, interrupted)


def at_tick(monkeypatch, *ticks: int) -> None:
    """Ctrl-C in some ticks."""
    on_tick = hardware_run._Outcome.on_tick

    def interrupted(outcome, record):
        on_tick(outcome, record)
        if outcome.n_ticks in ticks:
            ctrl_c()

    monkeypatch.setattr(hardware_run._Outcome, "on_tick", interrupted)


@pytest.fixture
def robot(served, short_path) -> Iterator[Robot]:
    """A robot in lock step, in a thread."""
    with served(RobotConfig(listen=f"unix:{short_path}/arm.sock", lock_step=True)) as robot:
        yield robot


def run_on(robot: Robot, folder: Path, **options):
    run = dataclasses.replace(RUN, out=folder / "runs")
    return execute_on_robot(run, LinkConfig(robot=robot.config.listen, **options))


def assert_left_to_its_hold(robot: Robot) -> None:
    assert robot.session.mode in (Mode.IDLE, Mode.STOPPED)
    assert robot.session.moved_by == 0
    assert robot.session.peer is None


@pytest.mark.parametrize("options", [{}, {"monitor": True}], ids=["reach", "monitoring"])
def test_ctrl_c_while_it_runs(robot, short_path, monkeypatch, options):
    at_tick(monkeypatch, 50)
    summary, folder = run_on(robot, short_path, **options)
    assert_left_to_its_hold(robot)
    assert (summary["link"]["ended"], summary["n_ticks"]) == ("interrupted", 50)
    assert read_ticks(folder).num_rows == 50


def test_ctrl_c_on_the_way_to_the_path(robot, short_path, monkeypatch):
    at_tick(monkeypatch, 50)
    robot.plant._q0 = robot.plant._q0 + 0.1
    robot.server.reading = robot.plant.reset()
    robot.session.place(robot.server.reading)
    summary, folder = run_on(robot, short_path)
    assert_left_to_its_hold(robot)
    assert (summary["link"]["ended"], summary["n_ticks"]) == ("interrupted", 50)
    assert read_ticks(folder)["position_error_m"].to_numpy().max() < 0.02  # not the first reach, 0.1 rad away


def test_second_ctrl_c_ends_at_once_and_still_says_goodbye(robot, short_path, monkeypatch):
    at_tick(monkeypatch, 50)
    at_call(monkeypatch, RemotePlant, "close", 2)  # the second one, while the first is obeyed
    with pytest.raises(KeyboardInterrupt):
        run_on(robot, short_path)
    wait_until(lambda: robot.session.moved_by == 0 and robot.session.peer is None)
    assert_left_to_its_hold(robot)


def test_ctrl_c_in_a_protective_stop_recovers_nothing(robot, short_path, monkeypatch):
    recovered = []
    monkeypatch.setattr(hardware_run, "_recover", lambda *_: recovered.append(1))
    protect = robot.session.protect
    move, n_moves = robot.server._move, []

    def stopping(torque):
        move(torque)
        n_moves.append(1)
        if len(n_moves) == 100:
            protect(Stop.MISSED_IN_A_ROW)
            ctrl_c()

    robot.server._move = stopping
    summary, _ = run_on(robot, short_path, recoveries=5)
    assert robot.session.stop == Stop.MISSED_IN_A_ROW
    assert_left_to_its_hold(robot)
    assert (summary["link"]["ended"], recovered) == ("interrupted", [])


@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_in_a_recovery_arms_nothing(robot, short_path, monkeypatch, when):
    recover, arm, armed = RemotePlant.recover, RemotePlant.arm, []

    def interrupted(plant):
        if when == "before":
            ctrl_c()
        recover(plant)
        if when == "after":
            ctrl_c()

    monkeypatch.setattr(RemotePlant, "recover", interrupted)
    monkeypatch.setattr(RemotePlant, "arm", lambda plant: (armed.append(1), arm(plant)))
    move, n_moves = robot.server._move, []

    def stopping(torque):
        move(torque)
        n_moves.append(1)
        if len(n_moves) == 100:
            robot.session.protect(Stop.MISSED_IN_A_ROW)

    robot.server._move = stopping
    summary, _ = run_on(robot, short_path, recoveries=5)
    assert_left_to_its_hold(robot)
    assert (summary["link"]["ended"], len(armed)) == ("interrupted", 1)


def test_ctrl_c_while_it_looks_at_the_robot(robot, short_path, monkeypatch):
    at_call(monkeypatch, Conversation, "send")
    with pytest.raises(KeyboardInterrupt):
        run_on(robot, short_path)
    assert robot.session.mode in (Mode.IDLE, Mode.MONITOR)
    assert robot.session.moved_by == 0
    assert not (short_path / "runs").exists()


@pytest.mark.parametrize(("method", "number", "n_armed"), [("_join", 2, 0), ("until", 1, 1)])
def test_ctrl_c_before_the_first_tick(robot, short_path, monkeypatch, method, number, n_armed):
    """While it joins the robot, and while the robot waits for commands in time."""
    arm, armed = RemotePlant.arm, []
    monkeypatch.setattr(RemotePlant, "arm", lambda plant: (armed.append(1), arm(plant)))
    at_call(monkeypatch, Conversation, method, number)
    with pytest.raises(LinkError, match="interrupted before the robot was joined"):
        run_on(robot, short_path)
    assert_left_to_its_hold(robot)
    assert len(armed) == n_armed
    assert list((short_path / "runs").iterdir()) == []  # no folder that holds nothing


def test_ctrl_c_while_nobody_answers(process):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"udp://127.0.0.1:{deaf.getsockname()[1]}"
        words = ("--robot", address, "--connect-s", 60, "--controller", "osc", "--trials", 1)
        with process("hardware", "run", *words) as client:
            deaf.settimeout(60.0)
            deaf.recv(1000)  # its first hello
            client.send_signal(signal.SIGINT)
            _, err = client.communicate(timeout=20)
    assert client.returncode == 1
    assert "Traceback" not in err
    assert re.search("interrupted", err, re.IGNORECASE)


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def at_connection(monkeypatch, number: int) -> None:
    """Ctrl-C when the robot is joined: first for its kind, then by the first loop, then by its recovery."""
    connect, joined = hardware_run.connect, []

    def interrupted(*args):
        joined.append(args)
        if len(joined) == number:
            ctrl_c()
        return connect(*args)

    monkeypatch.setattr(hardware_run, "connect", interrupted)


def test_robot_is_not_armed_after_it(robot, short_path, monkeypatch):
    at_connection(monkeypatch, 2)
    with pytest.raises(LinkError, match="interrupted before the robot was joined"):
        run_on(robot, short_path)
    assert robot.session.mode is Mode.IDLE


def test_robot_is_not_recovered_after_it(robot, short_path, monkeypatch):
    on_tick = hardware_run._Outcome.on_tick
    at_connection(monkeypatch, 3)

    def stopped(outcome, record):
        on_tick(outcome, record)
        if outcome.n_ticks == 50:
            robot.session.protect(Stop.MISSED_IN_A_ROW)

    monkeypatch.setattr(hardware_run._Outcome, "on_tick", stopped)
    summary, _ = run_on(robot, short_path, recoveries=5)
    assert (summary["link"]["ended"], summary["interrupted"]) == ("interrupted", True)
    assert robot.session.stop == Stop.MISSED_IN_A_ROW
