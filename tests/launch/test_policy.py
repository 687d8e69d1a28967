"""A policy that needs no training, on every substrate: it moves the set point towards the target."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.registry import make_backend
from spikearm.launch.policy import PerceptronAgent, SpikingAgent, collect_observations, evaluate
from spikearm.models.policy import Layers, spiking_policy

GAIN = 8.0  # action per metre: full speed from 12 cm on


@pytest.fixture
def env():
    env = gymnasium.make("spikearm/ReachGoal-v0", arm="planar2", success_radius=0.05)
    yield env
    env.close()


@pytest.fixture
def layers(env):
    """Opposed units for the way from achieved to desired goal, x and z, with biases of all sizes."""
    n = sum(space.shape[0] for space in env.observation_space.spaces.values())
    per_side = 16
    ways = np.zeros((2, n))
    for row, axis in enumerate((0, 2)):
        # Achieved goal, desired goal, observation: the order of the keys.
        ways[row, axis], ways[row, 3 + axis] = -GAIN, GAIN
    first = np.concatenate(
        [sign * np.repeat(way[None], per_side, axis=0) for way in ways for sign in (1, -1)]
    )
    bias = np.tile(np.linspace(0.0, 4.0, per_side), 4)
    last = np.kron(np.eye(2), np.concatenate((np.ones(per_side), -np.ones(per_side)))) / per_side
    return Layers((first, last), (bias, np.zeros(2)), "clip")


def test_perceptron_solves_the_task(env, layers):
    result = evaluate(PerceptronAgent(layers), env, n_episodes=5)
    assert result.success_rate == 1.0
    assert result.energy_j is None
    assert result.latency_model_s is None
    assert result.latency_measured_s > 0


@pytest.mark.parametrize(
    "backend",
    [
        "reference",
        pytest.param("loihi", marks=pytest.mark.slow),
        pytest.param("crossbar", marks=pytest.mark.slow),
    ],
)
def test_spiking_policy_does_as_well(env, layers, backend):
    network = spiking_policy(layers, collect_observations(PerceptronAgent(layers), env, n_episodes=40))
    agent = SpikingAgent(network, make_backend(backend), steps_per_action=30)
    result = evaluate(agent, env, n_episodes=5 if backend != "reference" else 2)
    agent.close()
    assert result.success_rate == 1.0
    assert result.energy_j > 0
    assert result.spikes > 0
    assert (result.latency_model_s is None) == (backend == "reference")


def test_same_seed_same_result(env, layers):
    a, b = (evaluate(PerceptronAgent(layers), env, n_episodes=2, seed=s) for s in (3, 3))
    assert (a.mean_return, a.final_distance) == (b.mean_return, b.final_distance)


def test_observations_are_those_of_the_agent(env, layers):
    seen = collect_observations(PerceptronAgent(layers), env, n_episodes=2)
    assert seen.shape == (200, layers.weights[0].shape[1])
    np.testing.assert_allclose(seen[0, :3], seen[0, 6 + 4 : 6 + 7], atol=1e-9)  # achieved goal = end effector


def test_agent_without_a_step_is_refused(layers):
    network = spiking_policy(layers, np.random.default_rng(0).normal(size=(10, layers.weights[0].shape[1])))
    with pytest.raises(ConfigError, match="steps_per_action must be at least 1, not 0"):
        SpikingAgent(network, make_backend("reference"), steps_per_action=0)
