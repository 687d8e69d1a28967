"""Pairs of devices per weight: their state, and what they conduct at a given moment.

State and derived arrays are flat over weights, ``pair = row * n_cols + col``, so that any stretch of them can
be brought up to date without regard to the shape of the matrix. A weight may have several pairs, which share
its bit lines: device ``2 k`` of it adds to the current, device ``2 k + 1`` is subtracted.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.crossbar import flicker
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.pcm import drift_exponent, read_noise_level
from spikearm.hardware.crossbar.srtio3 import StrontiumTitanateDevice
from spikearm.hardware.crossbar.write_verify import rewrite_around, write_verify
from spikearm.records import FloatArray, OpCounts

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

_NEAR_END = 0.02
"""Part of the range that counts as its end."""

_TAUS = flicker.TIME_CONSTANTS_S
_N_TAUS = len(_TAUS)


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
_SLOW = 4

_N_MOMENTS = 256
"""Ages of which the table remembers what follows from them; a power of two."""


class Devices(NamedTuple):
    """The arrays of one matrix under their names in compiled functions; see :class:`Cells` for their meaning.

    Those called from Python take them as a plain tuple.
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
    for k in range(_N_TAUS):
        share = flicker.development(age, _TAUS[k])
        total += share
        if k < n_fast:
            fast += share
        else:
            m[_SLOW + k - n_fast] = share
    m[_FAST] = fast / total
    for k in range(_N_TAUS - n_fast):
        m[_SLOW + k] = math.sqrt(m[_SLOW + k] / total)


@kernel(inline="always")
def _moment(elapsed_s, p, moments):  # type: ignore[no-untyped-def]
    """Row of the table for this age, worked out anew if another age was there.

    Devices that take no pulses are all of one age, the others were pulsed whole milliseconds ago.
    """
    row = int(elapsed_s * 1000.0) & (_N_MOMENTS - 1)
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
        slow += moments[m, _SLOW + c] * z[pair, k, c]
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
def _age(first, last, now_s, keep, kick, xi, devices):  # type: ignore[no-untyped-def]
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


