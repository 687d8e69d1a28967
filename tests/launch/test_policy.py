"""A policy that needs no training, on every substrate: it moves the set point towards the target."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.host_cost import GPU_COST
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
    assert result.latency_model_s is None
    assert result.latency_measured_s > 0


def test_perceptron_pays_for_every_weight_and_unit_in_every_decision(env, layers):
    n_weights, n_units = sum(w.size for w in layers.weights), sum(b.size for b in layers.biases)
    result = evaluate(PerceptronAgent(layers), env, n_episodes=1)
    # Degnan et al. 2015: 8.6 nJ for each, on a CPU.
    assert result.energy_terms_j == pytest.approx(
        {"synapses": 8.6e-9 * n_weights, "neurons": 8.6e-9 * n_units, "learning": 0.0, "host": 0.0}
    )
    assert result.energy_j == pytest.approx(8.6e-9 * (n_weights + n_units))
    assert result.energy_chip_j is None
    on_gpu = evaluate(PerceptronAgent(layers, GPU_COST), env, n_episodes=1)
    assert on_gpu.energy_j == pytest.approx(result.energy_j * 0.3 / 8.6)


def test_agent_that_tells_no_cost_has_none(env, layers):
    class Silent:
        predict = PerceptronAgent(layers).predict

    result = evaluate(Silent(), env, n_episodes=1)
    assert result.energy_j is None
    assert result.energy_terms_j == {}


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
    assert result.energy_j == pytest.approx(sum(result.energy_terms_j.values()))
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


@pytest.mark.parametrize("steps", [{"steps_per_action": 0}, {"steps_per_action": 10, "settle_steps": 10}])
def test_agent_without_a_step_to_average_is_refused(layers, steps):
    network = spiking_policy(layers, np.random.default_rng(0).normal(size=(10, layers.n_in)))
    with pytest.raises(ConfigError, match="settle_steps must be from 0 to less than steps_per_action, "):
        SpikingAgent(network, make_backend("reference"), **steps)


def test_decision_forgets_the_one_before_once_settled(layers):
    """The first steps still show the last decision: leaving them out brings the action nearer."""
    rng = np.random.default_rng(0)
    network = spiking_policy(layers, rng.uniform(-0.1, 0.1, (200, layers.n_in)), rate_hz=1000.0)
    first, second = rng.uniform(-0.1, 0.1, (2, layers.n_in))
    wanted = PerceptronAgent(layers).predict(second)[0]
    errors = []
    for settle_steps in (0, 20):
        agent = SpikingAgent(
            network, make_backend("reference"), steps_per_action=60, settle_steps=settle_steps
        )
        agent.predict(first)
        errors.append(np.abs(agent.predict(second)[0] - wanted).max())
        agent.close()
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("run", [evaluate, collect_observations])
def test_no_episode_is_refused(env, layers, run):
    with pytest.raises(ConfigError, match="n_episodes must be at least 1, not 0"):
        run(PerceptronAgent(layers), env, n_episodes=0)


def test_agents_act_under_evaluate_policy(env, layers):
    evaluate_policy = pytest.importorskip("stable_baselines3.common.evaluation").evaluate_policy
    monitored = pytest.importorskip("stable_baselines3.common.monitor").Monitor(env)
    network = spiking_policy(layers, collect_observations(PerceptronAgent(layers), env, n_episodes=1))
    spiking = SpikingAgent(network, make_backend("reference"), steps_per_action=10, settle_steps=2)
    for agent in (PerceptronAgent(layers), spiking):
        returned, _ = evaluate_policy(agent, monitored, n_eval_episodes=1)
        assert -100.0 <= returned <= 0.0
    spiking.close()


def test_batches_are_the_perceptrons_alone(env, layers):
    observations = collect_observations(PerceptronAgent(layers), env, n_episodes=1)
    actions, _ = PerceptronAgent(layers).predict(observations[:3])
    np.testing.assert_array_equal(actions, layers(observations[:3]))
    spiking = SpikingAgent(spiking_policy(layers, observations), make_backend("reference"))
    with pytest.raises(ConfigError, match="a spiking policy decides for one arm at a time, not for 3"):
        spiking.predict(observations[:3])
    spiking.close()
