"""What pulses do to devices, whose turn it is, and the refresh of saturated pairs.

Where pulses only raise a conductance, weights grow on G+ and shrink on G-; a pair whose two devices have
both grown is reset and its difference written anew (Boybat et al. 2018, "Neuromorphic computing with
multi-memristive synapses", Nat. Commun. 9, 2514). Devices that pulses can lower as well take turns: G+ up,
G- down. So do the several pairs of one weight: a global counter says whose turn it is, and moves on by one
per pulse.
"""

from __future__ import annotations

import math

import numpy as np

from spikearm.compiled import kernel
from spikearm.hardware.crossbar.conductance import (
    ADDITIVE,
    EXPONENT,
    G_HIGH,
    G_LOW,
    G_MAX,
    G_MIN,
    LEARN_START,
    OWN_DOWN,
    OWN_HIGH,
    OWN_LOW,
    OWN_UP,
    R0,
    R1,
    RESET_STEP,
    RESPONSE,
    SCATTER,
    SET_SATURATION,
    SET_SCATTER,
    SET_STEP,
    Devices,
    cycles_left,
    drifted,
    place,
    restart,
    update_pair,
    wear_out,
)
from spikearm.hardware.crossbar.pcm import polynomial, set_increment
from spikearm.hardware.crossbar.srtio3 import after_pulses

_NO_XI = np.zeros(0)
"""For pulses of devices that do not scatter from pulse to pulse."""


@kernel(inline="always")
def _step(left, at_start, xi, step, p):  # type: ignore[no-untyped-def]
    """Size of a step with ``left`` of the range to go; additive scatter is that of a step at the start."""
    scatters_like = at_start if p[ADDITIVE] != 0.0 else left
    return set_increment(1.0 - left, 1.0 - scatters_like, xi, step, p[SET_SCATTER], p[SET_SATURATION])


@kernel(inline="always")
def _step_up(u, xi, own, p):  # type: ignore[no-untyped-def]
    """Change of the place in the range by a pulse upwards; none in the mean at the device's own upper end.

    Soft bounds: ``a (1 - w / w_max) (1 + s xi)``, or ``a (1 - w / w_max) + a s xi``, with the weight ``w``
    proportional to ``u - learn_start``.
    """
    at_start, to_end = 1.0 - p[LEARN_START], own[OWN_HIGH] - p[LEARN_START]
    left = max((at_start / to_end if to_end > 0.0 else 1.0) * (own[OWN_HIGH] - u), 0.0)
    return _step(left, at_start, xi, p[SET_STEP] * own[OWN_UP], p)


@kernel(inline="always")
def _step_down(u, xi, own, p):  # type: ignore[no-untyped-def]
    """Change of the place in the range by a pulse downwards, as :func:`_step_up`."""
    at_start, to_end = p[LEARN_START], p[LEARN_START] - own[OWN_LOW]
    left = max((at_start / to_end if to_end > 0.0 else 1.0) * (u - own[OWN_LOW]), 0.0)
    return -_step(left, at_start, xi, p[RESET_STEP] * own[OWN_DOWN], p)


@kernel(inline="always")
def _pulsed(u, g, n, up, xi, used, own, p):  # type: ignore[no-untyped-def]
    """Place in the range after ``n`` pulses on a device at place ``u``, conductance ``g`` [S].

    Pulses take a device no farther than its range; one that was written beyond it stays there, or comes back.
    """
    low, high = min(u, own[OWN_LOW]), max(u, own[OWN_HIGH])
    if p[RESPONSE] != 0.0:
        g = after_pulses(g, float(n), p[R0], p[R1] * own[OWN_UP], p[EXPONENT] * own[OWN_DOWN])
        return min(max((g - p[G_MIN]) / (p[G_MAX] - p[G_MIN]), low), high)
    if p[SET_SCATTER] == 0.0 and p[SET_SATURATION] == 0.0:
        change = n * p[SET_STEP] * own[OWN_UP] if up else -n * p[RESET_STEP] * own[OWN_DOWN]
        return min(max(u + change, low), high)
    for k in range(used, used + n):
        u += _step_up(u, xi[k], own, p) if up else _step_down(u, xi[k], own, p)
        u = min(max(u, low), high)
    return u


@kernel(inline="always")
def _pulse(pair, side, n, up, xi, used, now_s, d):  # type: ignore[no-untyped-def]
    """Give ``n`` pulses to one device."""
    # A device that is not stuck takes one pulse at least.
    g, left = drifted(pair, side, now_s, d), n if n == 1 else cycles_left(pair, side, n, d)
    span = d.p[G_MAX] - d.p[G_MIN]
    u = _pulsed((g - d.p[G_MIN]) / span, g, left, up, xi, used, d.own[pair, side], d.p)
    restart(pair, side, d.p[G_MIN] + u * span, now_s, d)
    if up:
        wear_out(pair, side, n, 0, d)
    else:
        wear_out(pair, side, 0, n, d)