class Cells:
    """The devices of one matrix.

    Args:
        target: Wanted conductances of all devices [S], shape (n_rows, n_cols, n_devices), the devices of a
            weight in the order plus, minus, plus, minus, ...
        device: Kind of device.
        hold_s: Time between two visits by the ageing schedule [s].
        programmed_s: Age of the devices at time 0 [s].
        rng: Source of randomness of the programming.
        program_rounds: Rounds of program-and-verify (see :mod:`.write_verify`).
        program_tolerance: Error it leaves alone, relative to the device's range.

    Attributes:
        programming: What the programming took.
        programming_pulses: SET and RESET pulses that it took of each device, shape (n_pairs, n_devices).
        g: Conductance right after the last pulse or programming [S], shape (n_pairs, n_devices).
        born_s: When that was, on the network's clock [s], same shape.
        xi: Every device's own standard normal number in the drift law, same shape.
        exponent: Drift exponent since then, same shape.
        level: Square of the noise level since then, same shape.
        z: Slow noise components, shape (n_pairs, n_devices, n_slow).
        set_count: SET pulses taken by each device, shape (n_pairs, n_devices).
        reset_count: RESET pulses, same shape.
        own: What sets single devices apart: factors on steps up and down, upper and lower end of the range
            (:meth:`.device.Device.own_factors`, :meth:`.device.Device.own_bounds`), shape (..., 4).
        stuck: 1 where a device no longer follows pulses, shape (n_pairs, n_devices).
        diff: G+ - G- now [S], shape (n_pairs,).
        var: Variance of the noise that each read adds to it [S^2], same shape.
        total: G+ + G- now [S], same shape.
        row_g: Sum of ``total`` by row [S], shape (n_rows,).
    """

    def __init__(
        self,
        target: FloatArray,
        device: Device,
        *,
        hold_s: float,
        programmed_s: float,
        rng: np.random.Generator,
        program_rounds: int = 1,
        program_tolerance: float = 0.02,
    ) -> None:
        self.n_rows: int = target.shape[0]
        self.n_cols: int = target.shape[1]
        self.n_devices: int = target.shape[2]
        self.n_pairs = self.n_rows * self.n_cols
        self.device = device
        skipped = flicker.n_fast(hold_s)
        self.params = pack(device, skipped)
        self.taus_s = _TAUS[skipped:].copy()
        self.strides = np.array(flicker.strides(skipped, hold_s))
        self.hold_s = hold_s
        shape = (self.n_pairs, target.shape[2])
        bounds = device.own_bounds(shape, rng)
        written = write_verify(
            target.reshape(shape),
            device,
            rng,
            bounds=bounds,
            n_cols=self.n_cols,
            rounds=program_rounds,
            tolerance=program_tolerance,
        )
        self.g: FloatArray = device.relax(written.g, (0.0, programmed_s), rng)
        self.programming: OpCounts = written.counts
        self.programming_pulses: FloatArray = written.pulses
        self.born_s: FloatArray = np.full(shape, -programmed_s)
        self.xi: FloatArray = rng.standard_normal(shape)
        self.exponent: FloatArray = device.drift_scale * drift_exponent(
            self.g / device.g_max_siemens, self.xi
        )
        self.level: FloatArray = read_noise_level(self.g / device.g_max_siemens, *device.noise_q) ** 2
        self.z: NDArray[np.float32] = rng.standard_normal((*shape, len(self.taus_s)), dtype=np.float32)
        self.set_count: NDArray[np.int64] = np.zeros(shape, dtype=np.int64)
        self.reset_count: NDArray[np.int64] = np.zeros(shape, dtype=np.int64)
        self.own: FloatArray = np.concatenate([device.own_factors(shape, rng), bounds], axis=-1)
        self.stuck: NDArray[np.uint8] = np.zeros(shape, dtype=np.uint8)
        self.diff: FloatArray = np.zeros(self.n_pairs)
        self.var: FloatArray = np.zeros(self.n_pairs)
        self.total: FloatArray = np.zeros(self.n_pairs)
        self.row_g: FloatArray = np.zeros(self.n_rows)
        # Without names: compiled functions take twice as long to be handed a named tuple as to be called.
        self.devices: tuple[Any, ...] = tuple(self._bundle())
        self._round = -1
        self._transition = (np.zeros(0), np.zeros(0), 0)
        self._schedule = flicker.transition(self.strides * hold_s, self.taus_s)
        self.refresh_all(0.0)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running."""
        names = (
            "g",
            "born_s",
            "exponent",
            "level",
            "z",
            "set_count",
            "reset_count",
            "stuck",
            "diff",
            "var",
            "total",
            "row_g",
        )
        return {name: getattr(self, name) for name in names}

    def places(self) -> FloatArray:
        """Where every device stood in its range right after its last pulse, shape (n_pairs, n_devices)."""
        places: FloatArray = (self.g - self.device.g_min_siemens) / self.device.range_siemens
        return places

    def n_saturated(self) -> int:
        """Devices at the upper end of their own range, where no pulse raises them; stuck ones aside."""
        at_end = self.places() > self.own[..., OWN_HIGH] - _NEAR_END
        return int(np.count_nonzero(at_end & (self.stuck == 0)))

    def stick(self, stuck: NDArray[np.bool_], g: FloatArray) -> None:
        """Make devices stick for good, without drift or noise of their state, from the start.

        Args:
            stuck: Which, shape (n_pairs, n_devices).
            g: At which conductance [S], same shape.
        """
        self.stuck[stuck] = 1
        self.g[stuck] = g[stuck]
        self.exponent[stuck] = 0.0
        self.level[stuck] = 0.0
        self.refresh_all(0.0)

    def write_around(self, wanted: FloatArray, programmed_s: float, rng: np.random.Generator) -> None:
        """Write the good devices of weights that have stuck ones so that these stand for what they should.

        Args:
            wanted: Differences of conductance that the weights are [S], shape (n_pairs,).
            programmed_s: Age of the devices [s].
            rng: Source of randomness of the programming.
        """
        stuck = self.stuck != 0
        found = rewrite_around(wanted, self.g, stuck, self.device, n_cols=self.n_cols)
        written = stuck.any(axis=1, keepdims=True) & ~stuck
        target = self.device.reachable(found.g, self.own[..., [OWN_HIGH, OWN_LOW]])[written]
        self.g[written] = self.device.relax(self.device.program(target, rng), (0.0, programmed_s), rng)
        x = self.g[written] / self.device.g_max_siemens
        self.exponent[written] = self.device.drift_scale * drift_exponent(x, self.xi[written])
        self.level[written] = read_noise_level(x, *self.device.noise_q) ** 2
        self.programming += found.counts
        self.programming_pulses += found.pulses
        self.refresh_all(0.0)

    def refresh_all(self, now_s: float) -> None:
        """Bring all conductances up to date, leaving the slow noise where it is."""
        none = np.zeros(len(self.taus_s))
        no_xi = np.zeros(0, dtype=np.float32)
        _age(0, self.n_pairs, now_s, np.ones_like(none), none, no_xi, self.devices)
        self.row_g[:] = self.total.reshape(self.n_rows, self.n_cols).sum(axis=1)

    def visit(self, first: int, last: int, now_s: float, round_: int, rng: np.random.Generator) -> None:
        """The ageing schedule's visit to a stretch of pairs, once every ``hold_s``.

        Args:
            first: First pair of the stretch.
            last: One past its last pair.
            now_s: Network time [s].
            round_: How often the schedule has been here; decides which components are due.
            rng: Source of randomness.
        """
        keep, kick, n_due = self._due(round_)
        xi = rng.standard_normal(self.n_devices * (last - first) * n_due, dtype=np.float32)
        _age(first, last, now_s, keep, kick, xi, self.devices)

    def jump(self, elapsed_s: float, now_s: float, rng: np.random.Generator) -> None:
        """Let ``elapsed_s`` [s] pass at once; ``now_s`` is the time afterwards."""
        # Devices whose relaxation is known do not learn, and are all of one age.
        age_s = now_s - float(self.born_s.flat[0])
        good = self.stuck == 0
        self.g[good] = self.device.relax(self.g, (age_s - elapsed_s, age_s), rng)[good]
        keep, kick = flicker.transition(np.full(len(self.taus_s), elapsed_s), self.taus_s)
        xi = rng.standard_normal(self.n_devices * self.n_pairs * len(self.taus_s), dtype=np.float32)
        _age(0, self.n_pairs, now_s, keep, kick, xi, self.devices)

    def _due(self, round_: int) -> tuple[FloatArray, FloatArray, int]:
        """The transition of each slow component in this round, and how many move; worked out once a round."""
        if round_ != self._round:
            keep, kick = self._schedule
            due = round_ % self.strides == 0
            self._round = round_
            self._transition = np.where(due, keep, 1.0), np.where(due, kick, 0.0), int(due.sum())
        return self._transition

    def _bundle(self) -> Devices:
        return Devices(
            p=self.params,
            moments=np.full((_N_MOMENTS, _SLOW + _N_TAUS), np.nan),
            g=self.g,
            born_s=self.born_s,
            xi=self.xi,
            exponent=self.exponent,
            level=self.level,
            z=self.z,
            set_count=self.set_count,
            reset_count=self.reset_count,
            own=self.own,
            stuck=self.stuck,
            diff=self.diff,
            var=self.var,
            total=self.total,
            row_g=self.row_g,
            n_cols=self.n_cols,
        )
