"""Native vector environments for Stable-Baselines3, beside its own way of stepping several."""

import gymnasium
import numpy as np
import pytest
from comparison import assert_same

from spikearm.errors import ConfigError

pytest.importorskip("stable_baselines3")

from stable_baselines3 import SAC, HerReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from spikearm.envs.gym.stable_baselines import NativeVecEnv

N, LIMIT = 3, 4
HARD = {
    "arm": "planar2",
    "action_mode": "torque",
    "observation_noise": (1e-3, 1e-2),
    "perturbation_range": {"payload_kg": [0.0, 0.5]},
    "reward_weights": {"energy": 0.1},
    "max_episode_steps": LIMIT,
}


@pytest.fixture
def native(vector):
    def native(name="ReachGoal", **arguments):
        return NativeVecEnv(vector(name, N, **({"autoreset_mode": "SameStep"} | arguments)))

    return native


@pytest.fixture
def pair(native):
    """The same arms in threads and one after the other."""

    def pair(name, **arguments):
        makers = [lambda: gymnasium.make(f"spikearm/{name}-v0", **arguments)] * N
        return native(name, **arguments), DummyVecEnv(makers)

    return pair


def actions(env, n):
    env.action_space.seed(3)
    return [np.array([env.action_space.sample() for _ in range(N)]) for _ in range(n)]


@pytest.mark.parametrize("name", ["Reach", "ReachGoal"])
def test_arms_in_threads_are_those_one_after_the_other(pair, name):
    """Over the ends of episodes, what is told of them included."""
    ours, theirs = pair(name, **HARD)
    for env in (ours, theirs):
        env.seed(5)
    assert_same(ours.reset(), theirs.reset(), "reset")
    assert_same(*(dict(enumerate(env.reset_infos)) for env in (ours, theirs)), "reset_infos")
    for step, action in enumerate(actions(ours, 2 * LIMIT + 1)):
        one, other = ours.step(action), theirs.step(action)
        for a, b in zip(one[:3], other[:3], strict=True):
            assert_same(a, b, f"step {step}")
            assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
        for a, b in zip(one[3], other[3], strict=True):
            assert_same(a, b, f"info of step {step}")
    theirs.close()


def test_options_are_those_of_each_arm(native):
    env = native()
    targets = [[0.3, 0.0, 0.2], [0.2, 0.0, 0.3], [0.25, 0.0, 0.25]]
    env.seed(1)
    env.set_options([{"target": target, "payload_kg": 0.1 * e} for e, target in enumerate(targets)])
    assert env.reset()["desired_goal"].tolist() == targets
    assert [info["payload_kg"] for info in env.reset_infos] == pytest.approx([0.0, 0.1, 0.2])
    assert env.reset()["desired_goal"].tolist() != targets


def test_rewards_of_goals_that_hindsight_makes_up(native):
    """Hindsight asks one environment for the rewards of all goals."""
    goals = np.array([[0.0, 0.0, 0.0], [0.02, 0.0, 0.0], [0.03, 0.0, 0.0]])
    rewards = native().env_method("compute_reward", goals, np.zeros((3, 3)), [{}] * 3, indices=[0])
    np.testing.assert_array_equal(rewards, [[0.0, 0.0, -1.0]])


def test_diverged_arm_says_so_and_begins_anew(native):
    env = native()
    env.reset()
    env.env.episodes.batch.dq[1] = 1e9
    _, _, done, infos = env.step(np.zeros((N, 2)))
    assert done.tolist() == [False, True, False]
    assert [info.get("termination") for info in infos] == [None, "diverged", None]
    assert not infos[1]["TimeLimit.truncated"]
    assert np.isfinite(infos[1]["terminal_observation"]["observation"]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda vector: vector(autoreset_mode="NextStep"),
            "autoreset_mode is 'NextStep'; Stable-Baselines3 needs 'SameStep'",
        ),
        (
            lambda vector: gymnasium.wrappers.vector.ClipReward(vector(autoreset_mode="SameStep"), -1, 1),
            "NativeVecEnv takes a native vector environment of spikearm, without wrappers",
        ),
    ],
)
def test_environment_that_does_not_fit_is_refused(vector, make, message):
    with pytest.raises(ConfigError, match=message):
        NativeVecEnv(make(vector))


@pytest.mark.slow
def test_hindsight_learns_from_arms_in_threads(native):
    agent = SAC(
        "MultiInputPolicy",
        VecMonitor(native(action_mode="pose", max_episode_steps=20, reward_weights={"energy": 0.1})),
        replay_buffer_class=HerReplayBuffer,
        replay_buffer_kwargs={"copy_info_dict": True},
        learning_starts=100,
        seed=0,
    )
    agent.learn(300)
    buffer = agent.replay_buffer
    assert buffer.size() == 100
    sample = buffer.sample(64)
    assert (sample.rewards < 0.0).all()  # the energy that was paid for stays in relabelled rewards
    assert agent.ep_success_buffer


def test_attribute_of_some_arms_only_is_refused(native):
    env = native()
    with pytest.raises(
        ConfigError, match=r"render_mode cannot be set for arms \[0\] alone, all arms are one"
    ):
        env.set_attr("render_mode", None, indices=[0])
    env.set_attr("render_mode", "rgb_array", indices=range(N))
    assert env.get_attr("render_mode") == ["rgb_array"] * N


@pytest.mark.parametrize("name", ["Reach", "ReachGoal"])
@pytest.mark.parametrize(
    "attribute",
    ["action_space", "observation_space", "config", "goal", "target", "perturbation"],
)
def test_attributes_are_those_of_arms_one_after_the_other(pair, name, attribute):
    ours, theirs = pair(name, **HARD)
    for env in (ours, theirs):
        env.seed(5)
        env.reset()
    for indices in (None, [2, 0], 1):
        assert_same(ours.get_attr(attribute, indices), theirs.get_attr(attribute, indices), attribute)
    theirs.close()


def test_attribute_that_nobody_has_is_no_attribute(native):
    env = native("Reach")
    assert env.has_attr("num_envs")
    for name in ("targt", "compute_reward"):
        assert not env.has_attr(name)


def test_generator_is_set_for_all_arms(pair):
    ours, theirs = pair("Reach", **HARD)
    for env in (ours, theirs):
        env.set_attr("np_random", np.random.default_rng(7))
    assert_same(ours.reset(), theirs.reset(), "reset")
    theirs.close()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("success_radius", 0.1, "success_radius cannot be set of arms of a native vector environment"),
        ("target", np.zeros(3), "give it when it is made, use options of reset"),
        ("np_random", 3, "np_random is one Generator for each of 3 arms"),
        ("render_mode", "human", "render_mode must be one of rgb_array, depth_array, or None; not 'human'"),
    ],
)
def test_what_arms_cannot_be_given_is_refused(native, name, value, message):
    with pytest.raises(ConfigError, match=message):
        native().set_attr(name, value)
