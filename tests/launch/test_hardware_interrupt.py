"""Ctrl-C while a robot is joined, before it is armed or recovered."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from spikearm.errors import LinkError
from spikearm.hardware.link.wire import Mode, Stop
from spikearm.launch import hardware_run
from spikearm.launch.config import RunConfig
from spikearm.launch.hardware_run import LinkConfig, execute_on_robot
from spikearm.launch.robot import make_robot
from spikearm.launch.robot_config import RobotConfig


@pytest.fixture
def robot(short_path):
    """A robot in lock step, in a thread."""
    done = threading.Event()
    with make_robot(RobotConfig(listen=f"unix:{short_path}/arm.sock", lock_step=True)) as robot:
        thread = threading.Thread(target=lambda: robot.serve(lambda: not done.is_set(), on_stop=id))
        thread.start()
        try:
            yield robot
        finally:
            done.set()
            thread.join()


@pytest.fixture
def run(short_path):
    return RunConfig(trials=1, duration_s=0.25, distance_m=0.02, controller="osc", out=short_path / "runs")


def interrupt_at(monkeypatch, n_joined: int) -> None:
    """Ctrl-C when the robot is joined: first for its kind, then by the first loop, then by its recovery."""
    connect, joined = hardware_run.connect, []

    def interrupted(*args):
        joined.append(args)
        if len(joined) == n_joined:
            os.kill(os.getpid(), signal.SIGINT)
        return connect(*args)

    monkeypatch.setattr(hardware_run, "connect", interrupted)


def test_robot_is_not_armed_after_an_interrupt(robot, run, monkeypatch):
    interrupt_at(monkeypatch, 2)
    with pytest.raises(LinkError, match="interrupted before the robot was joined"):
        execute_on_robot(run, LinkConfig(robot=robot.config.listen))
    assert robot.session.mode is Mode.IDLE


def test_robot_is_not_recovered_after_an_interrupt(robot, run, monkeypatch):
    on_tick = hardware_run._Outcome.on_tick

    def stopped(outcome, record):
        on_tick(outcome, record)
        if outcome.n_ticks == 50:
            robot.session.protect(Stop.MISSED_IN_A_ROW)

    monkeypatch.setattr(hardware_run._Outcome, "on_tick", stopped)
    interrupt_at(monkeypatch, 3)
    summary, _ = execute_on_robot(run, LinkConfig(robot=robot.config.listen, recoveries=5))
    assert (summary["link"]["ended"], summary["interrupted"]) == ("interrupted", True)
    assert robot.session.stop == Stop.MISSED_IN_A_ROW
