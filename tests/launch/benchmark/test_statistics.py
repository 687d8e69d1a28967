from __future__ import annotations

import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.launch.benchmark.statistics import (
    Estimate,
    bootstrap_mean,
    bootstrap_paired,
    normalised_error,
    percent_more,
    percent_more_rms,
)


def test_bootstrap_of_equal_values_has_no_width(rng):
    assert bootstrap_mean(np.full(5, 2.5), rng) == Estimate(2.5, 2.5, 2.5)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_values_have_a_mean_and_no_interval(rng, n):
    values = np.arange(1.0, n + 1.0)
    assert bootstrap_mean(values, rng) == Estimate(values.mean(), None, None)
    assert bootstrap_paired(values, values, percent_more, rng) == Estimate(0.0, None, None)


def test_interval_of_five_values_covers_less_than_it_says(rng):
    """What MIN_VALUES tells: the percentile bootstrap is narrow where there are few values."""
    found = [bootstrap_mean(rng.normal(0.0, 1.0, 5), rng, n_resamples=400) for _ in range(1000)]
    assert np.mean([e.low <= 0.0 <= e.high for e in found]) == pytest.approx(0.84, abs=0.03)


def test_bootstrap_agrees_with_the_normal_theory_where_it_holds(rng):
    values = rng.normal(7.0, 2.0, 400)
    found = bootstrap_mean(values, rng, n_resamples=20_000)
    error = values.std() / np.sqrt(values.size)
    assert found.mean == values.mean()
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.05 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.05 * error)


def test_bootstrap_interval_covers_the_truth_as_often_as_it_says(rng):
    found = [bootstrap_mean(rng.normal(0.0, 1.0, 60), rng, n_resamples=400) for _ in range(400)]
    assert np.mean([e.low <= 0.0 <= e.high for e in found]) == pytest.approx(0.94, abs=0.035)


def test_wider_level_gives_a_wider_interval():
    values = np.arange(10.0)
    narrow, wide = (bootstrap_mean(values, np.random.default_rng(0), level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < values.mean() < narrow.high < wide.high


def test_same_generator_same_interval():
    first, second = (bootstrap_mean(np.arange(5.0), np.random.default_rng(1)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [[1.0, 2.0]]])
def test_bootstrap_without_finite_values_is_refused(rng, values):
    with pytest.raises(ConfigError, match="at least one finite value per session"):
        bootstrap_mean(np.array(values), rng)


def test_rms_twice_as_large_is_a_hundred_percent_more_in_every_sample(rng):
    squares = rng.uniform(1.0, 2.0, 20)
    more = bootstrap_paired(4.0 * squares, squares, percent_more_rms, rng)
    np.testing.assert_allclose((more.mean, more.low, more.high), 100.0)


def test_comparison_is_in_pairs(rng):
    """Sessions differ a millionfold, the two controllers by one percent in each: no doubt about it."""
    values = np.geomspace(1e-6, 1.0, 30)
    more = bootstrap_paired(1.01 * values, values, percent_more, rng)
    np.testing.assert_allclose((more.mean, more.low, more.high), 1.0)


def test_difference_of_pairs_has_the_width_of_the_differences_alone(rng):
    common = 100.0 * rng.standard_normal(50)
    found = bootstrap_paired(common + 1.0 + 0.01 * rng.standard_normal(50), common, np.subtract, rng)
    assert 0.98 < found.low < found.mean < found.high < 1.02


@pytest.mark.parametrize(("n", "m"), [(2, 3), (0, 0)])
def test_comparison_of_different_sessions_is_refused(rng, n, m):
    with pytest.raises(ConfigError, match=f"same sessions of both; got {n} and {m}"):
        bootstrap_paired(np.ones(n), np.ones(m), percent_more, rng)


def test_normalised_error_of_the_references_is_zero_and_one(rng):
    zero, one = rng.uniform(0.0, 1.0, 5), rng.uniform(2.0, 3.0, 5)
    np.testing.assert_array_equal(normalised_error(zero, zero, one), 0.0)
    np.testing.assert_array_equal(normalised_error(one, zero, one), 1.0)
    np.testing.assert_allclose(normalised_error(0.5 * (zero + one), zero, one), 0.5)


def test_normalised_error_may_leave_the_scale():
    zero, one = np.array([1.0]), np.array([3.0])
    assert normalised_error(np.array([0.0]), zero, one) == -0.5
    assert normalised_error(np.array([7.0]), zero, one) == 3.0


def test_perturbation_without_effect_gives_no_scale():
    with pytest.raises(ConfigError, match="does not make PD control worse in session 2"):
        normalised_error(np.ones(2), np.ones(2), np.array([2.0, 1.0]))
