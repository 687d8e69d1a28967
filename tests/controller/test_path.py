import math

import numpy as np
import pytest
from fake_plant import UPRIGHT

from spikearm.controller.orientation import from_rotation_vector, multiply, rotation_error
from spikearm.controller.path import Reach, ReachSequence, minimum_jerk, out_and_back, sample
from spikearm.errors import ConfigError
from spikearm.records import Pose


@pytest.fixture
def reach(rng):
    start = Pose(rng.normal(size=3), from_rotation_vector(rng.normal(size=3)))
    goal = Pose(rng.normal(size=3), from_rotation_vector(rng.normal(size=3)))
    return Reach(start, goal, 0.8)


def test_minimum_jerk_matches_its_finite_differences():
    h = 1e-5
    for t_s in np.linspace(0.01, 0.79, 40):
        _, ds, dds = minimum_jerk(t_s, 0.8)
        before, after = minimum_jerk(t_s - h, 0.8), minimum_jerk(t_s + h, 0.8)
        assert ds == pytest.approx((after[0] - before[0]) / (2 * h), abs=1e-7)
        assert dds == pytest.approx((after[1] - before[1]) / (2 * h), abs=1e-6)


def test_minimum_jerk_has_no_less_jerky_rival():
    # Any admissible variation (zero to second order at both ends) raises the integral of squared jerk.
    t = np.linspace(0.0, 1.0, 2001)
    position = np.array([minimum_jerk(x, 1.0)[0] for x in t])
    variation = (t * (1 - t)) ** 3

    def cost(p):
        jerk = np.diff(p, 3) / (t[1] - t[0]) ** 3
        return float(np.mean(jerk**2))

    for size in (-0.5, -0.1, 0.1, 0.5):
        assert cost(position + size * variation) > cost(position)


def test_reach_velocity_and_acceleration_match_finite_differences(reach):
    h = 1e-5
    for t_s in np.linspace(0.02, 0.78, 20):
        before, now, after = reach.target(t_s - h), reach.target(t_s), reach.target(t_s + h)
        linear = (after.pose.position - before.pose.position) / (2 * h)
        angular = rotation_error(before.pose.quaternion, after.pose.quaternion) / (2 * h)
        np.testing.assert_allclose(now.velocity, np.concatenate((linear, angular)), atol=1e-7)
        np.testing.assert_allclose(now.acceleration, (after.velocity - before.velocity) / (2 * h), atol=1e-6)


@pytest.mark.parametrize(("t_s", "end"), [(-1.0, "start"), (0.0, "start"), (0.8, "goal"), (5.0, "goal")])
def test_reach_holds_still_at_and_beyond_its_ends(reach, t_s, end):
    target, pose = reach.target(t_s), getattr(reach, end)
    np.testing.assert_allclose(target.pose.position, pose.position, atol=1e-15)
    np.testing.assert_allclose(
        rotation_error(target.pose.quaternion, pose.quaternion), np.zeros(3), atol=1e-14
    )
    np.testing.assert_array_equal(target.velocity, np.zeros(6))
    np.testing.assert_array_equal(target.acceleration, np.zeros(6))


def test_reach_turns_the_short_way(rng):
    goal = -multiply(from_rotation_vector(np.array((0.0, 0.0, 0.5))), UPRIGHT)
    reach = Reach(Pose(np.zeros(3), UPRIGHT), Pose(np.zeros(3), goal), 1.0)
    # 15/8 is the peak of the profile's velocity, half way.
    np.testing.assert_allclose(reach.target(0.5).velocity[3:], (0.0, 0.0, 0.5 * 15 / 8), atol=1e-12)


def test_out_and_back_is_continuous_across_reaches():
    path = out_and_back(Pose(np.ones(3), UPRIGHT), np.array((0, 3.0, 4.0)), 0.2, n_reaches=3, duration_s=0.8)
    assert path.duration_s == pytest.approx(2.4)
    for boundary in (0.8, 1.6):
        before, after = path.target(boundary - 1e-7), path.target(boundary + 1e-7)
        np.testing.assert_allclose(before.pose.position, after.pose.position, atol=1e-12)
        np.testing.assert_allclose(before.velocity, after.velocity, atol=1e-9)
        np.testing.assert_allclose(before.acceleration, after.acceleration, atol=1e-4)
    far = path.target(0.8).pose.position
    np.testing.assert_allclose(far - np.ones(3), 0.2 * np.array((0.0, 0.6, 0.8)), atol=1e-12)
    np.testing.assert_allclose(path.target(1.6).pose.position, np.ones(3), atol=1e-12)
    np.testing.assert_allclose(path.target(9.9).pose.position, far, atol=1e-12)


@pytest.mark.parametrize("control_dt_s", [0.001, 0.002, 0.0025, 1 / 300])
def test_schedule_gives_every_reach_the_same_number_of_ticks(control_dt_s):
    path = out_and_back(Pose(np.zeros(3), UPRIGHT), np.array((1.0, 0, 0)), 0.2, n_reaches=7, duration_s=0.8)
    schedule = sample(path, control_dt_s)
    per_reach = round(0.8 / control_dt_s)
    assert len(schedule) == 7 * per_reach
    assert np.bincount(schedule.reach_index).tolist() == [per_reach] * 7


def test_schedule_samples_the_path_at_every_tick_and_holds_after_it(reach):
    schedule = sample(reach, 0.01, n_ticks=100)
    for tick in (0, 17, 79, 80, 99):
        expected = reach.target(tick * 0.01)
        np.testing.assert_array_equal(schedule[tick].pose.position, expected.pose.position)
        np.testing.assert_array_equal(schedule[tick].velocity, expected.velocity)


def test_sequence_refuses_a_gap(reach):
    with pytest.raises(ConfigError, match=r"reach 1 starts .* m and .* rad away from the goal of reach 0"):
        ReachSequence((reach, reach))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"direction": np.zeros(3)}, "direction must be three finite numbers"),
        ({"distance_m": 0.0}, "distance_m must be a positive number of metres"),
        ({"n_reaches": 0}, "n_reaches must be at least 1"),
        ({"duration_s": math.nan}, "a reach needs a positive number of seconds, not nan"),
        ({"start": Pose(np.full(3, np.nan), UPRIGHT)}, "start position must be three finite numbers"),
        ({"start": Pose(np.zeros(3), np.full(4, np.nan))}, "start quaternion must be of length 1"),
        ({"start": Pose(np.zeros(3), 2 * UPRIGHT)}, "start quaternion must be of length 1"),
    ],
)
def test_out_and_back_refuses_what_it_cannot_do(arguments, text):
    given = {
        "start": Pose(np.zeros(3), UPRIGHT),
        "direction": np.array((1.0, 0.0, 0.0)),
        "distance_m": 0.2,
        "n_reaches": 2,
        "duration_s": 0.8,
    } | arguments
    with pytest.raises(ConfigError, match=text):
        out_and_back(given.pop("start"), given.pop("direction"), given.pop("distance_m"), **given)


@pytest.mark.parametrize(("dt_s", "n"), [(0.0, 5), (math.inf, 5), (0.001, 0)])
def test_sample_refuses_impossible_ticks(reach, dt_s, n):
    with pytest.raises(ConfigError, match=r"control_dt_s must be|at least one tick"):
        sample(reach, dt_s, n)
