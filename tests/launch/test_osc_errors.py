"""Errors of what the spiking controller's neurons answer in the mean, and what of its work is linear."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.launch.osc_data import Reaching, draw_samples
from spikearm.launch.osc_errors import linear_part, mean_errors
from spikearm.models.osc_rates import HIDDEN_HZ, bend, hidden_rates, rates, response
from spikearm.models.osc_readout import random_commands, wanted_torque, with_constant
from spikearm.models.osc_weights import NEURONS, load_osc, readout_name, shipped_osc_path

WEIGHTS = load_osc(shipped_osc_path("iiwa14"))
NULL_DAMPING = Gains(kp=10.0).damping


def draw(seed, n_reaches):
    arm = load_arm("iiwa14")
    reaching = Reaching(arm, MujocoDynamics(arm), Gains(kp=150.0))
    return draw_samples(reaching, np.random.default_rng(seed), n_reaches=n_reaches)


@pytest.fixture(scope="module")
def samples():
    """States of a reach that nothing was trained on."""
    return draw(9101, 1)


@pytest.fixture(scope="module")
def errors(samples):
    return mean_errors(samples, WEIGHTS, np.random.default_rng(1), null_damping=NULL_DAMPING)


@pytest.mark.parametrize("neurons", NEURONS)
def test_neurons_leave_little_of_what_the_linear_part_leaves(samples, errors, neurons):
    alone = linear_part(samples, WEIGHTS).pose_alone
    assert np.linalg.norm(errors.pose[neurons]) < 0.1 * np.linalg.norm(alone)


@pytest.mark.parametrize("neurons", NEURONS)
@pytest.mark.parametrize("feedforward", [False, True])
def test_torques_are_judged_by_the_decoders_of_their_neurons(samples, errors, neurons, feedforward):
    rng = np.random.default_rng(1)
    some = samples[rng.permutation(len(samples))]
    command = random_commands(some, WEIGHTS, rng)
    wanted = wanted_torque(some, WEIGHTS, command, feedforward=feedforward, null_damping=NULL_DAMPING)
    name = readout_name(neurons, feedforward=feedforward)
    found = with_constant(rates(WEIGHTS, some.state, command, neurons)) @ WEIGHTS.readout(name).T
    expected = np.sqrt(np.mean((found - wanted) ** 2, axis=0))
    np.testing.assert_allclose(errors.torque_nm[name], expected)
    assert (expected < 0.1 * wanted.std(axis=0).max()).all()


def test_there_are_errors_of_every_kind_of_neurons(errors):
    assert tuple(errors.pose) == NEURONS
    assert set(errors.torque_nm) == set(WEIGHTS.readouts)


def test_dead_time_changes_little_at_the_typical_activation_of_these_weights():
    """Of an active unit, weighted with the activation itself: 0.42 on all states of the training."""
    gain, loss = bend(HIDDEN_HZ)
    unchanged = (gain - 1.0) / loss
    state = draw(1, 40).state
    h1 = response(WEIGHTS.scaling(state) @ WEIGHTS.w1.T + WEIGHTS.b1, 0.0, HIDDEN_HZ, "rates")
    for activation in (h1, hidden_rates(WEIGHTS, state)):
        assert np.sum(activation**2) / np.sum(activation) == pytest.approx(unchanged, abs=0.08)


def test_a_linear_part_that_is_the_best_fit_explains_what_the_fit_does(samples):
    state, share = WEIGHTS.scaling(samples.state), samples.arm_share(WEIGHTS.kp, WEIGHTS.damping)
    fit, *_ = np.linalg.lstsq(state - state.mean(axis=0), share - share.mean(axis=0))
    rest = share - share.mean(axis=0) - (state - state.mean(axis=0)) @ fit
    found = linear_part(samples, dataclasses.replace(WEIGHTS, skip=fit.T))
    np.testing.assert_allclose(found.explained, 1.0 - rest.var(axis=0) / share.var(axis=0))


def test_without_a_linear_part_nothing_is_explained(samples):
    found = linear_part(samples, dataclasses.replace(WEIGHTS, skip=np.zeros_like(WEIGHTS.skip)))
    np.testing.assert_allclose(found.explained, 0.0, atol=1e-12)
