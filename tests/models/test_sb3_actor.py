"""The actors of Stable-Baselines3's agents, and the perceptrons read out of them."""

from __future__ import annotations

from collections import OrderedDict

import gymnasium
import numpy as np
import pytest

import spikearm.envs  # noqa: F401 (registers the environments)
from spikearm.errors import WeightsError
from spikearm.models.sb3_actor import actor_layers, flat_observation

sb3 = pytest.importorskip("stable_baselines3")
torch = pytest.importorskip("torch")

from spikearm.models.policy_training import GoalFeatures  # noqa: E402 (needs torch)

SMALL = {"net_arch": [16, 16], "activation_fn": torch.nn.ReLU}


@pytest.mark.parametrize("kind", ["SAC", "TD3", "DDPG", "PPO", "A2C"])
@pytest.mark.parametrize("name", ["Reach", "ReachGoal"])
def test_perceptron_acts_as_the_agent(kind, name):
    env = gymnasium.make(f"spikearm/{name}-v0", arm="planar2")
    policy = "MultiInputPolicy" if name == "ReachGoal" else "MlpPolicy"
    agent = getattr(sb3, kind)(policy, env, policy_kwargs=dict(SMALL), seed=1)  # agents write into it
    layers = actor_layers(agent)
    for seed in range(5):
        observed, _ = env.reset(seed=seed)
        wanted, _ = agent.predict(observed, deterministic=True)
        np.testing.assert_allclose(layers(flat_observation(observed)[None])[0], wanted, atol=1e-5)
    env.close()


@pytest.mark.parametrize("kind", ["SAC", "TD3", "PPO"])
def test_perceptron_acts_as_an_agent_that_is_shown_the_way(kind):
    env = gymnasium.make("spikearm/ReachGoal-v0", arm="planar2")
    policy = SMALL | {"features_extractor_class": GoalFeatures, "features_extractor_kwargs": {"unit": 0.3}}
    agent = getattr(sb3, kind)("MultiInputPolicy", env, policy_kwargs=policy, seed=1)
    layers = actor_layers(agent)
    observed, _ = env.reset(seed=3)
    wanted, _ = agent.predict(observed, deterministic=True)
    np.testing.assert_allclose(layers(flat_observation(observed)[None])[0], wanted, atol=1e-5)
    way = layers.featured(flat_observation(observed))[3:6]
    np.testing.assert_allclose(way, (observed["desired_goal"] - observed["achieved_goal"]) / 0.3, atol=1e-6)
    env.close()


def test_goals_are_given_to_spiking_networks_as_a_way():
    env = gymnasium.make("spikearm/ReachGoal-v0", arm="planar2")
    agent = sb3.SAC("MultiInputPolicy", env, seed=1)
    observed, _ = env.reset(seed=3)
    way = actor_layers(agent).featured(flat_observation(observed))[3:6]
    np.testing.assert_allclose(way, observed["desired_goal"] - observed["achieved_goal"])
    env.close()


def test_features_that_cannot_be_read_are_refused():
    class Learned(sb3.common.torch_layers.FlattenExtractor):
        pass

    env = gymnasium.make("spikearm/Reach-v0", arm="planar2")
    agent = sb3.SAC("MlpPolicy", env, policy_kwargs={"features_extractor_class": Learned})
    with pytest.raises(WeightsError, match="the actor's features come from a Learned; train it on vectors"):
        actor_layers(agent)
    env.close()


def test_units_that_are_not_rectified_linear_are_refused():
    env = gymnasium.make("spikearm/Reach-v0", arm="planar2")
    agent = sb3.PPO("MlpPolicy", env)
    with pytest.raises(WeightsError, match="the actor has a module Tanh; train it with rectified"):
        actor_layers(agent)
    env.close()


def agent_of(kind, make=None, *, policy_kwargs=SMALL, **arguments):
    env = gymnasium.make("spikearm/Reach-v0", arm="planar2")
    policy = dict(policy_kwargs)  # agents write into it
    return getattr(sb3, kind)("MlpPolicy", make(env) if make else env, policy_kwargs=policy, **arguments)


def test_bound_of_noise_that_depends_on_the_state_is_kept():
    """With ``use_sde`` and ``squash_output`` the mean action goes through a hyperbolic tangent."""
    agent = agent_of("PPO", use_sde=True, policy_kwargs=SMALL | {"squash_output": True}, seed=1)
    agent.policy.action_net.bias.data[:] = 0.7
    observed = np.zeros(agent.observation_space.shape)
    wanted, _ = agent.predict(observed, deterministic=True)
    np.testing.assert_allclose(actor_layers(agent)(observed[None])[0], wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["SAC", "TD3", "PPO"])
