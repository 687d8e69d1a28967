"""What single devices conduct at a given moment: arrays and compiled functions behind :mod:`.cells`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.crossbar import flicker
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.pcm import drift_exponent, read_noise_level
from spikearm.hardware.crossbar.srtio3 import StrontiumTitanateDevice
from spikearm.records import FloatArray

# Positions in the parameter array of compiled functions.
G_MAX, T0, T_READ, NOISE_SCALE, SHORT_NOISE, DRIFT_SCALE = 0, 1, 2, 3, 4, 5
SET_STEP, SET_SCATTER, SET_SATURATION = 6, 7, 8
G_MIN, RESET_STEP, RESPONSE, ENDURANCE = 9, 10, 11, 12
R0, R1, EXPONENT = 13, 14, 15
NOISE_Q, NOISE_POWER, NOISE_LARGEST = 16, 17, 18
N_FAST = 19
WHITE = 20
G_LOW, G_HIGH = 21, 22
LEARN_START, ADDITIVE = 23, 24
SCATTER = 25  # first coefficient of the programming scatter; the others follow

_TAUS = flicker.TIME_CONSTANTS_S
N_TAUS = len(_TAUS)


def pack(device: Device, n_fast: int) -> FloatArray:
    """The device's parameters as compiled functions take them."""
    d = device
    power = isinstance(d, StrontiumTitanateDevice)
    resistances = (d.r0_ohm, d.r1_ohm, d.exponent) if isinstance(d, StrontiumTitanateDevice) else (1.0,) * 3
    scatter = [1e-6 * d.programming_scale * c for c in d.programming_us]
    values = [d.g_max_siemens, d.drift_t0_s, d.noise_t_read_s, d.noise_scale, d.short_time_noise]
    values += [d.drift_scale, d.set_step, d.set_scatter, d.set_saturation]
    values += [d.g_min_siemens, d.reset_step, float(power), d.endurance_cycles, *resistances]
    white = (d.noise_scale * d.additive_noise * d.g_max_siemens) ** 2
    values += [*d.noise_q, float(n_fast), white, *d.bounds_siemens]
    return np.array([*values, d.learn_start, float(d.additive_scatter), *scatter])


# Positions in the array of what sets single devices apart.
OWN_UP, OWN_DOWN, OWN_HIGH, OWN_LOW = 0, 1, 2, 3


# Positions in the rows of the table that holds what depends on a device's age alone, before one number per
# component.
_ELAPSED, _LOG_DRIFT, _LOG_NOISE, _FAST = 0, 1, 2, 3
SLOW = 4

N_MOMENTS = 256
"""Ages of which the table remembers what follows from them; a power of two."""


class Devices(NamedTuple):
    """The arrays of one matrix under their names in compiled functions; for their meaning see :mod:`.cells`.

    Functions that are called from Python take them as a plain tuple.
    """

    p: FloatArray
    moments: FloatArray
    g: FloatArray
    born_s: FloatArray
    xi: FloatArray
    exponent: FloatArray
    level: FloatArray
    z: NDArray[np.float32]
    set_count: NDArray[np.int64]
    reset_count: NDArray[np.int64]
    own: FloatArray
    stuck: NDArray[np.uint8]
    diff: FloatArray
    var: FloatArray
    total: FloatArray
    row_g: FloatArray
    n_cols: int


@kernel
def _set_moment(elapsed_s, p, m):  # type: ignore[no-untyped-def]
    """Work out what depends on age alone.

    Args:
        elapsed_s: Time since programming [s].
        p: Packed parameters.
        m: Receives the logarithms in the laws of drift and noise, the part of the correlated variance
            that is too fast to be held, and the amplitude of each slow component.
    """
    age = elapsed_s + p[T0]
    m[_ELAPSED] = elapsed_s
    m[_LOG_DRIFT] = math.log(age / p[T0])
    m[_LOG_NOISE] = math.log((age + p[T_READ]) / (2.0 * p[T_READ]))
    n_fast = int(p[N_FAST])
    fast, total = 0.0, 0.0
    for k in range(N_TAUS):
        share = flicker.development(age, _TAUS[k])
        total += share
        if k < n_fast:
            fast += share
        else:
            m[SLOW + k - n_fast] = share
    m[_FAST] = fast / total
    for k in range(N_TAUS - n_fast):
        m[SLOW + k] = math.sqrt(m[SLOW + k] / total)


@kernel(inline="always")
def _moment(elapsed_s, p, moments):  # type: ignore[no-untyped-def]
    """Row of the table for this age, worked out anew if another age was there.

    Devices that take no pulses are all of one age, the others were pulsed whole milliseconds ago.
    """
    row = int(elapsed_s * 1000.0) & (N_MOMENTS - 1)
    if elapsed_s != moments[row, _ELAPSED]:
        _set_moment(elapsed_s, p, moments[row])
    return row


@kernel(error_model="numpy", inline="always")
def _conductance(pair, k, now_s, p, moments, g, born_s, exponent, level, z):  # type: ignore[no-untyped-def]
    """What one device conducts at one moment.

    The relative noise variance of the device law (``pcm.read_noise_variance``) is split into a white
    short-time part and the components of :mod:`.flicker` in proportion to how far each has developed.

    Returns:
        Conductance without the noise that is drawn at each read [S], the variance of that noise [S^2].
    """
    m = _moment(now_s - born_s[pair, k], p, moments)
    now = g[pair, k] * math.exp(-exponent[pair, k] * moments[m, _LOG_DRIFT])
    scale = p[NOISE_SCALE]
    if scale == 0.0 or now == 0.0:
        return now, p[WHITE]
    variance = level[pair, k] * moments[m, _LOG_NOISE]
    white = min(variance, p[SHORT_NOISE] * p[SHORT_NOISE])
    correlated = variance - white
    slow = 0.0
    for c in range(z.shape[2]):
        slow += moments[m, SLOW + c] * z[pair, k, c]
    noisy = now * (1.0 + scale * math.sqrt(correlated) * slow)
    return max(noisy, 0.0), p[WHITE] + scale * scale * (white + correlated * moments[m, _FAST]) * now * now


