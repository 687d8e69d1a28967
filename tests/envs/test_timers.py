"""MuJoCo's timers: stopped when an arm is compiled, unless somebody wants them."""

import time

import mujoco
import pytest

from spikearm.envs.arms import ARMS
from spikearm.envs.mjcf import compile_arm
from spikearm.envs.timers import stop_timers

STEP = int(mujoco.mjtTimer.mjTIMER_STEP)


@pytest.fixture
def clock():
    """Gives MuJoCo another clock, and takes it away again."""
    before = mujoco.get_mjcb_time()
    yield mujoco.set_mjcb_time
    mujoco.set_mjcb_time(before)


def time_of_steps():
    arm = ARMS["planar2"]
    model = compile_arm(arm.path, ee_site=arm.ee_site).model
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, 10)
    assert data.timer[STEP].number == 10
    return data.timer[STEP].duration


def test_compiled_arm_does_not_read_the_clock():
    assert time_of_steps() == 0.0


def test_users_clock_stays(clock):
    clock(time.perf_counter)
    stop_timers.__wrapped__()
    assert time_of_steps() > 0.0


def test_timers_count_again_when_asked_to(clock):
    assert time_of_steps() == 0.0
    clock(time.perf_counter)
    assert time_of_steps() > 0.0
