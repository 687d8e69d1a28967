"""Learning by pulses: mixed-precision accumulation, SET pulses, refresh of saturated pairs.

Weight changes add up in digital memory (chi); when a sum passes the mean SET step, that many pulses are
given and taken off (Nandakumar et al. 2020, "Mixed-precision deep learning based on computational
memory"). Only SET pulses are fine enough to learn with, so weights grow on G+ and shrink on G-; a pair
whose two devices have both grown is reset and its difference written anew (Boybat et al. 2018).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from spikearm.hardware.crossbar import ledger
from spikearm.hardware.crossbar.cells import (
    C0,
    C1,
    C2,
    G_MAX,
    SET_SATURATION,
    SET_SCATTER,
    SET_STEP,
    drifted,
    restart,
    update_pair,
)
from spikearm.hardware.crossbar.pcm import (
    programming_sigma_us,
    set_increment,
)

_SET_PULSES, _RESET_PULSES, _VERIFY_READS = ledger.SET_PULSES, ledger.RESET_PULSES, ledger.VERIFY_READS
_ROWS_PROGRAMMED = ledger.ROWS_PROGRAMMED


@njit(cache=True)
def due_pulses(chi, step, threshold, most):  # type: ignore[no-untyped-def]
    """Pulses due for an accumulated change, at most ``most`` of either sign.

    A pulse is given when the change has passed ``threshold`` of a step. 1 is ``trunc(chi / step)`` as
    published: every weight lags by half a step on average, which delays learning from zero. 0.5 rounds to
    the nearest: no lag, but a sum at rest on the threshold goes back and forth, and wears the pair out.
    """
    n = int(chi / step + math.copysign(1.0 - threshold, chi))
    return max(-most, min(most, n))


@njit(cache=True)
def accumulate_pes(acts, per_column, chi, step, threshold, most, pairs, pulses):  # type: ignore[no-untyped-def]
    """Add a rank-one change to chi and list the pairs that are due.

    Args:
        acts: Factor of each row, shape (n_rows,).
        per_column: Factor of each column, relative to g_max, shape (n_cols,).
        chi: Accumulated changes, relative to g_max, shape (n_rows, n_cols); what is listed is taken off.
        step: Mean SET step, relative to g_max.
        threshold: See :func:`due_pulses`.
        most: Pulses per pair at most.
        pairs: Receives the flat index of each pair that is due.
        pulses: Receives how many pulses, with their sign.

    Returns:
        Pairs listed, and rows with a change.
    """
    n_cols = len(per_column)
    n_due = 0
    n_rows = 0
    for i in range(len(acts)):
        if acts[i] == 0.0:
            continue
        n_rows += 1
        for j in range(n_cols):
            value = chi[i, j] + acts[i] * per_column[j]
            n = due_pulses(value, step, threshold, most)
            chi[i, j] = value - n * step
            if n != 0:
                pairs[n_due] = i * n_cols + j
                pulses[n_due] = n
                n_due += 1
    return n_due, n_rows


@njit(cache=True)
def accumulate_dense(delta, per_column, chi, step, threshold, most, pairs, pulses):  # type: ignore[no-untyped-def]
    """As :func:`accumulate_pes` for any change of weights, ``delta`` of shape (n_cols, n_rows)."""
    n_rows, n_cols = chi.shape
    n_due = 0
    for i in range(n_rows):
        for j in range(n_cols):
            value = chi[i, j] + delta[j, i] * per_column[j]
            n = due_pulses(value, step, threshold, most)
            chi[i, j] = value - n * step
            if n != 0:
                pairs[n_due] = i * n_cols + j
                pulses[n_due] = n
                n_due += 1
    return n_due, n_rows


@njit(cache=True)
def give_pulses(n_due, pairs, pulses, xi, now_s, d, counts):  # type: ignore[no-untyped-def]
    """Give the listed SET pulses, with one normal number of ``xi`` for each; equal steps need none."""
    used = 0
    row, longest = -1, 0
    for item in range(n_due):
        pair, n = pairs[item], pulses[item]
        side = 0 if n > 0 else 1
        x = drifted(pair, side, now_s, d) / d.p[G_MAX]
        if d.p[SET_SCATTER] == 0.0 and d.p[SET_SATURATION] == 0.0:
            x = min(x + abs(n) * d.p[SET_STEP], 1.0)
        else:
            for k in range(used, used + abs(n)):
                x += set_increment(x, xi[k], d.p[SET_STEP], d.p[SET_SCATTER], d.p[SET_SATURATION])
                x = min(max(x, 0.0), 1.0)
        used += abs(n)
        restart(pair, side, x * d.p[G_MAX], now_s, d)
        d.set_count[pair, side] += abs(n)
        update_pair(pair, now_s, d)
        if pair // d.n_cols != row:
            counts[_ROWS_PROGRAMMED] += longest
            row, longest = pair // d.n_cols, 0
        # The columns of a row take their pulses at the same time.
        longest = max(longest, abs(n))
    counts[_ROWS_PROGRAMMED] += longest
    counts[_SET_PULSES] += used


@njit(cache=True)
def refresh_row(row, upper, lower, xi, now_s, d, counts):  # type: ignore[no-untyped-def]
    """Read a row's devices; reset pairs that have both grown and write their difference anew.

    The number of SET pulses of a write is the one that takes a device there on average.

    Returns:
        Pairs that were refreshed.
    """
    refreshed = 0
    longest = 0
    counts[_VERIFY_READS] += 2 * d.n_cols
    for j in range(d.n_cols):
        pair = row * d.n_cols + j
        plus = drifted(pair, 0, now_s, d) / d.p[G_MAX]
        minus = drifted(pair, 1, now_s, d) / d.p[G_MAX]
        if max(plus, minus) <= upper or min(plus, minus) <= lower:
            continue
        target = plus - minus
        side = 0 if target > 0 else 1
        restart(pair, 1 - side, 0.0, now_s, d)
        # The packed coefficients are in siemens.
        scatter = xi[j] * programming_sigma_us(abs(target), d.p[C0], d.p[C1], d.p[C2]) / d.p[G_MAX]
        reached = min(max(abs(target) + scatter, 0.0), 1.0)
        restart(pair, side, reached * d.p[G_MAX], now_s, d)
        n_set = pulses_to_reach(abs(target), d.p[SET_STEP], d.p[SET_SATURATION])
        d.set_count[pair, side] += n_set
        d.reset_count[pair, 0] += 1
        d.reset_count[pair, 1] += 1
        counts[_SET_PULSES] += n_set
        counts[_RESET_PULSES] += 2
        counts[_VERIFY_READS] += n_set
        longest = max(longest, n_set + 1)
        update_pair(pair, now_s, d)
        refreshed += 1
    counts[_ROWS_PROGRAMMED] += longest
    return refreshed


@njit(cache=True)
def pulses_to_reach(x, step, saturation):  # type: ignore[no-untyped-def]
    """SET pulses that bring a device from 0 to relative conductance ``x`` on average, rounded up.

    From ``x_n = (1 - (1 - step s)^n) / s``; ``x`` is taken as at most 0.99, since 1 is never reached.
    """
    x = min(x, 0.99)
    if saturation == 0.0:
        return math.ceil(x / step)
    return math.ceil(math.log(1.0 - saturation * x) / math.log(1.0 - saturation * step))


def saturated(g_over_max: np.ndarray, limit: float = 0.98) -> int:
    """Devices at the end of their range, where pulses no longer change anything."""
    return int(np.count_nonzero(g_over_max > limit))
