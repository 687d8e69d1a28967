"""The reward is what the data sheet says, and the same for one goal and for many."""

import numpy as np
import pytest

from spikearm.envs.gym.wrappers.energy_cost import EnergyCost
from spikearm.errors import ConfigError

WEIGHTS = {"distance": 2.0, "success": 3.0, "action": 0.5, "energy": 0.25}


def steps(env, n, seed=0):
    env.action_space.seed(seed)
    env.reset(seed=seed)
    for _ in range(n):
        action = env.action_space.sample()
        yield action, *env.step(action)


def test_dense_reward_is_the_sum_of_its_terms(make):
    env = make(arm="planar2", reward_weights=WEIGHTS, success_radius=0.3)
    reached = set()
    for action, _, reward, _, _, info in steps(env, 20):
        distance = np.linalg.norm(env.unwrapped.episodes.batch.position[0] - env.unwrapped.target)
        assert info["distance_m"] == pytest.approx(distance)
        assert info["is_success"] == (distance < 0.3)
        assert info["reward_goal"] == pytest.approx(3.0 * info["is_success"] - 2.0 * distance)
        assert info["reward_action"] == pytest.approx(-0.5 * float((action**2).sum()))
        assert info["reward_energy"] == pytest.approx(-0.25 * info["energy_j"])
        assert reward == pytest.approx(info["reward_goal"] + info["reward_action"] + info["reward_energy"])
        reached.add(info["is_success"])
    assert info["energy_j"] > 0


def test_default_reward_is_the_distance(make):
    for _, _, reward, _, _, info in steps(make(arm="planar2"), 3):
        assert reward == -info["distance_m"]


def test_sparse_reward_is_zero_only_at_the_goal(make):
    env = make("ReachGoal", arm="planar2", success_radius=0.2)
    env.reset(seed=3)
    env.reset(options={"target": env.unwrapped.episodes.batch.position[0]})
    way = [env.step(np.array([1.0, 0.0])) for _ in range(60)]
    rewards = {(reward, info["is_success"]) for _, reward, _, _, info in way}
    assert rewards == {(-1.0, False), (0.0, True)}


@pytest.mark.parametrize("name", ["ReachGoal", "TrackGoal", "CenterOutGoal", "PayloadReachGoal"])
@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_reward_of_a_goal_is_the_reward_of_the_step(make, name, kind):
    env = make(name, arm="planar2", reward_type=kind, reward_weights=WEIGHTS)
    rows = [(o["achieved_goal"], o["desired_goal"], i, r) for _, o, r, _, _, i in steps(env, 10)]
    compute = env.unwrapped.compute_reward
    for achieved, desired, info, reward in rows:
        assert compute(achieved, desired, info) == pytest.approx(reward)
    achieved, desired, infos, rewards = (list(column) for column in zip(*rows, strict=True))
    many = compute(np.array(achieved), np.array(desired), infos)
    np.testing.assert_allclose(many, rewards)
    object_array = np.empty(len(infos), dtype=object)
    object_array[:] = infos  # as Stable-Baselines3's replay buffer gives them
    np.testing.assert_allclose(compute(np.array(achieved), np.array(desired), object_array), rewards)


def test_reward_of_other_goals_is_computed_from_them_alone(make):
    env = make("ReachGoal", arm="planar2").unwrapped
    achieved = np.zeros((4, 3))
    desired = np.array([[0, 0, 0.0], [0.02, 0, 0], [0.03, 0, 0], [1.0, 0, 0]])
    np.testing.assert_array_equal(env.compute_reward(achieved, desired, {}), [0, 0, -1, -1])
    assert env.compute_reward(achieved[3], desired[3], {}) == -1.0


def test_one_goal_stands_for_all_rows(make):
    env = make("ReachGoal", arm="planar2").unwrapped
    np.testing.assert_array_equal(env.compute_reward(np.zeros((1000, 3)), np.ones(3), {}), -np.ones(1000))
    np.testing.assert_array_equal(env.compute_reward(np.zeros(3), np.zeros((2, 4, 3)), {}), np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("achieved", "desired", "info", "message"),
    [
        (np.zeros((4, 2)), np.zeros((4, 2)), {}, r"goals of shapes \(4, 2\) and \(4, 2\); .* 3 numbers each"),
        (np.zeros((4, 3)), np.zeros((5, 3)), {}, r"goals of shapes \(4, 3\) and \(5, 3\)"),
        (np.zeros((4, 3)), np.zeros((4, 2)), {}, r"goals of shapes \(4, 3\) and \(4, 2\)"),
        (np.float64(0.0), np.zeros(3), {}, r"goals of shapes \(\) and \(3,\)"),
        ("here", np.zeros(3), {}, "achieved goals must be numbers, not 'here'"),
        (np.zeros((4, 3)), np.zeros((4, 3)), [{}] * 3, "3 infos for 4 goals"),
    ],
)
def test_goals_that_do_not_fit_are_refused(make, achieved, desired, info, message):
    env = make("ReachGoal", arm="planar2").unwrapped
    with pytest.raises(ConfigError, match=message):
        env.compute_reward(achieved, desired, info)


def test_cost_of_a_wrapper_is_part_of_the_reward_of_a_goal(make):
    costly = EnergyCost(make("ReachGoal", arm="planar2", reward_weights={"action": 0.5}), {"energy_j": 2.0})
    env = EnergyCost(costly, {"energy_j": 1.0})
    for _, observed, reward, _, _, info in steps(env, 5):
        assert info["reward_cost"] == pytest.approx(-3.0 * info["energy_j"])
        compute = env.get_wrapper_attr("compute_reward")
        assert compute(observed["achieved_goal"], observed["desired_goal"], info) == pytest.approx(reward)


def test_goal_ends_nothing(make):
    env = make("ReachGoal", arm="planar2").unwrapped
    assert env.compute_terminated(np.zeros(3), np.zeros(3), {}) is False
    assert env.compute_truncated(np.zeros(3), np.zeros(3), {}) is False
    assert env.compute_terminated(np.zeros(3), np.zeros(3), {"termination": "diverged"}) is True


def test_ends_are_told_row_by_row(make):
    env = make("ReachGoal", arm="planar2").unwrapped
    rows = np.zeros((3, 3))
    infos = [{}, {"termination": "diverged"}, {"termination": None}]
    assert env.compute_terminated(rows, rows, infos).tolist() == [False, True, False]
    assert env.compute_terminated(rows, rows, {}).tolist() == [False] * 3
    assert env.compute_truncated(rows, rows, infos).tolist() == [False] * 3


@pytest.mark.parametrize("name", ["compute_reward", "compute_terminated"])
@pytest.mark.parametrize("info", [None, 5, [{}, {}], [None] * 3])
def test_infos_that_do_not_fit_are_refused(make, name, info):
    compute = make("ReachGoal", arm="planar2").get_wrapper_attr(name)
    with pytest.raises(ConfigError, match="info"):
        compute(np.zeros((3, 3)), np.zeros((3, 3)), info)


def test_no_infos_say_that_nothing_diverged(make):
    compute = make("ReachGoal", arm="planar2").get_wrapper_attr("compute_terminated")
    np.testing.assert_array_equal(compute(np.zeros((3, 3)), np.zeros((3, 3)), []), np.zeros(3, dtype=bool))
