import math

import numpy as np
import pytest

from spikearm.finite import all_finite


def test_finite_numbers_are_told_however_large():
    assert all_finite(np.array((0.0, -1.0, 1e308, 5e-324)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 3])
def test_one_number_that_is_not_finite_is_found(value, place):
    values = np.ones(4)
    values[place] = value
    assert not all_finite(values)
