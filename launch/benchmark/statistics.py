"""The statistics of the protocols: normalised error and bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from spikearm.errors import ConfigError
from spikearm.records import FloatArray

N_RESAMPLES = 3000
"""Bootstrap samples, as published by DeWolf, Jaworski and Eliasmith 2020 (Front. Neurorobot. 14:568359)."""

LEVEL = 0.95

MIN_VALUES = 4
"""Fewer values have no interval: of one it has no width, of two or three it is all that was seen. Of five,
as many as are published, it covers the mean of Gaussian values in 84 % of cases, not in 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A mean and its confidence interval.

    Attributes:
        mean: Of the values themselves.
        low: Lower end of the interval; None where there are too few values for one.
        high: Upper end, or None.
    """

    mean: float
    low: float | None
    high: float | None

    def document(self) -> dict[str, float | None]:
        """As JSON."""
        return asdict(self)


def bootstrap_mean(
    values: FloatArray, rng: np.random.Generator, *, n_resamples: int = N_RESAMPLES, level: float = LEVEL
) -> Estimate:
    """Percentile bootstrap of the mean (Efron and Tibshirani 1993, ch. 13).

    Args:
        values: Independent values, one per session, shape (n,).
        rng: Draws the samples, with replacement.
        n_resamples: Number of samples.
        level: Probability that the interval is to cover.

    Raises:
        ConfigError: There is no value, or one is not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ConfigError(f"a bootstrap needs at least one finite value per session; got {values.tolist()}.")
    drawn = rng.integers(values.size, size=(n_resamples, values.size))
    return _estimate(float(values.mean()), values[drawn].mean(axis=1), values.size, level)


def bootstrap_paired(
    values: FloatArray,
    baseline: FloatArray,
    compare: Callable[[FloatArray, FloatArray], FloatArray],
    rng: np.random.Generator,
    *,
    n_resamples: int = N_RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Percentile bootstrap of a comparison of two means, in pairs.

    Both controllers' values of a session are drawn together: what makes it hard for both is no evidence of a
    difference. The reaches of a session are no values of their own: they share network and devices.

    Args:
        values: One per session, shape (n,).
        baseline: Those of the controller it is compared to, in the same sessions, shape (n,).
        compare: From the means of both, arrays of one shape, to what is estimated.
        rng: Draws the samples, with replacement.
        n_resamples: Number of samples.
        level: Probability that the interval is to cover.

    Raises:
        ConfigError: There is nothing to compare, or not the same number of both.
    """
    if not len(values) or len(values) != len(baseline):
        raise ConfigError(
            f"a comparison needs the same sessions of both; got {len(values)} and {len(baseline)}."
        )
    drawn = rng.integers(len(values), size=(n_resamples, len(values)))
    compared = compare(values[drawn].mean(axis=1), baseline[drawn].mean(axis=1))
    mean = compare(values.mean(keepdims=True), baseline.mean(keepdims=True))
    return _estimate(float(mean[0]), compared, len(values), level)


def _estimate(mean: float, resampled: FloatArray, n_values: int, level: float) -> Estimate:
    if n_values < MIN_VALUES:
        return Estimate(mean, None, None)
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(resampled, (tail, 100.0 - tail))
    return Estimate(mean, float(low), float(high))


def percent_more(value: FloatArray, baseline: FloatArray) -> FloatArray:
    """By how many percent a value is larger than another one."""
    percent: FloatArray = 100.0 * (value / baseline - 1.0)
    return percent


def percent_more_rms(square: FloatArray, baseline: FloatArray) -> FloatArray:
    """By how many percent a root mean square is larger than another one, from the mean squares."""
    return percent_more(np.sqrt(square), np.sqrt(baseline))


def normalised_error(error: FloatArray, zero: FloatArray, one: FloatArray) -> FloatArray:
    """Errors on a scale from 0 (no perturbation) to 1 (perturbation, no adaptation).

    ``(error - zero) / (one - zero)``, as DeWolf, Jaworski and Eliasmith 2020 publish it.

    Args:
        error: Errors, one per session [m], shape (n,).
        zero: Those of PD control without perturbation, same shape.
        one: Those of PD control with it, same shape.

    Raises:
        ConfigError: The perturbation did not raise the error of a session: there is no scale.
    """
    span = np.asarray(one) - np.asarray(zero)
    if (span <= 0).any():
        raise ConfigError(
            f"the perturbation does not make PD control worse in session {int(np.argmin(span)) + 1} "
            f"({np.min(span):.3g} m): there is nothing to adapt to; use a heavier one."
        )
    scaled: FloatArray = (np.asarray(error) - zero) / span
    return scaled
