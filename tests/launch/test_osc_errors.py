"""Errors of the spiking controller's rates, and what of its work is linear."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.launch.osc_data import Reaching, draw_samples
from spikearm.launch.osc_errors import linear_part, rate_errors
from spikearm.models.osc_weights import load_osc, shipped_osc_path

WEIGHTS = load_osc(shipped_osc_path("iiwa14"))
NULL_DAMPING = Gains(kp=10.0).damping


@pytest.fixture(scope="module")
def samples():
    """States of a reach that nothing was trained on."""
    arm = load_arm("iiwa14")
    return draw_samples(
        Reaching(arm, MujocoDynamics(arm), Gains(kp=150.0)), np.random.default_rng(9101), n_reaches=1
    )


def test_neurons_leave_little_of_what_the_linear_part_leaves(samples):
    errors = rate_errors(samples, WEIGHTS, np.random.default_rng(1), null_damping=NULL_DAMPING)
    alone = linear_part(samples, WEIGHTS).pose_alone
    assert np.linalg.norm(errors.pose) < 0.1 * np.linalg.norm(alone)
    assert {len(error) for error in errors.torque_nm.values()} == {WEIGHTS.n_joints}


def test_a_linear_part_that_is_the_best_fit_explains_what_the_fit_does(samples):
    state, share = WEIGHTS.scaling(samples.state), samples.arm_share(WEIGHTS.kp, WEIGHTS.damping)
    fit, *_ = np.linalg.lstsq(state - state.mean(axis=0), share - share.mean(axis=0))
    rest = share - share.mean(axis=0) - (state - state.mean(axis=0)) @ fit
    found = linear_part(samples, dataclasses.replace(WEIGHTS, skip=fit.T))
    np.testing.assert_allclose(found.explained, 1.0 - rest.var(axis=0) / share.var(axis=0))


def test_without_a_linear_part_nothing_is_explained(samples):
    found = linear_part(samples, dataclasses.replace(WEIGHTS, skip=np.zeros_like(WEIGHTS.skip)))
    np.testing.assert_allclose(found.explained, 0.0, atol=1e-12)
