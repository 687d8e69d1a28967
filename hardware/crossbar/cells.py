"""A pair of devices per weight: their state, and what they conduct at a given moment.

State and derived arrays are flat over pairs, ``pair = row * n_cols + col``, so that any stretch of them can
be brought up to date without regard to the shape of the matrix.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spikearm.hardware.crossbar import flicker
from spikearm.hardware.crossbar.pcm import PcmDevice, drift_exponent, drift_factor, read_noise_variance
from spikearm.records import FloatArray

# Positions in the parameter array of compiled functions.
G_MAX, T0, T_READ, NOISE_SCALE, SHORT_NOISE, DRIFT_SCALE = 0, 1, 2, 3, 4, 5
SET_STEP, SET_SCATTER, SET_SATURATION = 6, 7, 8
C0, C1, C2 = 9, 10, 11
N_FAST = 12

_TAUS = flicker.TIME_CONSTANTS_S
_N_TAUS = len(_TAUS)


def pack(device: PcmDevice, n_fast: int) -> FloatArray:
    """The device's parameters as compiled functions take them."""
    c0, c1, c2 = (1e-6 * device.programming_scale * c for c in device.programming_us)
    values = [device.g_max_siemens, device.drift_t0_s, device.noise_t_read_s, device.noise_scale]
    values += [device.short_time_noise, device.drift_scale, device.set_step, device.set_scatter]
    return np.array([*values, device.set_saturation, c0, c1, c2, float(n_fast)])


@njit(cache=True)
def conductance_now(g, exponent, elapsed_s, z, p):  # type: ignore[no-untyped-def]
    """What one device conducts at one moment.

    The relative noise variance of the device law (``read_noise_variance``) is split into a white
    short-time part and the components of :mod:`.flicker` in proportion to how far each has developed.

    Args:
        g: Conductance as programmed [S].
        exponent: Drift exponent.
        elapsed_s: Time since programming [s].
        z: State of the slow components, unit variance, shape (n_slow,).
        p: Packed parameters.

    Returns:
        Conductance without the noise that is drawn at each read [S], the variance of that noise [S^2].
    """
    g_drifted = g * drift_factor(elapsed_s, exponent, p[T0]) if p[DRIFT_SCALE] > 0.0 else g
    if p[NOISE_SCALE] == 0.0 or g == 0.0:
        return g_drifted, 0.0
    age = elapsed_s + p[T0]
    variance = read_noise_variance(g / p[G_MAX], age, p[T_READ])
    white = min(variance, p[SHORT_NOISE] * p[SHORT_NOISE])
    n_fast = int(p[N_FAST])
    fast = 0.0
    total = 0.0
    slow = 0.0
    for k in range(_N_TAUS):
        share = flicker.development(age, _TAUS[k])
        total += share
        if k < n_fast:
            fast += share
        else:
            slow += math.sqrt(share) * z[k - n_fast]
    correlated = (variance - white) / total
    noisy = g_drifted * (1.0 + p[NOISE_SCALE] * math.sqrt(correlated) * slow)
    at_read = p[NOISE_SCALE] * p[NOISE_SCALE] * (white + correlated * fast)
    return max(noisy, 0.0), at_read * g_drifted * g_drifted


