"""Neurons on the diagonals of pairs of numbers: what the products of the control algebra are decoded from."""

from __future__ import annotations

from itertools import product

import numpy as np

from spikearm.records import FloatArray

_INNER = (0.01, 0.99)
"""Quantiles of the samples between which tuning curves begin."""


def product_neurons(
    acceleration: FloatArray, modes: FloatArray, *, n_per_diagonal: int
) -> tuple[FloatArray, FloatArray]:
    """Tuning curves along ``a_j + c_k`` and ``a_j - c_k`` for every pair, in units of their deviations.

    A product is the difference of two squares, ``a c = ((a + c)^2 - (a - c)^2) / 4`` (Eliasmith and Anderson
    2003, ch. 6), and a square is decoded well from rectified-linear curves that begin at different places.
    Those places are quantiles of the samples: the neurons are where the data are. All curves of a diagonal
    have one slope: chips have one scale for the weights of an ensemble.

    Args:
        acceleration: Samples, shape (n_samples, 6).
        modes: Samples of the same states, shape (n_samples, n_modes).
        n_per_diagonal: Neurons on each diagonal.

    Returns:
        Encoders, shape (n_neurons, 6 + n_modes), and biases, shape (n_neurons,): a neuron's activation is
        the positive part of ``encoders @ (acceleration, modes) + bias``, at most about 1.
    """
    n_task, n_modes = acceleration.shape[1], modes.shape[1]
    deviations = np.concatenate((acceleration.std(axis=0), modes.std(axis=0)))
    samples = np.concatenate((acceleration, modes), axis=1) / deviations
    encoders, biases = [], []
    for j, k, sign in product(range(n_task), range(n_modes), (1.0, -1.0)):
        diagonal = np.zeros(n_task + n_modes)
        diagonal[j], diagonal[n_task + k] = 1.0, sign
        places = np.quantile(samples @ diagonal, np.linspace(*_INNER, n_per_diagonal))
        # Upper half of the curves rises, lower half falls: each neuron rests for at least half the samples.
        slopes = np.where(2 * np.arange(n_per_diagonal) >= n_per_diagonal, 1.0, -1.0)
        slopes /= 0.5 * (places[-1] - places[0])
        encoders.append(slopes[:, None] * (diagonal / deviations))
        biases.append(-slopes * places)
    return np.concatenate(encoders), np.concatenate(biases)
