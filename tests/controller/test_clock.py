import math

import pytest

from spikearm.controller.clock import FreeRunning, RealTime
from spikearm.errors import ConfigError


class SimulatedTime:
    """A monotonic clock that moves only when somebody sleeps, works or asks for the time."""

    def __init__(self, oversleep_s: float = 0.0, look_s: float = 1e-6) -> None:
        self.now_s, self.oversleep_s, self.look_s = 100.0, oversleep_s, look_s
        self.slept_s: list[float] = []

    def now(self) -> float:
        self.now_s += self.look_s
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.slept_s.append(duration_s)
        self.now_s += duration_s + self.oversleep_s

    def clock(self, **arguments) -> RealTime:
        return RealTime(1e-3, now=self.now, sleep=self.sleep, **arguments)


def test_free_running_never_waits_and_is_never_late():
    clock = FreeRunning()
    clock.start()
    assert [clock.wait() for _ in range(3)] == [0.0, 0.0, 0.0]


def test_real_time_keeps_the_grid():
    time = SimulatedTime(oversleep_s=5e-5)
    clock = time.clock()
    clock.start()
    began = time.now_s
    for tick in range(1000):
        lateness_s = clock.wait()
        assert time.now_s == pytest.approx(began + tick * 1e-3, abs=3e-6)
        assert 0.0 <= lateness_s < 3e-6
        time.now_s += 4e-4  # work
    assert clock.slipped_s == 0.0


def test_real_time_sleeps_most_of_the_wait_and_spins_the_rest():
    time = SimulatedTime()
    clock = time.clock(spin_s=2e-4)
    clock.start()
    clock.wait()
    clock.wait()
    assert time.slept_s == [pytest.approx(8e-4, abs=5e-6)]


def test_oversleeping_is_lateness():
    time = SimulatedTime(oversleep_s=5e-4)
    clock = time.clock(spin_s=2e-4)
    clock.start()
    clock.wait()
    assert clock.wait() == pytest.approx(3e-4, abs=5e-6)


def test_late_tick_is_caught_up_within_a_period():
    time = SimulatedTime()
    clock = time.clock()
    clock.start()
    began = time.now_s
    clock.wait()
    time.now_s += 1.6e-3  # one tick of work that takes too long
    assert clock.wait() == pytest.approx(6e-4, abs=5e-6)
    assert clock.wait() < 5e-6
    assert time.now_s == pytest.approx(began + 2e-3, abs=5e-6)
    assert clock.slipped_s == 0.0


def test_stall_moves_the_grid_instead_of_firing_a_burst():
    time = SimulatedTime()
    clock = time.clock()
    clock.start()
    clock.wait()
    time.now_s += 0.5
    assert clock.wait() == pytest.approx(0.499, abs=5e-6)
    after_stall = time.now_s
    assert clock.wait() < 5e-6
    assert time.now_s == pytest.approx(after_stall + 1e-3, abs=5e-6)
    assert clock.slipped_s == pytest.approx(0.499, abs=5e-6)


def test_start_forgets_the_grid_before():
    time = SimulatedTime()
    clock = time.clock()
    clock.start()
    clock.wait()
    time.now_s += 0.5
    clock.wait()
    time.now_s += 10.0
    clock.start()
    assert clock.wait() < 5e-6
    assert clock.slipped_s == 0.0


@pytest.mark.parametrize("period_s", [0.0, -1e-3, math.nan, math.inf])
def test_impossible_period_is_refused(period_s):
    with pytest.raises(ConfigError, match="period_s must be a positive number of seconds"):
        RealTime(period_s)
