"""The reward is what the data sheet says, and the same for one goal and for many."""

import numpy as np
import pytest

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
    rewards = {(reward, info["is_success"]) for *_, reward, _, _, info in steps(env, 60, seed=3)}
    assert rewards <= {(-1.0, False), (0.0, True)}


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


def test_goal_ends_nothing(make):
    env = make("ReachGoal", arm="planar2").unwrapped
    assert env.compute_terminated(np.zeros(3), np.zeros(3), {}) is False
    assert env.compute_truncated(np.zeros(3), np.zeros(3), {}) is False
    assert env.compute_terminated(np.zeros(3), np.zeros(3), {"termination": "diverged"}) is True
