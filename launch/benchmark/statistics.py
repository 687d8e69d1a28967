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


@dataclass(frozen=True)
class Estimate:
    """A mean and its confidence interval.

    Attributes:
        mean: Of the values themselves.
        low: Lower end of the interval.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    def document(self) -> dict[str, float]:
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
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(values[drawn].mean(axis=1), (tail, 100.0 - tail))
    return Estimate(float(values.mean()), float(low), float(high))


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

    Both controllers' values of a session (or a reach) are drawn together: what makes it hard for both is no
    evidence of a difference.

    Args:
        values: One per session or reach, shape (n,).
        baseline: Those of the controller it is compared to, in the same sessions or reaches, shape (n,).
        compare: From the means of both, arrays of one shape, to what is estimated.
        rng: Draws the samples, with replacement.
        n_resamples: Number of samples.
        level: Probability that the interval is to cover.

    Raises:
        ConfigError: There is nothing to compare, or not the same number of both.
    """
    if not len(values) or len(values) != len(baseline):
        raise ConfigError(
            f"a comparison needs the same sessions or reaches of both controllers; got {len(values)} and "
            f"{len(baseline)}."
        )
    drawn = rng.integers(len(values), size=(n_resamples, len(values)))
    compared = compare(values[drawn].mean(axis=1), baseline[drawn].mean(axis=1))
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(compared, (tail, 100.0 - tail))
    mean = compare(values.mean(keepdims=True), baseline.mean(keepdims=True))
    return Estimate(float(mean[0]), float(low), float(high))


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
