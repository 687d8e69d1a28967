"""The actors of Stable-Baselines3's agents, and the perceptrons read out of them."""

from __future__ import annotations

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
    with pytest.raises(WeightsError, match="the actor has a Tanh module; train it with rectified"):
        actor_layers(agent)
    env.close()
