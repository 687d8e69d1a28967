"""What the neurons of the spiking operational-space controller answer in the mean."""

from __future__ import annotations

import numpy as np

from spikearm.models.osc_weights import TASK_SIZE, OscWeights
from spikearm.records import FloatArray

HIDDEN_HZ = 300.0
"""Firing rate of hidden units at activation 1. The next layer rectifies what it gets, ripple included; a
rectified ripple is a bias, and it falls with the square of the rate."""
PRODUCT_HZ = 150.0
"""The same of product neurons: behind them comes the arm alone, which no ripple moves."""

DEAD_TIME_S = 0.0005
"""Time that a neuron of Loihi loses at each spike: what is above the threshold is dropped, on average half a
time step of its input."""
_TYPICAL_ACTIVATION = 0.45
"""Mean activation of an active unit, weighted with the activation itself: where dead time changes nothing."""


def amplitude(rate_hz: float, dead_time_s: float) -> float:
    """What one spike counts [s]: ``1 / rate_hz``, and more by what neurons lose typically."""
    return (1.0 + dead_time_s * rate_hz * _TYPICAL_ACTIVATION) / rate_hz


def response(activation: FloatArray, rate_hz: float, dead_time_s: float) -> FloatArray:
    """Activation that the spikes of a rectified-linear neuron stand for.

    Between two spikes pass ``1 / (rate_hz activation) + dead_time_s``.
    """
    rectified = np.maximum(activation, 0.0)
    rate: FloatArray = rate_hz * rectified / (1.0 + dead_time_s * rate_hz * rectified)
    return rate * amplitude(rate_hz, dead_time_s)


def hidden_rates(weights: OscWeights, state: FloatArray, *, dead_time_s: float = 0.0) -> FloatArray:
    """Activation of the second hidden layer, shape (n, n2), of states (q, dq), shape (n, n_state)."""
    h1 = response(weights.scaling(state) @ weights.w1.T + weights.b1, HIDDEN_HZ, dead_time_s)
    return response(h1 @ weights.w2.T + weights.b2, HIDDEN_HZ, dead_time_s)


def rates(
    weights: OscWeights, state: FloatArray, command: FloatArray, *, dead_time_s: float = 0.0
) -> FloatArray:
    """Activation of all decoded neurons, without spikes or dynamics.

    Args:
        weights: The network.
        state: (q, dq), shape (n, n_state).
        command: The target's share of the acceleration [m/s^2, rad/s^2], shape (n, 6).
        dead_time_s: Of every neuron [s].

    Returns:
        Shape (n, n_units).
    """
    h2 = hidden_rates(weights, state, dead_time_s=dead_time_s)
    reduced = h2 @ weights.reduction(dead_time=dead_time_s > 0).T + weights.reduce_bias
    reduced[:, :TASK_SIZE] = command - reduced[:, :TASK_SIZE]
    products = response(reduced @ weights.encoders.T + weights.product_bias, PRODUCT_HZ, dead_time_s)
    return np.concatenate((h2, products), axis=1)
