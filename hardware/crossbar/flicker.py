"""Correlated 1/f noise as a sum of first-order processes, one per decade of time.

Redrawing all read noise at every read would let it average out within milliseconds at 1 kHz. A sum of
Ornstein-Uhlenbeck processes with equal variance per decade of time constant has the 1/f spectrum of the
devices, and lasts. A component shows only as far as it has had time to develop since the device was
programmed: at age t its variance is ``1 - exp(-2 t / tau)`` of its share.
"""

from __future__ import annotations

import math

import numpy as np

from spikearm.compiled import kernel
from spikearm.records import FloatArray

TIME_CONSTANTS_S = np.array([1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4])
"""Time constants of the components [s]."""

_DEVELOPED = 20.0
_UNDEVELOPED = 1e-4


@kernel
def development(age_s, tau_s):  # type: ignore[no-untyped-def]
    """How far a component has developed at this age, in variance: ``1 - exp(-2 t / tau)``.

    The two ends are exact to 2e-9 and 1e-4 of the value, and save the exponential.
    """
    ratio = 2.0 * age_s / tau_s
    if ratio > _DEVELOPED:
        return 1.0
    if ratio < _UNDEVELOPED:
        return ratio
    return -math.expm1(-ratio)


def n_fast(hold_s: float) -> int:
    """Components too fast to be held for ``hold_s`` [s]; they join the noise drawn at every read.

    A value held for T has the low-frequency power of a process with tau = T / 2; slower components are
    at most twice too strong there, faster ones are drawn anew at each read, which is a little too kind.
    """
    return int(np.count_nonzero(hold_s / 4.0 > TIME_CONSTANTS_S))


def strides(n_skipped: int, hold_s: float) -> list[int]:
    """For each slow component: it is advanced at every how many-th visit.

    A component moves by ``sqrt(2 dt / tau)`` of its deviation in dt; advancing it when dt = tau / 10
    leaves at most that much unseen, and saves most random numbers.
    """
    return [max(1, int(tau / (10.0 * hold_s))) for tau in TIME_CONSTANTS_S[n_skipped:]]


def transition(elapsed_s: FloatArray, taus_s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Exact step of unit-variance first-order processes: ``z <- keep z + kick xi``.

    Args:
        elapsed_s: Time passed [s], shape (n,).
        taus_s: Time constants [s], shape (n,).

    Returns:
        ``keep`` and ``kick``, shape (n,).
    """
    keep: FloatArray = np.exp(-elapsed_s / taus_s)
    return keep, np.sqrt(-np.expm1(-2.0 * elapsed_s / taus_s))
