"""Pairs of devices per weight: their state, and what they conduct at a given moment.

State and derived arrays are flat over weights, ``pair = row * n_cols + col``, so that any stretch of them can
be brought up to date without regard to the shape of the matrix. A weight may have several pairs, which share
its bit lines: device ``2 k`` of it adds to the current, device ``2 k + 1`` is subtracted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.hardware.crossbar import flicker
from spikearm.hardware.crossbar.conductance import (
    N_MOMENTS,
    N_TAUS,
    OWN_HIGH,
    OWN_LOW,
    SLOW,
    Devices,
    age,
    pack,
)
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.pcm import drift_exponent, read_noise_level
from spikearm.hardware.crossbar.write_verify import rewrite_around, write_verify
from spikearm.records import FloatArray, OpCounts

_NEAR_END = 0.02
"""Part of the range that counts as its end."""


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
        self.taus_s = flicker.TIME_CONSTANTS_S[skipped:].copy()
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
        age(0, self.n_pairs, now_s, np.ones_like(none), none, no_xi, self.devices)
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
        age(first, last, now_s, keep, kick, xi, self.devices)

    def jump(self, elapsed_s: float, now_s: float, rng: np.random.Generator) -> None:
        """Let ``elapsed_s`` [s] pass at once; ``now_s`` is the time afterwards."""
        # Devices whose relaxation is known do not learn, and are all of one age.
        age_s = now_s - float(self.born_s.flat[0])
        good = self.stuck == 0
        self.g[good] = self.device.relax(self.g, (age_s - elapsed_s, age_s), rng)[good]
        keep, kick = flicker.transition(np.full(len(self.taus_s), elapsed_s), self.taus_s)
        xi = rng.standard_normal(self.n_devices * self.n_pairs * len(self.taus_s), dtype=np.float32)
        age(0, self.n_pairs, now_s, keep, kick, xi, self.devices)

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
            moments=np.full((N_MOMENTS, SLOW + N_TAUS), np.nan),
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
