"""What the neurons of the spiking operational-space controller answer in the mean."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spikearm.models.osc_weights import TASK_SIZE, Neurons, OscWeights
from spikearm.records import FloatArray

HIDDEN_HZ = 300.0
"""Firing rate of hidden units at activation 1. The next layer rectifies what it gets, ripple included; a
rectified ripple is a bias, and it falls with the square of the rate."""
TAU_S = 0.005
"""Synapse behind hidden units [s]."""
PRODUCT_HZ = 150.0
"""The same of product neurons: behind them comes the arm alone, which no ripple moves."""

DEAD_TIME_S = 0.0005
"""Time that a neuron of Loihi loses at each spike: what is above the threshold is dropped, on average half a
time step of its input."""
_TYPICAL_ACTIVATION = 0.45
"""About the mean activation of an active unit, weighted with the activation itself: where dead time changes
nothing. With the shipped weights it is 0.42 in both layers, on the states of their training."""

_AT_A_TIME = 4096
"""States whose rates are computed together: more would only take memory."""


def parts(n_states: int) -> list[NDArray[np.intp]]:
    """Indices of so many states, in parts whose rates are computed at a time."""
    return np.array_split(np.arange(n_states), -(-n_states // _AT_A_TIME))


def amplitude(rate_hz: float, neurons: Neurons) -> float:
    """What one spike counts [s]: ``1 / rate_hz``, and more by what neurons with dead time lose typically."""
    dead_time_s = DEAD_TIME_S if neurons == "dead time" else 0.0
    return (1.0 + dead_time_s * rate_hz * _TYPICAL_ACTIVATION) / rate_hz


def bend(rate_hz: float) -> tuple[float, float]:
    """What dead time does to an activation ``a``: it becomes ``gain a / (1 + loss a)``; gain and loss."""
    return rate_hz * amplitude(rate_hz, "dead time"), DEAD_TIME_S * rate_hz


def response(
    activation: FloatArray, variance: FloatArray | float, rate_hz: float, neurons: Neurons
) -> FloatArray:
    """Mean activation that the output of rectified-linear neurons stands for.

    Spiking neurons rectify their input at every moment. Of an input with Gaussian ripple ``s`` about ``m``
    the mean of the positive part is ``m Phi(m / s) + s phi(m / s)``. With dead time,
    ``1 / (rate_hz activation) + dead_time`` pass between two spikes; Loihi's neurons add up their input
    before they rectify it, which takes most of the ripple away, and none is assumed.

    Args:
        activation: Mean of the input, any shape.
        variance: That of its ripple, same shape.
        rate_hz: Firing rate at activation 1.
        neurons: Which kind.
    """
    if neurons == "spikes":
        return _rectified_mean(activation, variance)
    rectified: FloatArray = np.maximum(activation, 0.0)
    if neurons == "dead time":
        gain, loss = bend(rate_hz)
        rectified *= gain / (1.0 + loss * rectified)
    return rectified


def _rectified_mean(mean: FloatArray, variance: FloatArray | float) -> FloatArray:
    deviation = np.sqrt(np.maximum(variance, 1e-12))
    t = np.clip(mean / deviation, -8.0, 8.0)
    phi = np.exp(-0.5 * t**2) / math.sqrt(2.0 * math.pi)
    # Page 1977, Applied Statistics 26:75; right to 1.4e-4 for every t.
    below = 0.5 + 0.5 * np.tanh(0.7988 * t * (1.0 + 0.04417 * t**2))
    rectified: FloatArray = mean * below + deviation * phi
    return rectified


def ripple(activation: FloatArray) -> FloatArray:
    """Variance of a hidden unit's output behind its synapse.

    Spikes at regular intervals ``1 / f`` through ``exp(-t / tau) / tau`` have the mean ``f`` and the mean
    square ``f / (2 tau) coth(1 / (2 f tau))``, the integral over one interval.
    """
    f = np.maximum(HIDDEN_HZ * activation, 1e-6)
    square = f / (2.0 * TAU_S * np.tanh(0.5 / (f * TAU_S)))
    variance: FloatArray = (square - f**2) / HIDDEN_HZ**2
    return variance


def hidden_rates(weights: OscWeights, state: FloatArray, neurons: Neurons = "rates") -> FloatArray:
    """Activation of the second hidden layer, shape (n, n2), of states (q, dq), shape (n, n_state)."""
    # What enters the first layer comes from no neurons, and has no ripple.
    h1 = response(weights.scaling(state) @ weights.w1.T + weights.b1, 0.0, HIDDEN_HZ, neurons)
    variance = ripple(h1) @ np.square(weights.w2).T if neurons == "spikes" else 0.0
    return response(h1 @ weights.w2.T + weights.b2, variance, HIDDEN_HZ, neurons)


def reduced_rates(
    weights: OscWeights, state: FloatArray, h2: FloatArray, neurons: Neurons = "rates"
) -> FloatArray:
    """The arm's share of the acceleration and the modes, shape (n, 6 + n_modes), of these activations."""
    reduced: FloatArray = h2 @ weights.reduction(neurons).T + weights.reduce_bias
    reduced[:, :TASK_SIZE] += weights.scaling(state) @ weights.skip.T
    return reduced


def rates(
    weights: OscWeights, state: FloatArray, command: FloatArray, neurons: Neurons = "rates"
) -> FloatArray:
    """Mean activation of all decoded neurons, without dynamics.

    Args:
        weights: The network.
        state: (q, dq), shape (n, n_state).
        command: The target's share of the acceleration [m/s^2, rad/s^2], shape (n, 6).
        neurons: Which kind.

    Returns:
        Shape (n, n_units).
    """
    h2 = hidden_rates(weights, state, neurons)
    reduce = weights.reduction(neurons)
    reduced = reduced_rates(weights, state, h2, neurons)
    reduced[:, :TASK_SIZE] = command - reduced[:, :TASK_SIZE]
    signs = np.repeat((-1.0, 1.0), (TASK_SIZE, weights.n_modes))
    through = (weights.encoders * signs) @ reduce  # (n_products, n2)
    variance = ripple(h2) @ np.square(through).T if neurons == "spikes" else 0.0
    drive = reduced @ weights.encoders.T + weights.product_bias
    return np.concatenate((h2, response(drive, variance, PRODUCT_HZ, neurons)), axis=1)