def test_layers_without_rectified_linear_units_between_are_refused(kind):
    agent = agent_of(kind, policy_kwargs=SMALL | {"activation_fn": torch.nn.Identity})
    with pytest.raises(WeightsError, match="the actor has a module Identity; train it with rectified"):
        actor_layers(agent)


def test_last_units_of_the_body_must_be_rectified_linear_too():
    agent = agent_of("PPO")
    agent.policy.mlp_extractor.policy_net = agent.policy.mlp_extractor.policy_net[:-1]
    with pytest.raises(WeightsError, match="Linear, ReLU, Linear, Linear; rectified-linear units must stand"):
        actor_layers(agent)


@pytest.mark.parametrize("kind", ["SAC", "PPO"])
def test_other_ranges_of_actions_are_refused(kind):
    twice = np.full(2, 2.0, dtype=np.float32)
    agent = agent_of(kind, lambda env: gymnasium.wrappers.RescaleAction(env, -twice, twice))
    with pytest.raises(WeightsError, match="actions from -2 to 2, they must be from -1 to 1"):
        actor_layers(agent)


def test_exploration_by_state_that_cuts_actions_is_refused():
    with pytest.raises(WeightsError, match=r"cuts its actions .*; train it with use_sde=False"):
        actor_layers(agent_of("SAC", use_sde=True))


def test_memory_of_the_past_is_refused():
    agent = agent_of("PPO")
    agent.policy.lstm_actor = torch.nn.LSTM(8, 16)
    with pytest.raises(
        WeightsError, match=r"PPO remembers the past \(it has lstm_actor\); train one that does not"
    ):
        actor_layers(agent)


def normalised(name="Reach", **settings):
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    arms = vec_env.DummyVecEnv([lambda: gymnasium.make(f"spikearm/{name}-v0", arm="planar2")])
    return vec_env.VecNormalize(arms, **settings)


@pytest.mark.parametrize(
    ("name", "settings", "shown_the_way"),
    [
        ("Reach", {}, False),
        ("Reach", {"norm_obs": False}, False),
        ("ReachGoal", {}, False),
        ("ReachGoal", {}, True),
        ("ReachGoal", {"norm_obs_keys": ["observation"]}, False),
        ("ReachGoal", {"norm_obs_keys": ["observation"]}, True),
    ],
)
def test_perceptron_takes_observations_before_they_are_normalised(name, settings, shown_the_way):
    env = normalised(name, **settings)
    extractor = {"features_extractor_class": GoalFeatures} if shown_the_way else {}
    policy = "MultiInputPolicy" if name == "ReachGoal" else "MlpPolicy"
    agent = sb3.PPO(policy, env, n_steps=128, policy_kwargs=SMALL | extractor, seed=1)
    agent.learn(256)
    env.training = False
    layers = actor_layers(agent)
    for _ in range(5):
        env.step(np.random.default_rng(1).uniform(-1, 1, (1, 2)))
        raw, shown = env.get_original_obs(), env.normalize_obs(env.get_original_obs())
        wanted, _ = agent.predict(shown, deterministic=True)
        np.testing.assert_allclose(layers(flat_observation(raw)), wanted, atol=1e-4)
    env.close()


def test_observations_that_are_cut_early_are_refused():
    agent = sb3.PPO("MlpPolicy", normalised(clip_obs=1.0), policy_kwargs=dict(SMALL))
    with pytest.raises(WeightsError, match="VecNormalize cuts observations at 1 standard deviations"):
        actor_layers(agent)


class Reordered(gymnasium.ObservationWrapper):
    """A dictionary whose space is not in the order of its keys, which Gymnasium keeps for ordered ones."""

    def __init__(self, env):
        super().__init__(env)
        parts = env.observation_space.spaces if hasattr(env.observation_space, "spaces") else {}
        spaces = dict(parts) or {"a": gymnasium.spaces.Box(-1, 1, (2,)), "z": env.observation_space}
        self.observation_space = gymnasium.spaces.Dict(OrderedDict(reversed(spaces.items())))

    def observation(self, observation):
        return (
            observation if isinstance(observation, dict) else {"a": np.array([0.3, -0.7]), "z": observation}
        )


@pytest.mark.parametrize("name", ["Reach", "ReachGoal"])
@pytest.mark.parametrize("kind", ["SAC", "PPO"])
def test_parts_are_taken_in_the_order_of_the_space(kind, name):
    env = Reordered(gymnasium.make(f"spikearm/{name}-v0", arm="planar2"))
    assert list(env.observation_space.spaces) == sorted(env.observation_space.spaces, reverse=True)
    agent = getattr(sb3, kind)("MultiInputPolicy", env, policy_kwargs=dict(SMALL), seed=1)
    layers = actor_layers(agent)
    observed, _ = env.reset(seed=3)
    wanted, _ = agent.predict(observed, deterministic=True)
    np.testing.assert_allclose(layers(flat_observation(observed)[None])[0], wanted, atol=1e-5)
    env.close()
