"""Training of the reduced representation on a small invented arm with smooth algebra."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

from spikearm.models.osc_rates import hidden_rates
from spikearm.models.osc_samples import OscSamples
from spikearm.models.osc_training_config import OscTrainingConfig
from spikearm.models.osc_weights import NEURONS, TASK_SIZE
from spikearm.models.scaling import StateScaling

if importlib.util.find_spec("torch") is None:
    pytest.skip("training is an extra; torch is not installed", allow_module_level=True)

import torch

from spikearm.models.osc_training import (
    _DEAD,
    _FULL,
    _MOTIONS,
    TaskGains,
    _linear_part,
    _modes,
    _normalised,
    _Problem,
    _Targets,
    train_osc,
)
from spikearm.models.osc_training_network import Perceptron

N_JOINTS, N_STATES = 2, 400
SCALING = StateScaling((0.0,) * 4, (1.0, 1.0, 2.0, 2.0))
GAINS = TaskGains(kp=100.0, damping=20.0, null_damping=6.0)
CONFIG = OscTrainingConfig(
    n_hidden1=24, n_hidden2=32, n_modes=3, n_per_diagonal=4, n_steps=300, batch=64, learning_rate=1e-2
)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def samples():
    """Two joints whose pose is ``sin`` of mixed angles, with matrices that depend smoothly on these."""
    rng = np.random.default_rng(7)
    q, dq = rng.uniform(-0.9, 0.9, (N_STATES, N_JOINTS)), rng.uniform(-1.8, 1.8, (N_STATES, N_JOINTS))
    mix = 0.6 * rng.standard_normal((TASK_SIZE, N_JOINTS))
    angle = q @ mix.T
    inertia = 1.0 + 0.3 * np.cos(q)
    task = inertia[:, :, None] * (mix.T + 0.3 * np.sin(angle)[:, None, :] * mix.T)
    null_inertia = 0.1 * np.einsum("ni,nj->nij", inertia, inertia)
    return OscSamples(
        q=q,
        dq=dq,
        x=0.1 * np.sin(angle),
        jacobian=0.1 * np.cos(angle)[:, :, None] * mix,
        task=task,
        support=3.0 * np.sin(q),
        null_inertia=null_inertia,
        coriolis=0.2 * dq**2 * np.sin(q),
        passive=0.5 * dq,
        inertia=inertia,
    )


@pytest.fixture
def x(samples):
    return SCALING(samples.state)


@pytest.fixture
def network(x):
    torch.manual_seed(0)
    network = Perceptron(dataclasses.replace(CONFIG, spike_noise=0.0), x.std(axis=0), np.ones(5))
    torch.nn.init.constant_(network.h2.bias, 0.2)  # so that no unit is silent
    return network


@pytest.fixture(scope="module")
def targets(samples):
    skip = _linear_part(samples, SCALING, GAINS)
    return _Targets(GAINS, _modes(samples, CONFIG.n_modes), SCALING, skip)


def train(samples, config=CONFIG, losses=None):
    return train_osc(
        "toy",
        SCALING,
        np.array((0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0)),
        samples,
        GAINS,
        config,
        progress=None if losses is None else lambda _, loss: losses.append(loss),
    )


@pytest.fixture(scope="module")
def trained(samples):
    """Weights, and the loss of every step."""
    losses: list[float] = []
    return train(samples, losses=losses), losses


def left(weights, samples, targets, neurons, decoders):
    """Share of the variance of what the hidden layers should say that is left, by output."""
    wanted = targets.reduced(samples) - weights.reduce_bias
    found = hidden_rates(weights, samples.state, neurons) @ weights.reduction(decoders).T
    return (found - wanted).var(axis=0) / wanted.var(axis=0)


def activations(network, x, bent=0.0):
    """Of the second layer while it is trained, with or without dead time."""
    states = torch.tensor(x, dtype=torch.float32)
    return network(states, torch.full((len(x), 1), bent))[1].detach().numpy().astype(np.float64)


def deployed(weights, network, x, samples, neurons):
    """Of the second layer with the weights that would be shipped, and these."""
    names = ("w1", "b1", "w2", "b2")
    weights = dataclasses.replace(
        weights, scaling=SCALING, **dict(zip(names, _normalised(network, x), strict=True))
    )
    return hidden_rates(weights, samples.state, neurons), weights


def unit_sizes(trained, answered):
    """What activation 1 was in training, by unit."""
    return np.sum(trained * answered, axis=0) / np.sum(answered**2, axis=0)


def test_normalised_units_answer_as_they_did(network, osc_weights, x, samples):
    trained = activations(network, x)
    answered, _ = deployed(osc_weights, network, x, samples, "rates")
    assert answered.shape == trained.shape
    sizes = unit_sizes(trained, answered)
    np.testing.assert_allclose(answered * sizes, trained, atol=1e-5 * trained.max())


def test_normalised_units_are_bent_as_in_training(network, osc_weights, x, samples):
    sizes = unit_sizes(activations(network, x), deployed(osc_weights, network, x, samples, "rates")[0])
    trained = activations(network, x, bent=1.0)
    answered, _ = deployed(osc_weights, network, x, samples, "dead time")
    straight = activations(network, x)
    size = straight.max(axis=0)
    bend, wrong = (
        np.sqrt(np.mean(((other - trained) / size) ** 2)) for other in (straight, answered * sizes)
    )
    assert wrong < min(0.3 * bend, 0.01)


def test_activation_one_is_nearly_the_largest(network, osc_weights, x, samples):
    answered, weights = deployed(osc_weights, network, x, samples, "rates")
    full, largest = np.quantile(answered, _FULL, axis=0), np.abs(weights.w2).max(axis=1)
    assert (full < 1.0 + 1e-9).all()
    assert np.isclose(full, 1.0).mean() > 0.5
    np.testing.assert_allclose(largest[full < 1.0 - 1e-9], largest.max())


def test_unit_with_strong_weights_stays_below_activation_one(network, osc_weights, x, samples):
    with torch.no_grad():
        network.h2.weight[5] *= 100.0
        network.h2.bias[5] = -0.98 * activations(network, x)[:, 5].max()
    trained = activations(network, x)
    answered, weights = deployed(osc_weights, network, x, samples, "rates")
    largest = np.abs(weights.w2).max(axis=1)
    assert 0.0 < np.quantile(answered[:, 5], _FULL) < 0.9
    assert largest[5] == pytest.approx(largest.max())
    np.testing.assert_allclose(answered * unit_sizes(trained, answered), trained, atol=1e-5 * trained.max())


@pytest.mark.parametrize(("layer", "sizes"), [("h1", (23, 32)), ("h2", (24, 31))])
def test_units_that_never_fire_are_left_out(network, osc_weights, x, samples, layer, sizes):
    with torch.no_grad():
        getattr(network, layer).bias[7] = -100.0
    trained = activations(network, x)
    answered, weights = deployed(osc_weights, network, x, samples, "rates")
    assert (len(weights.b1), len(weights.b2)) == sizes
    kept = np.delete(trained, 7, axis=1) if layer == "h2" else trained
    np.testing.assert_allclose(answered * unit_sizes(kept, answered), kept, atol=1e-5 * trained.max())


def test_unit_that_hardly_fires_is_left_out(network, x):
    with torch.no_grad():
        network.h2.weight[7] *= 0.1 * _DEAD
        network.h2.bias[7] *= 0.1 * _DEAD
    assert len(_normalised(network, x)[3]) == CONFIG.n_hidden2 - 1


def test_all_modes_together_are_the_inertia(samples):
    modes = _modes(samples, TASK_SIZE * N_JOINTS)
    back = modes.matrices(modes.mean + modes.coefficients(samples.task) @ modes.components)
    np.testing.assert_allclose(back, samples.task, atol=1e-12)


def test_modes_are_principal_components(samples):
    modes = _modes(samples, 4)
    spread = np.cov(modes.coefficients(samples.task).T)
    np.testing.assert_allclose(modes.components @ modes.components.T, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(spread, np.diag(np.diag(spread)), atol=1e-12 * spread.max())
    assert (np.diff(np.diag(spread)) < 0.0).all()
    weighted = (samples.task * modes.weight).reshape(N_STATES, -1)
    in_all = np.linalg.eigvalsh(np.cov(weighted.T))[::-1]
    np.testing.assert_allclose(np.diag(spread), in_all[:4])


def test_modes_weigh_joints_by_their_inertia_and_axes_by_their_accelerations(samples):
    weight = _modes(samples, 1).weight
    inertia = samples.inertia.mean(axis=0)
    np.testing.assert_allclose(weight[:, 3:] / weight[:, :3], 2.0)
    np.testing.assert_allclose(weight[0] / weight[1], np.sqrt(inertia[1] / inertia[0]))


def test_linear_part_is_all_of_what_is_linear(samples, rng):
    matrix = rng.standard_normal((TASK_SIZE, 2 * N_JOINTS))
    pose, turn = np.split(matrix, 2, axis=1)
    linear = dataclasses.replace(
        samples,
        x=samples.q @ pose.T + 0.3,
        jacobian=np.broadcast_to(turn, (N_STATES, TASK_SIZE, N_JOINTS)),
    )
    found = _linear_part(linear, SCALING, GAINS)
    expected = np.concatenate((GAINS.kp * pose, GAINS.damping * turn), axis=1) * SCALING.half_range
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_what_the_linear_part_leaves_is_not_correlated_with_the_state(samples, x, targets):
    rest = targets.reduced(samples)[:, :TASK_SIZE]
    covariance = (rest - rest.mean(axis=0)).T @ (x - x.mean(axis=0)) / N_STATES
    share = samples.arm_share(GAINS.kp, GAINS.damping)
    np.testing.assert_allclose(covariance, 0.0, atol=1e-9 * share.std())


def test_drawn_states_move_forwards_backwards_and_not_at_all(samples, x, targets, rng):
    state, _ = _Problem(samples, targets).draw(20_000, rng)
    drawn = state.numpy().astype(np.float64)
    nearest = np.abs(drawn[:, None, 0] - x[None, :, 0]).argmin(axis=1)
    np.testing.assert_allclose(drawn[:, :2], x[nearest, :2], atol=1e-6)
    factor = np.sum(drawn[:, 2:] * x[nearest, 2:], axis=1) / np.sum(x[nearest, 2:] ** 2, axis=1)
    np.testing.assert_allclose(factor, np.round(factor), atol=1e-5)
    shares = [np.mean(np.round(factor) == motion) for motion in _MOTIONS]
    np.testing.assert_allclose(shares, list(_MOTIONS.values()), atol=0.02)
    assert len(np.unique(nearest)) == N_STATES


def test_drawn_targets_are_those_of_the_drawn_states(samples, x, targets, rng):
    problem = _Problem(samples, targets)
    state, wanted = problem.draw(500, rng)
    drawn = state.numpy().astype(np.float64)
    nearest = np.abs(drawn[:, None, 0] - x[None, :, 0]).argmin(axis=1)
    factor = np.round(np.sum(drawn[:, 2:] * x[nearest, 2:], axis=1) / np.sum(x[nearest, 2:] ** 2, axis=1))
    still = targets.all(samples)
    expected = (targets.all(samples[nearest].moving(factor)) - still.mean(axis=0)) / still.std(axis=0)
    np.testing.assert_allclose(
        wanted.numpy(), expected * problem.spread, rtol=1e-4, atol=1e-4 * problem.spread.max()
    )


def test_a_millimetre_is_a_unit_of_error(samples, targets):
    spread = _Problem(samples, targets).spread
    metres = targets.reduced(samples)[:, :TASK_SIZE].std(axis=0) / GAINS.kp
    np.testing.assert_allclose(spread[:3], 1e3 * metres[:3])
    np.testing.assert_allclose(spread[3:TASK_SIZE], 1e3 * 0.5 * metres[3:])  # half a metre from the joint


def test_loss_falls(trained):
    _, losses = trained
    assert len(losses) == CONFIG.n_steps
    assert np.mean(losses[-10:]) < 0.2 * np.mean(losses[:5])


def test_share_with_dead_time_reaches_the_weights(samples):
    short = dataclasses.replace(CONFIG, n_steps=5)
    none, half, again = (
        train(samples, dataclasses.replace(short, dead_time_share=share)) for share in (0.0, 0.5, 0.5)
    )
    np.testing.assert_array_equal(half.w2, again.w2)
    assert none.w1.shape != half.w1.shape or not np.array_equal(none.w1, half.w1)


def test_every_kind_of_neurons_has_the_decoders_that_fit_it(trained, samples, targets):
    weights, _ = trained
    for kind in NEURONS:
        by_decoders = {other: left(weights, samples, targets, kind, other).mean() for other in NEURONS}
        assert min(by_decoders, key=by_decoders.get) == kind


@pytest.mark.parametrize("kind", NEURONS)
def test_training_is_what_makes_the_hidden_layers_tell(trained, samples, targets, kind):
    untrained = train(samples, dataclasses.replace(CONFIG, n_steps=1))
    before = left(untrained, samples, targets, kind, kind)
    assert left(trained[0], samples, targets, kind, kind).mean() < 0.9 * before.mean()
