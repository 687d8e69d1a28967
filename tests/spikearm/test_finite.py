from __future__ import annotations

import numpy as np
import pytest

from spikearm.finite import all_finite


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(7,), (2, 3), ()])
def test_one_number_that_is_none_is_found(bad, shape):
    values = np.full(shape, 0.5)
    assert all_finite(values)
    values.flat[-1] = bad
    assert not all_finite(values)


def test_numbers_whose_squares_are_none_are_finite():
    assert all_finite(np.array([1e300, -1e300, 1e-300]))


def test_no_number_is_finite():
    assert all_finite(np.zeros(0))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_need_not_be_an_array_of_doubles(bad):
    for fine in ([0.5, 1], (1, 2), 3, 0.5, np.float32(0.5), [[1.0], [2.0]], np.array((1, 2)), [True], []):
        assert all_finite(fine)
    for spoilt in (
        [0.5, bad],
        (1, bad),
        bad,
        np.float32(bad),
        [[1.0], [bad]],
        np.array((1, bad), np.float32),
    ):
        assert not all_finite(spoilt)
