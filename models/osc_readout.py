"""Decoders from neurons to torque, by regularised least squares over any number of samples."""

from __future__ import annotations

import numpy as np

from spikearm.models.osc_samples import OscSamples
from spikearm.models.osc_weights import TASK_SIZE, OscWeights
from spikearm.records import FloatArray

_BLOCK = 1024
_QUIET = 0.005
"""Added to mean activities, so that a neuron that hardly ever fires gets no large decoder."""


class LeastSquares:
    """Accumulates the normal equations of ``torque = decoders @ activity``.

    Args:
        n_units: Neurons.
        n_joints: Torques.
        constant: Whether the last unit is a constant: no spikes, no noise of theirs, and no ridge.
    """

    def __init__(self, n_units: int, n_joints: int, *, constant: bool = False) -> None:
        self._constant = constant
        self._gram = np.zeros((n_units, n_units))
        self._moment = np.zeros((n_units, n_joints))
        self._activity = np.zeros(n_units)
        self._n = 0
        self._block: list[tuple[FloatArray, FloatArray]] = []
        self._n_waiting = 0

    def add(self, activity: FloatArray, torque: FloatArray) -> None:
        """One sample, or many at once: shapes (..., n_units) and (..., n_joints)."""
        self._block.append((np.atleast_2d(activity).copy(), np.atleast_2d(torque).copy()))
        self._n_waiting += len(self._block[-1][0])
        if self._n_waiting >= _BLOCK:
            self._flush()

    def solve(self, noise: float) -> FloatArray:
        """Decoders, shape (n_joints, n_units).

        Args:
            noise: Variance of the filtered spikes relative to the mean activity; it sets the ridge.
        """
        self._flush()
        gram = self._gram / self._n
        ridge = noise * (self._activity / self._n + _QUIET)
        if self._constant:
            ridge[-1] = 0.0
        gram[np.diag_indices_from(gram)] += ridge
        decoders = np.linalg.solve(gram, self._moment / self._n).T
        return np.asarray(decoders, dtype=np.float64)

    def _flush(self) -> None:
        if not self._block:
            return
        activity = np.concatenate([a for a, _ in self._block])
        # Single precision is twice as fast, and its rounding far below the ridge.
        single = activity.astype(np.float32)
        self._gram += single.T @ single
        self._moment += activity.T @ np.concatenate([t for _, t in self._block])
        self._activity += activity.sum(axis=0)
        self._n += len(activity)
        self._block.clear()
        self._n_waiting = 0


def with_constant(activity: FloatArray) -> FloatArray:
    """Activities and a 1, which the decoders' last column is for, shape (n, n_units + 1)."""
    return np.concatenate((activity, np.ones((len(activity), 1))), axis=1)


def random_commands(samples: OscSamples, weights: OscWeights, rng: np.random.Generator) -> FloatArray:
    """Commands that ask for random accelerations, small ones more often than large, shape (n, 6)."""
    share = samples.arm_share(weights.kp, weights.damping)
    return share + random_accelerations(len(samples), rng)


def random_accelerations(n: int, rng: np.random.Generator) -> FloatArray:
    """Accelerations as fast reaches ask for [m/s^2, rad/s^2], shape (n, 6)."""
    sizes = np.repeat((2.0, 4.0), 3) * rng.choice((0.2, 1.0), size=(n, 1), p=(0.4, 0.6))
    drawn: FloatArray = sizes * rng.standard_normal((n, TASK_SIZE))
    return drawn


def wanted_torque(
    samples: OscSamples,
    weights: OscWeights,
    command: FloatArray,
    *,
    feedforward: bool,
    null_damping: float,
) -> FloatArray:
    """Torque of the law for these commands [N m], shape (n, n_joints)."""
    acceleration = command - samples.arm_share(weights.kp, weights.damping)
    support = samples.support_torque(
        feedforward=feedforward, damping=weights.damping, null_damping=null_damping
    )
    torque: FloatArray = np.einsum("nij,nj->ni", samples.task, acceleration) + support
    return torque