@njit(cache=True)
def update_pair(pair, now_s, p, g, born, exponent, z, diff, var, total, row_g, n_cols):  # type: ignore[no-untyped-def]
    """Bring the derived values of one pair up to date, and its row's sum with them."""
    plus, var_plus = conductance_now(g[pair, 0], exponent[pair, 0], now_s - born[pair, 0], z[pair, 0], p)
    minus, var_minus = conductance_now(g[pair, 1], exponent[pair, 1], now_s - born[pair, 1], z[pair, 1], p)
    diff[pair] = plus - minus
    var[pair] = var_plus + var_minus
    row_g[pair // n_cols] += plus + minus - total[pair]
    total[pair] = plus + minus


@njit(cache=True)
def _age(first, last, now_s, p, g, born, exponent, z, keep, kick, xi, diff, var, total, row_g, n_cols):  # type: ignore[no-untyped-def]
    """Advance the slow noise of a stretch of pairs and bring their conductances up to date.

    ``keep`` is 1 and ``kick`` 0 for components that are not due; ``xi`` holds the normal numbers for
    those that are, in order.
    """
    n = 0
    for pair in range(first, last):
        for side in range(2):
            for k in range(len(keep)):
                if kick[k] > 0.0:
                    z[pair, side, k] = keep[k] * z[pair, side, k] + kick[k] * xi[n]
                    n += 1
        update_pair(pair, now_s, p, g, born, exponent, z, diff, var, total, row_g, n_cols)


class Cells:
    """The devices of one matrix.

    Args:
        target: Wanted conductances of all pairs [S], shape (n_rows, n_cols, 2).
        device: Kind of device.
        hold_s: Time between two visits by the ageing schedule [s].
        programmed_s: Age of the devices at time 0 [s].
        rng: Source of randomness of the programming.

    Attributes:
        g: Conductance right after the last pulse or programming [S], shape (n_pairs, 2).
        born_s: When that was, on the network's clock [s], same shape.
        xi: Every device's own standard normal number in the drift law, same shape.
        exponent: Drift exponent since then, same shape.
        z: Slow noise components, shape (n_pairs, 2, n_slow).
        set_count: SET pulses taken by each device, shape (n_pairs, 2).
        reset_count: RESET pulses, same shape.
        diff: G+ - G- now [S], shape (n_pairs,).
        var: Variance of the noise that each read adds to it [S^2], same shape.
        total: G+ + G- now [S], same shape.
        row_g: Sum of ``total`` by row [S], shape (n_rows,).
    """

    def __init__(
        self,
        target: FloatArray,
        device: PcmDevice,
        *,
        hold_s: float,
        programmed_s: float,
        rng: np.random.Generator,
    ) -> None:
        self.n_rows, self.n_cols = target.shape[:2]
        self.n_pairs = self.n_rows * self.n_cols
        self.device = device
        skipped = flicker.n_fast(hold_s)
        self.params = pack(device, skipped)
        self.taus_s = _TAUS[skipped:].copy()
        self.strides = np.array(flicker.strides(skipped, hold_s))
        self.hold_s = hold_s
        shape = (self.n_pairs, 2)
        self.g: FloatArray = device.program(target.reshape(shape), rng)
        self.born_s: FloatArray = np.full(shape, -programmed_s)
        self.xi: FloatArray = rng.standard_normal(shape)
        self.exponent: FloatArray = device.drift_scale * drift_exponent(
            self.g / device.g_max_siemens, self.xi
        )
        self.z: NDArray[np.float32] = rng.standard_normal((*shape, len(self.taus_s)), dtype=np.float32)
        self.set_count: NDArray[np.int64] = np.zeros(shape, dtype=np.int64)
        self.reset_count: NDArray[np.int64] = np.zeros(shape, dtype=np.int64)
        self.diff: FloatArray = np.zeros(self.n_pairs)
        self.var: FloatArray = np.zeros(self.n_pairs)
        self.total: FloatArray = np.zeros(self.n_pairs)
        self.row_g: FloatArray = np.zeros(self.n_rows)
        self.refresh_all(0.0)

    @property
    def derived(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """The arrays that follow from the state, in the order compiled functions take them."""
        return self.diff, self.var, self.total, self.row_g

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running."""
        names = ("g", "born_s", "exponent", "z", "set_count", "reset_count", "diff", "var", "total", "row_g")
        return {name: getattr(self, name) for name in names}

    def refresh_all(self, now_s: float) -> None:
        """Bring all conductances up to date, leaving the slow noise where it is."""
        none = np.zeros(len(self.taus_s))
        self._age(0, self.n_pairs, now_s, np.ones_like(none), none, np.zeros(0, dtype=np.float32))
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
        due = round_ % self.strides == 0
        keep, kick = flicker.transition(self.strides * self.hold_s, self.taus_s)
        keep[~due], kick[~due] = 1.0, 0.0
        n = 2 * (last - first) * int(due.sum())
        self._age(first, last, now_s, keep, kick, rng.standard_normal(n, dtype=np.float32))

    def jump(self, elapsed_s: float, now_s: float, rng: np.random.Generator) -> None:
        """Let ``elapsed_s`` [s] pass at once; ``now_s`` is the time afterwards."""
        keep, kick = flicker.transition(np.full(len(self.taus_s), elapsed_s), self.taus_s)
        n = 2 * self.n_pairs * len(self.taus_s)
        self._age(0, self.n_pairs, now_s, keep, kick, rng.standard_normal(n, dtype=np.float32))

    def _age(
        self,
        first: int,
        last: int,
        now_s: float,
        keep: FloatArray,
        kick: FloatArray,
        xi: NDArray[np.float32],
    ) -> None:
        if not self.device.noise_scale:
            kick = np.zeros_like(kick)
        state = (self.g, self.born_s, self.exponent, self.z)
        _age(first, last, now_s, self.params, *state, keep, kick, xi, *self.derived, self.n_cols)
