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


def test_units_that_are_not_rectified_linear_are_refused():
    env = gymnasium.make("spikearm/Reach-v0", arm="planar2")
    agent = sb3.PPO("MlpPolicy", env)
    with pytest.raises(WeightsError, match="the actor has a Tanh module; train it with rectified"):
        actor_layers(agent)
    env.close()
