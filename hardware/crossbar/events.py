"""Event-driven accumulation for PES: rows are touched when their neuron fires, and nothing is lost.

Between its spikes the filtered activity of a neuron only decays, ``a_i(s) = a_i(t) lambda^(s - t)``. What
the rule asks of its weights over that time is therefore ``a_i(t) lambda^-t (G(now) - G(t))`` with the one
running sum ``G(t) = sum over s < t of lambda^s e(s)`` for all neurons. The sum is begun anew once per window,
before late terms are lost beside early ones, and kept for one window more; in that time every row is brought
up to date at least once, a few rows at each step, so that no step has to do it all.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.crossbar.activity import held_back
from spikearm.hardware.crossbar.due import list_due
from spikearm.records import FloatArray

LONGEST_WINDOW = 16
"""Steps at most after which a row is brought up to date: how late pulses may be. With 128 the loop of
``benchmarks/crossbar_physics.py`` erred by a quarter more, and pulses went back and forth."""

_TIME_CONSTANTS = 16.0
"""Longest window in time constants: late terms of the sum are then e^-16 of the early ones, which leaves
nine digits of them."""

_FORGOTTEN = 1e-12
"""Activity, relative to that right after a spike, below which a silent neuron has stopped learning."""


def window(tau_s: float, dt_s: float) -> int:
    """Steps of a window for a lowpass filter with this time constant."""
    return max(1, min(LONGEST_WINDOW, int(_TIME_CONSTANTS * tau_s / dt_s)))


def suits(tau_s: float, dt_s: float) -> bool:
    """Whether windows are long enough to save anything."""
    return window(tau_s, dt_s) >= 8


@kernel(error_model="numpy")
def _settle(  # type: ignore[no-untyped-def]
    i, k, n_due, trace, since, history, powers, chi, step, threshold, most, dice, pairs, pulses
):
    """Add to row ``i`` of chi what has accrued up to step ``k``; list pairs that are due."""
    if trace[i] == 0.0:
        since[i] = k
        return n_due
    n_window = len(powers) - 1
    part, now = k // n_window, k % n_window
    old_part, then = since[i] // n_window, since[i] % n_window
    age = now - then if part == old_part else n_window - then + now
    factor = trace[i] / powers[then]
    for j in range(chi.shape[1]):
        if part == old_part:
            gained = factor * (history[part, now, j] - history[part, then, j])
        else:
            gained = factor * (history[old_part, n_window, j] - history[old_part, then, j])
            gained += trace[i] * powers[n_window - then] * history[part, now, j]
        chi[i, j] += gained
    trace[i] *= powers[age]
    since[i] = k
    # As many pulses as that many visits would have given.
    return list_due(i, n_due, chi, step, threshold, most * max(1, age), dice, pairs, pulses)


@kernel
def advance(x, kick, floor, per_column, limit, power, now, *rows):  # type: ignore[no-untyped-def]
    """One time step.

    Args:
        x: Outputs of the neurons, zero where there was no spike, shape (n_rows,).
        kick: Factor from an output to the filtered activity.
        floor: Filtered activity that counts as none.
        per_column: Change of each column per activity, relative to the weight range, shape (n_cols,).
        limit: Activity up to which the rule is left alone, that of all circuits, and which is this one; see
            :func:`.activity.held_back`.
        power: Squared filtered activities, summed over neurons, shape (1,); advanced.
        now: Step within two windows, shape (1,); advanced.
        rows: Filtered activity of each neuron at step ``since``, shape (n_rows,); ``since``, the value of
            ``now`` at which each row was last settled, same shape; running sums before each step of both
            windows, shape (2, n_window + 1, n_cols); ``lambda^k``, shape (n_window + 1,); and the circuit,
            see :func:`.due.list_due`, from ``chi`` on.

    Returns:
        Pairs listed, and rows that were settled.
    """
    # One by one: a tuple handed on for every row would take an eighth longer.
    trace, since, history, powers, chi, step, threshold, most, dice, pairs, pulses = rows
    n_due, n_rows, k = 0, 0, now[0]
    square = power[0] * powers[1] * powers[1]
    for i in range(len(x)):
        if x[i] != 0.0:
            n_due = _settle(
                i, k, n_due, trace, since, history, powers, chi, step, threshold, most, dice, pairs, pulses
            )
            square -= trace[i] * trace[i]
            trace[i] += kick * x[i]
            square += trace[i] * trace[i]
            n_rows += 1
    power[0] = max(square, 0.0)
    factor = held_back(power[0], *limit)
    n_window = len(powers) - 1
    part, step_now = k // n_window, k % n_window
    first, last = step_now * len(x) // n_window, (step_now + 1) * len(x) // n_window
    n_due, settled = _settle_some(first, last, n_due, floor, now, *rows)
    for j in range(len(per_column)):
        history[part, step_now + 1, j] = history[part, step_now, j] + powers[step_now] * (
            factor * per_column[j]
        )
    now[0] = (k + 1) % (2 * n_window)
    if step_now + 1 == n_window:
        history[1 - part, 0, :] = 0.0
    return n_due, n_rows + settled


@kernel
def _settle_some(first, last, n_due, floor, now, *rows):  # type: ignore[no-untyped-def]
    """Bring some rows up to date; returns pairs listed and rows settled.

    A pair that was listed already may be listed twice, which gives it both sets of pulses.
    """
    trace, n_rows = rows[0], 0
    for i in range(first, last):
        if trace[i] != 0.0:
            n_rows += 1
        n_due = _settle(i, now[0], n_due, *rows)
        if abs(trace[i]) < floor:
            trace[i] = 0.0
    return n_due, n_rows


@kernel
def settle_all(floor, now, *rows):  # type: ignore[no-untyped-def]
    """Bring all rows up to date, as :func:`advance`; returns pairs listed and rows settled."""
    return _settle_some(0, len(rows[0]), 0, floor, now, *rows)


class EventTraces:
    """Filtered activities and the running sum of one learned matrix.

    Args:
        n_rows: Presynaptic neurons.
        n_cols: Dimensions of the error.
        tau_s: Time constant of the lowpass filter of the activities [s].
        dt_s: Time step [s].
        per_spike: Output of a neuron in a step with one spike.
    """

    def __init__(self, n_rows: int, n_cols: int, *, tau_s: float, dt_s: float, per_spike: float) -> None:
        decay = math.exp(-dt_s / tau_s)
        n_window = window(tau_s, dt_s)
        self.kick = 1.0 - decay
        self.floor = _FORGOTTEN * self.kick * per_spike
        self.powers: FloatArray = np.power(decay, np.arange(n_window + 1.0))
        self.now: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self.trace: FloatArray = np.zeros(n_rows)
        self.since: NDArray[np.int64] = np.zeros(n_rows, dtype=np.int64)
        self.history: FloatArray = np.zeros((2, n_window + 1, n_cols))
        self.power: FloatArray = np.zeros(1)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running."""
        return {
            "now": self.now,
            "trace": self.trace,
            "since": self.since,
            "history": self.history,
            "power": self.power,
        }