@kernel
def _update(pair, now_s, d):  # type: ignore[no-untyped-def]
    """As :func:`update_pair`; compiled once, for all but the pulses that every kind of array takes."""
    update_pair(pair, now_s, d)


@kernel
def _restart(pair, side, g, now_s, d):  # type: ignore[no-untyped-def]
    """As :func:`restart`; compiled once, likewise."""
    restart(pair, side, g, now_s, d)


@kernel
def _disturb(pair, side, n, up, part, now_s, d):  # type: ignore[no-untyped-def]
    """Half-selected devices of a passive array move a little with every pulse nearby.

    Half the voltage of the pulse lies on all other devices of its row, those of G- as well as those of G+,
    and on all other devices of its bit line. They move by ``part`` of what a mean pulse would do to them, in
    the direction of the pulse.
    """
    row, col = pair // d.n_cols, pair % d.n_cols
    for other in range(row * d.n_cols, (row + 1) * d.n_cols):
        for other_side in range(d.g.shape[1]):
            if other != pair or other_side != side:
                _disturb_device(other, other_side, n, up, part, d)
        _update(other, now_s, d)
    for other in range(col, len(d.diff), d.n_cols):
        if other != pair:
            _disturb_device(other, side, n, up, part, d)
            _update(other, now_s, d)


@kernel
def _disturb_device(pair, side, n, up, part, d):  # type: ignore[no-untyped-def]
    if d.stuck[pair, side] != 0:
        return
    span, own = d.p[G_MAX] - d.p[G_MIN], d.own[pair, side]
    u = (d.g[pair, side] - d.p[G_MIN]) / span
    if d.p[RESPONSE] != 0.0:
        change = part * (_pulsed(u, d.g[pair, side], n, up, _NO_XI, 0, own, d.p) - u)
    else:
        change = part * n * (_step_up(u, 0.0, own, d.p) if up else _step_down(u, 0.0, own, d.p))
    # Too little to begin drift anew.
    u = min(max(u + change, min(u, own[OWN_LOW])), max(u, own[OWN_HIGH]))
    d.g[pair, side] = d.p[G_MIN] + u * span


@kernel(error_model="numpy")
def give_pulses(n_due, pairs, pulses, counter, xi, part, now_s, devices, counts):  # type: ignore[no-untyped-def]
    """Give the listed pulses, with one normal number of ``xi`` for each; equal steps need none.

    Half-selected devices take ``part`` of each, see :func:`_disturb`; columns are reckoned one by one.
    Devices that may take the pulse are numbered; ``counter`` says whose turn it is and moves on by one per
    pulse. With one pair that pulses only raise, there is no choice. The columns of a row take pulses of one
    polarity at the same time, those of the other after them.
    """
    d = Devices(*devices)
    both_ways = d.p[RESET_STEP] > 0.0
    n_pairs = d.g.shape[1] // 2
    n_choices = 2 * n_pairs if both_ways else n_pairs
    used = 0
    row, longest_up, longest_down = -1, 0, 0
    for item in range(n_due):
        pair, n = pairs[item], abs(pulses[item])
        grow, n_up = pulses[item] > 0, 0
        for turn in range(min(n, n_choices)):
            # Shares of n pulses that go round n_choices devices, beginning at the counter.
            share = (n - turn - 1) // n_choices + 1
            choice = (counter[0] + turn) % n_choices
            if both_ways:
                side = choice
                up = grow == (choice % 2 == 0)
            else:
                side = 2 * choice + (0 if grow else 1)
                up = True
            _pulse(pair, side, share, up, xi, used, now_s, d)
            if part > 0.0:
                _disturb(pair, side, share, up, part, now_s, d)
            used += share if len(xi) > 0 else 0
            n_up += share if up else 0
        counts[0].set_pulses += n_up
        counts[0].reset_pulses += n - n_up
        counter[0] = (counter[0] + n) % n_choices
        update_pair(pair, now_s, d)
        if pair // d.n_cols != row:
            counts[0].rows_programmed += longest_up
            counts[0].rows_reset += longest_down
            row, longest_up, longest_down = pair // d.n_cols, 0, 0
        longest_up, longest_down = max(longest_up, n_up), max(longest_down, n - n_up)
    counts[0].rows_programmed += longest_up
    counts[0].rows_reset += longest_down


