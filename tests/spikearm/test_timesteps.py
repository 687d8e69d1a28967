from __future__ import annotations

import math

import pytest

from spikearm.errors import TimeStepError
from spikearm.timesteps import n_steps, ticks_in


def steps(outer_s: float, inner_s: float) -> int:
    return n_steps(outer_s, inner_s, outer="control step", inner="network step")


@pytest.mark.parametrize("inner_s", [1e-4, 2.5e-4, 3e-4, 7e-4, 0.001, 0.002])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 1000])
def test_whole_multiples_are_counted_whatever_the_rounding(inner_s, n):
    assert steps(n * inner_s, inner_s) == n


def test_sum_of_decimal_fractions_is_a_multiple():
    assert steps(0.1 + 0.2, 0.1) == 3


def test_step_that_does_not_divide_names_both_and_two_that_do():
    with pytest.raises(TimeStepError) as caught:
        steps(0.0025, 0.001)
    assert str(caught.value) == (
        "control step 0.0025 s is not a multiple of network step 0.001 s; use e.g. 0.002 s or 0.003 s."
    )


def test_shorter_outer_step_is_refused_with_steps_that_work():
    with pytest.raises(TimeStepError, match=r"use e\.g\. 0\.001 s or 0\.002 s"):
        steps(0.0005, 0.001)


@pytest.mark.parametrize("value", [0.0, -0.001, math.nan, math.inf])
def test_step_must_be_positive_and_finite(value):
    with pytest.raises(TimeStepError, match="control step must be a positive number of seconds"):
        steps(value, 0.001)
    with pytest.raises(TimeStepError, match="network step must be a positive number of seconds"):
        steps(0.001, value)


def test_patience_is_the_nearest_number_of_ticks_and_never_none():
    assert [ticks_in(0.02, dt_s) for dt_s in (1e-3, 3e-3, 5e-3, 0.02, 1.0)] == [20, 7, 4, 1, 1]