@kernel(error_model="numpy", inline="always")
def _update_pair(pair, row, now_s, p, moments, g, born_s, exponent, level, z, diff, var, total, row_g):  # type: ignore[no-untyped-def]
    """Bring the derived values of one pair up to date, and its row's sum with them.

    Arrays come one by one and whole: taking them out of a tuple, or slicing them, for every device would
    cost more than the rest.
    """
    difference, variance, sum_ = 0.0, 0.0, 0.0
    for k in range(0, g.shape[1], 2):
        plus, var_plus = _conductance(pair, k, now_s, p, moments, g, born_s, exponent, level, z)
        minus, var_minus = _conductance(pair, k + 1, now_s, p, moments, g, born_s, exponent, level, z)
        difference += plus - minus
        sum_ += plus + minus
        variance += var_plus + var_minus
    diff[pair] = difference
    var[pair] = variance
    row_g[row] += sum_ - total[pair]
    total[pair] = sum_


@kernel(inline="always")
def drifted(pair, side, now_s, d):  # type: ignore[no-untyped-def]
    """Conductance of one device now, drifted but without noise [S]."""
    age = now_s - d.born_s[pair, side] + d.p[T0]
    return d.g[pair, side] * math.exp(-d.exponent[pair, side] * math.log(age / d.p[T0]))


@kernel(inline="always")
def place(pair, side, now_s, d):  # type: ignore[no-untyped-def]
    """Where a device stands in its range: 0 at g_min, 1 at g_max; drift may take it a little below 0."""
    return (drifted(pair, side, now_s, d) - d.p[G_MIN]) / (d.p[G_MAX] - d.p[G_MIN])


@kernel(inline="always")
def update_pair(pair, now_s, d):  # type: ignore[no-untyped-def]
    """Bring the derived values of one pair up to date after a pulse."""
    row = pair // d.n_cols
    p, moments, g, born_s, exponent, level, z = d.p, d.moments, d.g, d.born_s, d.exponent, d.level, d.z
    _update_pair(pair, row, now_s, p, moments, g, born_s, exponent, level, z, d.diff, d.var, d.total, d.row_g)


@kernel(inline="always")
def restart(pair, side, g, now_s, d):  # type: ignore[no-untyped-def]
    """A device has a new conductance [S]: drift begins anew, and noise to develop. A stuck device has none.

    The slow noise components go on from where they are: a SET pulse does not melt a device.
    """
    if d.stuck[pair, side] != 0:
        return
    x = g / d.p[G_MAX]
    d.g[pair, side] = g
    d.born_s[pair, side] = now_s
    d.exponent[pair, side] = d.p[DRIFT_SCALE] * drift_exponent(x, d.xi[pair, side])
    d.level[pair, side] = read_noise_level(x, d.p[NOISE_Q], d.p[NOISE_POWER], d.p[NOISE_LARGEST]) ** 2


@kernel(inline="always")
def cycles_left(pair, side, n, d):  # type: ignore[no-untyped-def]
    """How many of ``n`` pulses a device takes before it is worn out."""
    taken = d.set_count[pair, side] + d.reset_count[pair, side]
    return n if taken + n <= d.p[ENDURANCE] else max(int(d.p[ENDURANCE]) - taken, 0)


@kernel(inline="always")
def wear_out(pair, side, n_set, n_reset, d):  # type: ignore[no-untyped-def]
    """Count pulses on a device; one that has had all it can take sticks from now on, without drift or noise.

    What it conducts must be up to date (:func:`restart`).
    """
    d.set_count[pair, side] += n_set
    d.reset_count[pair, side] += n_reset
    if d.set_count[pair, side] + d.reset_count[pair, side] >= d.p[ENDURANCE] and d.stuck[pair, side] == 0:
        d.stuck[pair, side] = 1
        d.exponent[pair, side] = 0.0
        d.level[pair, side] = 0.0


@kernel(error_model="numpy")
def age(first, last, now_s, keep, kick, xi, devices):  # type: ignore[no-untyped-def]
    """Advance the slow noise of a stretch of pairs and bring their conductances up to date.

    ``keep`` is 1 and ``kick`` 0 for components that are not due; ``xi`` holds the normal numbers for
    those that are, in order.
    """
    d = Devices(*devices)
    p, moments, g, born_s, exponent, level, z = d.p, d.moments, d.g, d.born_s, d.exponent, d.level, d.z
    diff, var, total, row_g, n_cols = d.diff, d.var, d.total, d.row_g, d.n_cols
    n = 0
    row, next_row = first // n_cols, (first // n_cols + 1) * n_cols
    for pair in range(first, last):
        if pair == next_row:
            row, next_row = row + 1, next_row + n_cols
        for side in range(g.shape[1]):
            for k in range(len(keep)):
                if kick[k] > 0.0:
                    z[pair, side, k] = keep[k] * z[pair, side, k] + kick[k] * xi[n]
                    n += 1
        _update_pair(pair, row, now_s, p, moments, g, born_s, exponent, level, z, diff, var, total, row_g)
