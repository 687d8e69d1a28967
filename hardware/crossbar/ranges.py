"""Ranges known before a run: how active inputs will be, how large learned weights will grow."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikearm.records import FloatArray

N_SAMPLES = 64
"""Sample inputs for calibration: enough that the largest of them is above nearly all that will come."""

_ASSUMED_RATE_HZ = 100.0


def sample_rates(model: Any, ensemble: Any, rng: np.random.Generator) -> FloatArray:
    """Firing rates of an ensemble at some of its evaluation points [Hz], shape (N_SAMPLES, n_neurons)."""
    built = model.params[ensemble]
    points = built.eval_points
    if points is None or not len(points):
        return np.full((N_SAMPLES, ensemble.n_neurons), _ASSUMED_RATE_HZ)
    chosen = points[rng.integers(len(points), size=N_SAMPLES)]
    projected = chosen @ (built.encoders.T / ensemble.radius)
    rates = ensemble.neuron_type.rates(projected, built.gain, built.bias)
    return np.abs(np.asarray(rates, dtype=np.float64))


def sample_spikes(rates_hz: FloatArray, dt_s: float, rng: np.random.Generator) -> FloatArray:
    """Spikes per step as independent Poisson numbers, same shape as the rates [1]."""
    return rng.poisson(rates_hz * dt_s).astype(np.float64)


def sample_vectors(n_inputs: int, rng: np.random.Generator) -> FloatArray:
    """Read voltages of inputs that nothing is known of: the largest of each vector lies in [0.5, 1]."""
    vectors = rng.uniform(-1.0, 1.0, (N_SAMPLES, n_inputs))
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled: FloatArray = vectors / largest * rng.uniform(0.5, 1.0, (N_SAMPLES, 1))
    return scaled


def learned_range(activities: FloatArray, output_range: float, headroom: float) -> float:
    """Weight range for decoders that are learned from zero.

    Of all decoders that give ``output_range`` at one point, those of smallest norm are
    ``d = output_range a / |a|^2``; this is also where PES arrives if only that point is visited. The
    range is the largest of these weights, in the mean over points, times a headroom for the sum of what
    several points ask of one neuron.

    Args:
        activities: Activities at sample points in the units of the signal (spikes per second times
            amplitude), shape (n_points, n_neurons).
        output_range: Largest value to decode.
        headroom: Factor.

    Returns:
        Weight at full conductance.
    """
    power = (activities**2).sum(axis=1)
    alive = power > 0
    if not alive.any():
        return headroom * output_range / _ASSUMED_RATE_HZ
    peaks = activities[alive].max(axis=1) / power[alive]
    return float(headroom * output_range * np.median(peaks))
