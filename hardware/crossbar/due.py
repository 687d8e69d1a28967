"""Which weights are due for pulses, and for how many.

Three ways to decide what is due:

- *mixed precision*: weight changes add up in digital memory (chi); when a sum passes the mean step, that
  many pulses are given and taken off (Nandakumar et al. 2020, "Mixed-precision deep learning based on
  computational memory");
- *stochastic*: nothing is kept; a change smaller than a step is rounded up as often as its size says (after
  Gokmen and Vlasov 2016, Front. Neurosci. 10:333);
- *sign*: every weight whose change is not zero gets one pulse (mPES, Tiotto et al. 2021).
"""

from __future__ import annotations

import math

import numpy as np

from spikearm.compiled import kernel

SMALLEST_ERROR = 1e-5
"""Errors up to this size give no sign pulses (Tiotto et al. 2021)."""


@kernel(error_model="numpy")
def due_pulses(chi, step, threshold, most):  # type: ignore[no-untyped-def]
    """Pulses due for an accumulated change, at most ``most`` of either sign.

    A pulse is given when the change has passed ``threshold`` of a step. 1 is ``trunc(chi / step)`` as
    published: every weight lags by half a step on average, which delays learning from zero. 0.5 rounds to
    the nearest: no lag, but a sum at rest on the threshold goes back and forth, and wears the pair out. A
    threshold drawn evenly from (0, 1] rounds at random, right on average.
    """
    n = int(chi / step + math.copysign(1.0 - threshold, chi))
    return max(-most, min(most, n))


@kernel(error_model="numpy")
def list_due(i, n_due, chi, step, threshold, most, dice, pairs, pulses):  # type: ignore[no-untyped-def]
    """List the pairs of a row of which pulses are due, and take these off what waits.

    No more goes on waiting than the pulses of one step: where changes come faster than pulses can follow, a
    sum without end would go on writing long after the error has turned, and make the loop swing.

    Args:
        i: Row.
        n_due: Pairs listed so far.
        chi: Accumulated changes, relative to the weight range, shape (n_rows, n_cols).
        step: Mean change of a weight by one pulse, relative to the weight range.
        threshold: See :func:`due_pulses`.
        most: Pulses per pair at most.
        dice: A threshold drawn for each weight, which then keeps nothing; or empty.
        pairs: Receives the flat index of each pair that is due.
        pulses: Receives how many pulses, with their sign.

    Returns:
        Pairs listed.
    """
    n_cols, random, full = chi.shape[1], len(dice) > 0, most * step
    for j in range(n_cols):
        pair = i * n_cols + j
        n = due_pulses(chi[i, j], step, dice[pair] if random else threshold, most)
        chi[i, j] = 0.0 if random else max(-full, min(full, chi[i, j] - n * step))
        if n != 0:
            pairs[n_due], pulses[n_due] = pair, n
            n_due += 1
    return n_due


@kernel
def accumulate_pes(acts, per_column, chi, *circuit):  # type: ignore[no-untyped-def]
    """Add a rank-one change to chi and list the pairs that are due.

    Args:
        acts: Factor of each row, shape (n_rows,).
        per_column: Factor of each column, relative to the weight range, shape (n_cols,).
        chi: Accumulated changes, see :func:`list_due` ...
        circuit: ... and there for the rest.

    Returns:
        Pairs listed, and rows with a change.
    """
    n_due, n_rows = 0, 0
    for i in range(len(acts)):
        if acts[i] == 0.0:
            continue
        n_rows += 1
        for j in range(len(per_column)):
            chi[i, j] += acts[i] * per_column[j]
        n_due = list_due(i, n_due, chi, *circuit)
    return n_due, n_rows


@kernel
def accumulate_dense(delta, per_column, chi, *circuit):  # type: ignore[no-untyped-def]
    """As :func:`accumulate_pes` for any change of weights, ``delta`` of shape (n_cols, n_rows)."""
    n_rows, n_cols = chi.shape
    n_due = 0
    for i in range(n_rows):
        for j in range(n_cols):
            chi[i, j] += delta[j, i] * per_column[j]
        n_due = list_due(i, n_due, chi, *circuit)
    return n_due, n_rows


@kernel
def list_signs(acts, per_column, error, pairs, pulses):  # type: ignore[no-untyped-def]
    """One pulse for every weight of the active rows, by the sign of its change (mPES).

    Args:
        acts: Filtered activities [Hz]; rows whose activity rounds to 0 are left out, shape (n_rows,).
        per_column: Factor of each column, sign included, shape (n_cols,).
        error: Error of each column; nothing is done while all are below :data:`SMALLEST_ERROR`.
        pairs: As in :func:`accumulate_pes`.
        pulses: As there.

    Returns:
        Pairs listed, and rows with a change.
    """
    n_due, n_rows = 0, 0
    if np.abs(error).max() <= SMALLEST_ERROR:
        return n_due, n_rows
    for i in range(len(acts)):
        if np.rint(acts[i]) == 0.0:
            continue
        n_rows += 1
        for j in range(len(per_column)):
            change = acts[i] * per_column[j]
            if change != 0.0:
                pairs[n_due] = i * len(per_column) + j
                pulses[n_due] = 1 if change > 0.0 else -1
                n_due += 1
    return n_due, n_rows


@kernel
def list_dense_signs(delta, pairs, pulses):  # type: ignore[no-untyped-def]
    """One pulse for every weight that is to change, ``delta`` of shape (n_cols, n_rows)."""
    n_cols, n_rows = delta.shape
    n_due = 0
    for i in range(n_rows):
        for j in range(n_cols):
            if delta[j, i] != 0.0:
                pairs[n_due] = i * n_cols + j
                pulses[n_due] = 1 if delta[j, i] > 0.0 else -1
                n_due += 1
    return n_due, n_rows


@kernel
def n_pulses(n_due, pulses):  # type: ignore[no-untyped-def]
    """Pulses of the listed pairs together."""
    n = 0
    for item in range(n_due):
        n += abs(pulses[item])
    return n