@kernel
def may_be_used_up(row, n_cols, upper, lower, g, g_min, g_max, n_converters, counts):  # type: ignore[no-untyped-def]
    """Whether a pair of a row, which is read for it, may have to be refreshed, for the price of a look at it.

    Drift only lowers a conductance, so that what was not too much after the last pulse is not now. As many
    devices are read at a time as there are converters.
    """
    n_devices = n_cols * g.shape[1]
    counts[0].verify_reads += n_devices
    counts[0].serial_verify_reads += math.ceil(n_devices / n_converters)
    span = g_max - g_min
    for pair in range(row * n_cols, (row + 1) * n_cols):
        for k in range(0, g.shape[1], 2):
            high, low = max(g[pair, k], g[pair, k + 1]), min(g[pair, k], g[pair, k + 1])
            if high - g_min > upper * span and low - g_min > lower * span:
                return True
    return False


@kernel
def refresh_row(row, upper, lower, xi, xi_slow, now_s, devices, counts):  # type: ignore[no-untyped-def]
    """Reset pairs of a row that have both grown and write their difference anew.

    The number of SET pulses of a write is the one that takes a device there on average. Pairs with a stuck
    device are left alone: the circuit keeps a bit for each pair in which a RESET was found to do nothing.

    Args:
        row: Which.
        upper: Place in the range the larger device must have passed ...
        lower: ... and the smaller one.
        xi: A normal number for each pair of the row.
        xi_slow: Normal numbers for the slow noise of its devices, shape (n_cols, n_devices, n_slow).
        now_s: Time [s].
        devices: The devices, see :class:`~.conductance.Devices`.
        counts: Added to.

    Returns:
        Pairs that were refreshed.
    """
    d = Devices(*devices)
    refreshed = 0
    longest = 0
    n_pairs = d.g.shape[1] // 2
    for j in range(d.n_cols):
        pair = row * d.n_cols + j
        for k in range(n_pairs):
            plus = place(pair, 2 * k, now_s, d)
            minus = place(pair, 2 * k + 1, now_s, d)
            if max(plus, minus) <= upper or min(plus, minus) <= lower:
                continue
            if d.stuck[pair, 2 * k] != 0 or d.stuck[pair, 2 * k + 1] != 0:
                continue
            # A device that was melted is a new one.
            for side in (2 * k, 2 * k + 1):
                for c in range(d.z.shape[2]):  # whole arrays would cost numba seconds of compilation
                    d.z[pair, side, c] = xi_slow[j, side, c]
            n_set = _rewrite(pair, k, plus - minus, xi[j * n_pairs + k], now_s, d)
            counts[0].set_pulses += n_set
            counts[0].reset_pulses += 2
            counts[0].verify_reads += n_set
            longest = max(longest, n_set)
            refreshed += 1
    counts[0].rows_reset += refreshed > 0
    counts[0].rows_programmed += longest
    counts[0].serial_verify_reads += longest
    return refreshed


@kernel
def _rewrite(pair, k, target, xi, now_s, d):  # type: ignore[no-untyped-def]
    """Reset both devices of a pair and write ``target`` on one of them; returns the SET pulses it took."""
    side = 2 * k if target > 0 else 2 * k + 1
    other = 4 * k + 1 - side
    p = d.p
    _restart(pair, other, p[G_MIN], now_s, d)
    g = p[G_MIN] + min(abs(target), 1.0) * (p[G_MAX] - p[G_MIN])
    # The packed coefficients are in siemens.
    reached = g + xi * polynomial(g / p[G_MAX], p[SCATTER:])
    _restart(pair, side, min(max(reached, p[G_LOW]), p[G_HIGH]), now_s, d)
    if p[RESPONSE] != 0.0:
        fresh = (1.0 / p[G_MIN] - p[R0]) / p[R1]
        n_set = math.ceil(((1.0 / g - p[R0]) / p[R1]) ** (1.0 / p[EXPONENT]) - fresh ** (1.0 / p[EXPONENT]))
    else:
        n_set = pulses_to_reach(abs(target), p[SET_STEP], p[SET_SATURATION])
    wear_out(pair, side, n_set, 1, d)
    wear_out(pair, other, 0, 1, d)
    _update(pair, now_s, d)
    return n_set


@kernel
def pulses_to_reach(x, step, saturation):  # type: ignore[no-untyped-def]
    """SET pulses that bring a device from 0 to the place ``x`` of its range on average, rounded up.

    From ``x_n = (1 - (1 - step s)^n) / s``; ``x`` is taken as at most 0.99, since 1 is never reached.
    """
    x = min(x, 0.99)
    if saturation == 0.0:
        return math.ceil(x / step)
    return math.ceil(math.log(1.0 - saturation * x) / math.log(1.0 - saturation * step))
