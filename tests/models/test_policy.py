"""A perceptron and its spiking twin."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from spikearm.errors import ConfigError, WeightsError
from spikearm.hardware.crossbar.backend import CrossbarBackend
from spikearm.hardware.loihi.backend import LoihiBackend
from spikearm.hardware.reference import ReferenceBackend
from spikearm.models.policy import Layers, PolicyNetwork, spiking_policy
from spikearm.models.sb3_actor import actor_layers, flat_observation, goal_matrix
from spikearm.models.scaling import StateScaling


@pytest.fixture
def layers(rng):
    sizes = (5, 24, 16, 2)
    weights = tuple(rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes))
    return Layers(weights, tuple(0.3 * rng.normal(size=n) for n in sizes[1:]))


@pytest.fixture
def observations(rng):
    return rng.uniform(-1, 1, (300, 5)) * (1.0, 0.1, 3.0, 0.01, 1.0) + (0.0, 5.0, 0.0, 0.0, -2.0)


def drives(network, observation, *, n_steps):
    """The network's drive in the second half of a run, shape (n_steps / 2, n_actions)."""
    program = ReferenceBackend().compile(network, dt_s=0.001, seed=1)
    seen = [program.step({"observation": observation}).outputs["drive"] for _ in range(n_steps)]
    program.close()
    return np.array(seen[n_steps // 2 :])


def test_scaling_and_normalising_change_nothing(layers, observations):
    network = spiking_policy(layers, observations)
    scaled = network.scaling(observations)
    np.testing.assert_allclose(network.layers(scaled), layers(observations), atol=1e-9)


def test_features_of_the_host_change_nothing(layers, observations, rng):
    mixing = rng.normal(size=(5, 5))
    mixed = dataclasses.replace(
        layers, weights=(layers.weights[0] @ np.linalg.inv(mixing), *layers.weights[1:]), features=mixing
    )
    np.testing.assert_allclose(mixed(observations), layers(observations), atol=1e-9)
    network = spiking_policy(mixed, observations)
    scaled = network.scaling(observations @ mixing.T)
    np.testing.assert_allclose(network.layers(scaled), layers(observations), atol=1e-9)
    assert network.inputs == {"observation": 5}


def test_features_may_leave_out_what_a_policy_does_not_look_at(layers, observations):
    looking = np.eye(5)[:3]
    seeing = dataclasses.replace(
        layers, weights=(layers.weights[0][:, :3], *layers.weights[1:]), features=looking
    )
    network = spiking_policy(seeing, observations)
    assert network.scaling.size == 3
    action = layers.bound(drives(network, observations[0], n_steps=300).mean(axis=0))
    np.testing.assert_allclose(action, seeing(observations[:1])[0], atol=0.1)


@pytest.mark.parametrize("copies", [1, 3])
def test_copies_change_nothing_but_the_number_of_neurons(layers, observations, copies):
    network = spiking_policy(layers, observations, copies=copies)
    np.testing.assert_allclose(network.layers(network.scaling(observations)), layers(observations), atol=1e-9)
    ensembles = network.build(seed=1).network.all_ensembles
    assert sum(ensemble.n_neurons for ensemble in ensembles) == copies * (24 + 16)


def test_copies_average_the_errors_of_devices(layers, observations):
    errors = []
    for copies in (1, 6):
        network = spiking_policy(layers, observations, copies=copies)
        program = CrossbarBackend().compile(network, dt_s=0.001, seed=1)
        actions = []
        for observation in observations[:10]:
            seen = [program.step({"observation": observation}).outputs["drive"] for _ in range(80)]
            actions.append(np.mean(seen[20:], axis=0))
        program.close()
        errors.append(np.sqrt(np.square(layers.bound(np.array(actions)) - layers(observations[:10])).mean()))
    assert errors[1] < 0.7 * errors[0]


def test_no_copy_is_refused(layers, observations):
    with pytest.raises(ConfigError, match="copies must be at least 1, not 0"):
        spiking_policy(layers, observations, copies=0)


def test_small_way_between_large_goals_survives_loihi(rng):
    """A decision on the way from one goal to another: large inputs are rounded, their difference is not."""
    way = np.array([[-20.0, 20.0]])
    first, bias = np.concatenate((way, -way)), np.zeros(2)
    plain = Layers((first, np.array([[1.0, -1.0]])), (bias, np.zeros(1)), "clip")
    matrix = np.array([[1.0, 0.0], [-1.0, 1.0]])
    apart = dataclasses.replace(
        plain, weights=(first @ np.linalg.inv(matrix), plain.weights[1]), features=matrix
    )
    goals = rng.uniform(-1, 1, 200)
    observations = np.stack((goals + rng.uniform(-0.05, 0.05, 200), goals), axis=1)
    errors = []
    for layers in (plain, apart):
        network = spiking_policy(layers, observations)
        program = LoihiBackend().compile(network, dt_s=0.001, seed=1)
        actions = []
        for observation in observations[:10]:
            seen = [program.step({"observation": observation}).outputs["drive"] for _ in range(80)]
            actions.append(np.mean(seen[20:], axis=0))
        program.close()
        errors.append(np.abs(np.array(actions) - plain(observations[:10])).mean())
    assert errors[1] < 0.5 * errors[0]


def test_activations_lie_between_0_and_1(layers, observations):
    network = spiking_policy(layers, observations)
    for hidden in network.layers.activations(network.scaling(observations)):
        assert hidden.min() >= 0.0
        assert 0.8 < hidden.max() < 1.2
        assert (hidden.max(axis=0) > 0.5).mean() > 0.5  # each unit by itself, not only the layer


def test_observations_keep_within_the_range_of_the_scaling(layers, observations):
    scaled = spiking_policy(layers, observations).scaling(observations)
    assert np.abs(scaled).max() < 1.0


def test_spikes_give_the_perceptrons_action(layers, observations):
    network = spiking_policy(layers, observations, rate_hz=1000.0, tau_s=0.02)
    for observation in observations[:3]:
        mean = drives(network, observation, n_steps=300).mean(axis=0)
        np.testing.assert_allclose(layers.bound(mean), layers(observation[None])[0], atol=0.05)


def test_higher_rates_give_it_more_exactly(layers, observations):
    errors = [
        np.abs(
            drives(spiking_policy(layers, observations, rate_hz=rate_hz), observations[0], n_steps=300)
            - np.arctanh(layers(observations[:1]))
        ).mean()
        for rate_hz in (50.0, 2000.0)
    ]
    assert errors[1] < 0.3 * errors[0]


def test_constant_input_does_no_harm(layers, observations):
    observations[:, 3] = 7.0
    network = spiking_policy(layers, observations)
    assert np.isfinite(network.layers.weights[0]).all()
    np.testing.assert_allclose(network.layers(network.scaling(observations)), layers(observations), atol=1e-9)


@pytest.mark.parametrize(("squash", "bounded"), [("tanh", np.tanh(3.0)), ("clip", 1.0)])
def test_actions_are_bounded_as_the_agent_bounds_them(squash, bounded):
    layers = Layers((np.eye(1), np.eye(1)), (np.zeros(1), np.zeros(1)), squash)
    assert layers(np.array([[3.0]]))[0, 0] == pytest.approx(bounded)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"squash": "sine"}, ConfigError, "squash must be 'tanh' or 'clip', not 'sine'"),
        ({"weights": (np.eye(5),), "biases": (np.zeros(5),)}, WeightsError, "two layers or more"),
        ({"biases": (np.zeros(3),) * 3}, WeightsError, "layers do not fit together"),
        ({"features": np.eye(4)}, WeightsError, r"features of shape \(4, 4\) do not fit a first layer of"),
    ],
)
def test_layers_refuse(layers, change, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(layers, **change)


def test_layers_that_are_not_finite_are_refused(layers):
    weights = (np.full_like(layers.weights[0], np.nan), *layers.weights[1:])
    with pytest.raises(WeightsError, match="layers are not finite; train the policy again"):
        dataclasses.replace(layers, weights=weights)


def test_policy_refuses(layers):
    scaling = StateScaling((0.0,) * 4, (1.0,) * 4)
    with pytest.raises(ConfigError, match="the scaling has 4 dimensions, the policy takes 5"):
        PolicyNetwork(layers, scaling)
    with pytest.raises(ConfigError, match=r"rate_hz must be positive and finite, not 0\.0"):
        PolicyNetwork(layers, StateScaling((0.0,) * 5, (1.0,) * 5), rate_hz=0.0)


@pytest.mark.parametrize("wrong", [np.zeros((3, 4)), np.zeros(5), np.zeros((0, 5)), np.full((2, 5), np.nan)])
def test_observations_that_make_no_sense_are_refused(layers, wrong):
    with pytest.raises(ConfigError, match=r"observations must be finite numbers of shape \(n, 5\)"):
        spiking_policy(layers, wrong)


def test_dictionaries_are_joined_in_the_order_of_their_keys():
    observation = {"observation": np.array([1.0]), "achieved_goal": np.array([2.0]), "desired_goal": [3.0]}
    np.testing.assert_array_equal(flat_observation(observation), [2.0, 3.0, 1.0])


def test_thing_without_an_actor_is_refused():
    with pytest.raises(WeightsError, match="object has no actor that can be read; SAC, TD3"):
        actor_layers(object())


def test_goal_matrix_tells_the_way():
    sizes = {"achieved_goal": 2, "desired_goal": 2, "observation": 1}
    features = goal_matrix(sizes, unit=0.1) @ [1.0, 2.0, 1.5, 1.0, 7.0]
    np.testing.assert_allclose(features, [1.0, 2.0, 5.0, -10.0, 7.0])


def test_goals_of_two_sizes_have_no_way():
    with pytest.raises(
        WeightsError, match=r"observations with goals have achieved_goal, .*, both goals of one size; got"
    ):
        goal_matrix({"achieved_goal": 2, "desired_goal": 3, "observation": 1})
