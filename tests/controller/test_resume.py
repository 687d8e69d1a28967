from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fake_plant import UPRIGHT, short_schedule

from spikearm.controller.path import LEADING, Schedule
from spikearm.controller.resume import resumed
from spikearm.errors import ConfigError
from spikearm.records import Pose

FOUND = Pose(np.array((0.02, -0.03, 0.01)), UPRIGHT)
HOME = np.array((0.5, -1.0))


def with_joints(schedule: Schedule) -> Schedule:
    targets = tuple(
        dataclasses.replace(t, q=t.pose.position[:2], dq=t.velocity[:2], ddq=t.acceleration[:2])
        for t in schedule
    )
    return dataclasses.replace(schedule, targets=targets)


def test_way_back_starts_where_the_arm_is_and_at_rest():
    schedule = resumed(short_schedule(), 70, pose=FOUND, q=np.zeros(2), posture=HOME, duration_s=0.2)
    first = schedule[0]
    np.testing.assert_array_equal(first.pose.position, FOUND.position)
    np.testing.assert_array_equal(first.velocity, 0.0)


def test_interrupted_reach_is_done_again_from_its_start():
    before = short_schedule()
    schedule = resumed(before, 70, pose=FOUND, q=np.zeros(2), posture=HOME, duration_s=0.2)
    assert before.reach_index[70] == 1
    start = before.reach_index.index(1)
    assert len(schedule) == 200 + len(before) - start
    assert schedule.targets[200:] == before.targets[start:]
    assert schedule.reach_index[200:] == before.reach_index[start:]


def test_way_to_a_reach_is_part_of_none():
    schedule = resumed(short_schedule(), 70, pose=FOUND, q=np.zeros(2), posture=HOME, duration_s=0.2)
    assert schedule.reach_index[:200] == (LEADING,) * 200
    assert LEADING not in schedule.reach_index[200:]


def test_no_target_jumps():
    schedule = resumed(
        with_joints(short_schedule()), 70, pose=FOUND, q=np.array((0.02, -0.03)), posture=HOME, duration_s=0.2
    )
    position = np.array([t.pose.position for t in schedule])
    velocity = np.array([t.velocity[:3] for t in schedule])
    q, dq = np.array([t.q for t in schedule]), np.array([t.dq for t in schedule])
    speed = np.abs(velocity).max()
    assert np.abs(np.diff(position, axis=0)).max() <= 1.01e-3 * speed
    np.testing.assert_allclose(q, position[:, :2], atol=1e-12)
    np.testing.assert_allclose(dq, velocity[:, :2], atol=1e-12)
    np.testing.assert_allclose(q[0], (0.02, -0.03))


@pytest.mark.parametrize("tick", [0, 100, 199, 250])
def test_second_stop_in_the_same_reach_leads_back_to_the_same_place(tick):
    """Whether it came on the way back or after it."""
    before = short_schedule()
    once = resumed(before, 70, pose=FOUND, q=np.zeros(2), posture=HOME, duration_s=0.2)
    elsewhere = Pose(np.array((0.05, 0.0, 0.0)), UPRIGHT)
    twice = resumed(once, tick, pose=elsewhere, q=np.zeros(2), posture=HOME, duration_s=0.2)
    assert twice.n_leading == 200
    assert len(twice) == len(once)
    assert twice.targets[200:] == once.targets[200:]
    assert twice.reach_index == once.reach_index
    np.testing.assert_array_equal(twice[0].pose.position, elsewhere.position)


@pytest.mark.parametrize("tick", [-1, 200])
def test_tick_outside_the_schedule_is_refused(tick):
    with pytest.raises(ConfigError, match=f"tick must be from 0 to 199, the schedule's last; got {tick}"):
        resumed(short_schedule(), tick, pose=FOUND, q=np.zeros(2), posture=HOME)


def test_free_joints_are_drawn_along_the_way_from_where_they_are_to_their_posture():
    found = np.array((1.0, 0.0))
    before = short_schedule()
    schedule = resumed(before, 70, pose=FOUND, q=found, posture=HOME, duration_s=0.2)
    postures = np.array([target.posture for target in schedule.targets[:200]])
    np.testing.assert_array_equal(postures[0], found)
    np.testing.assert_allclose(postures[100], 0.5 * (found + HOME))
    np.testing.assert_allclose(postures[-1], HOME, atol=1e-4)
    assert np.abs(np.diff(postures, axis=0)).max() < 1.01e-3 * 15.0 / 8.0 * 1.0 / 0.2
    assert all(target.posture is None for target in schedule.targets[200:])
    assert [target.leading for target in schedule] == [reach == LEADING for reach in schedule.reach_index]
