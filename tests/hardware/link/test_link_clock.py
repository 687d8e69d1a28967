"""The robot's period as a loop's clock, and what is said of it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from spikearm.hardware.link.link_clock import LinkClock
from spikearm.hardware.link.statistics import LinkStatistics
from spikearm.hardware.link.wire import Mode, Stop


class Told:
    """A robot whose states come when they are told to."""

    lock_step = False

    def __init__(self, numbers: list[int], period_s: float) -> None:
        self.statistics = LinkStatistics()
        self._numbers, self._period_s = iter(numbers), period_s

    def catch_up(self) -> None:
        next(self._numbers)

    def next_state(self) -> SimpleNamespace:
        number = next(self._numbers)
        self.statistics.taken_ns = round(1e9 * self._period_s * number)
        return SimpleNamespace(sequence=number, dt_s=1e-3)


def test_period_is_measured_and_not_assumed():
    """A robot that says 1 ms and takes 1.03 ms, and loses a state now and then."""
    numbers = [k for k in range(2, 1000) if k % 100]
    robot = Told(numbers, 1.03e-3)
    clock = LinkClock(robot, arm=False)
    clock.start()
    for _ in numbers[1:]:
        clock.wait()
    error = robot.statistics.document()["period_error_s"]
    assert error["p50"] == pytest.approx(30e-6, rel=0.1)
    assert error["max"] == pytest.approx(60e-6, rel=0.1)


@pytest.mark.parametrize(("arm", "n_loops"), [(False, 1), (False, 2), (True, 1)])
def test_states_that_came_before_a_loop_say_nothing_of_the_period(rig, arm, n_loops):
    """While its path was planned: they are taken all at once."""
    robot = rig()
    plant = robot.connect()
    for _ in range(n_loops):
        robot.periods(90)
        robot.now_ns += 300_000  # the grid of the robot is not that of who begins late
        clock = LinkClock(plant, arm=arm)
        clock.start()
        for _ in range(5):
            clock.wait()
            plant.write(np.zeros(2))
    assert plant.mode is (Mode.COMMAND_ACTIVE if arm else Mode.MONITOR)
    error = plant.statistics.document()["period_error_s"]
    assert error["max"] is not None
    assert error["max"] < 50e-6


def test_robot_that_stopped_can_be_looked_at(rig):
    robot = rig()
    plant = robot.connect()
    robot.session.protect(Stop.CLIENT)
    robot.periods(30)
    clock = LinkClock(plant, arm=False)
    clock.start()
    clock.wait()
    assert plant.mode is Mode.STOPPED
    assert plant.read().t_s == pytest.approx(robot.plant.t_s, abs=2e-3)


@pytest.mark.parametrize("arm", [False, True])
def test_lock_step_has_no_period(rig, arm):
    plant = rig(lock_step=True).connect()
    clock = LinkClock(plant, arm=arm)
    clock.start()
    for _ in range(5):
        assert clock.wait() == 0.0
        plant.write(np.zeros(2))
    assert set(plant.statistics.document()["period_error_s"].values()) == {None}
