from __future__ import annotations

import math

import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.models.scaling import StateScaling

SCALING = StateScaling((1.0, -2.0), (0.5, 4.0))


def test_centre_becomes_zero_and_the_ends_one():
    np.testing.assert_array_equal(SCALING(np.array([1.0, -2.0])), [0, 0])
    np.testing.assert_array_equal(SCALING(np.array([1.5, -6.0])), [1, -1])


def test_scaling_is_affine_inside():
    np.testing.assert_allclose(SCALING(np.array([1.25, 0.0])), [0.5, 0.5])


def test_what_lies_beyond_is_clipped():
    np.testing.assert_array_equal(SCALING(np.array([100.0, -100.0])), [1, -1])


def test_batches_are_scaled_row_by_row(rng):
    states = rng.normal(size=(3, 4, 2))
    np.testing.assert_array_equal(SCALING(states)[1, 2], SCALING(states[1, 2]))


def test_size_is_the_number_of_dimensions():
    assert SCALING.size == 2


def test_lengths_must_agree():
    with pytest.raises(ConfigError, match="center has 1 values and half_range 2; give one each"):
        StateScaling((0.0,), (1.0, 1.0))


@pytest.mark.parametrize(
    ("center", "half_range"), [(math.nan, 1.0), (math.inf, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, math.nan)]
)
def test_figures_that_make_no_scale_are_refused(center, half_range):
    with pytest.raises(ConfigError, match="center must be finite and half_range positive"):
        StateScaling((center,), (half_range,))
