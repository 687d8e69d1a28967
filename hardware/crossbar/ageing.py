"""Keeps all devices up to date, a few at every time step, so that no step has to do it all."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix


class Ageing:
    """Visits every pair once in ``n_slots`` steps: drift, slow noise; and the compensating reads.

    Between two visits a device conducts what it did at the last one. In a quarter of a second, 25 s after
    programming, drift moves it by less than 0.1 %; for the noise see :func:`.flicker.n_fast`. A device that
    has just been given a pulse is up to date at once.

    Args:
        matrices: All matrices on crossbars.
        clock: The devices' clock; advanced here.
        n_slots: Steps of one round.
        compensation_s: Period of the drift compensation [s], or 0.
        ledger: Where the compensating reads are counted.

    Attributes:
        next_compensation: Step of the next compensating read, shape (1,).
    """

    def __init__(
        self,
        matrices: tuple[CrossbarMatrix, ...],
        clock: DeviceClock,
        *,
        n_slots: int,
        compensation_s: float,
        ledger: Ledger,
    ) -> None:
        self._all, self._matrices = matrices, tuple(m for m in matrices if m.needs_visits)
        self._n_slots, self._clock, self._ledger = n_slots, clock, ledger
        self._static = tuple(m for m in self._matrices if not m.learned and compensation_s > 0)
        # A model put together by hand may stand still, with a time step of 0.
        self._compensation_steps = max(1, round(compensation_s / clock.dt_s)) if self._static else 1
        self._valid_until_s = min(
            (m.config.device.valid_age_s[1] - m.config.programmed_s for m in matrices), default=math.inf
        )
        self._slots = _divide([m.cells.n_pairs for m in self._matrices], n_slots)
        self.next_compensation: NDArray[np.int64] = np.zeros(1, dtype=np.int64)

    def step(self) -> None:
        """What is due in this step; called before anything is read.

        Raises:
            ConfigError: Devices are older than they are described for.
        """
        self._ledger.start()
        n = int(self._clock.steps[0])
        self._clock.steps[0] = n + 1
        now_s = self._clock.now_s
        if now_s > self._valid_until_s:
            self.require_time(0.0)
        for index, first, last in self._slots[n % self._n_slots]:
            matrix = self._matrices[index]
            matrix.visit(first, last, now_s, n // self._n_slots)
        if n >= self.next_compensation[0]:
            self.next_compensation[0] = n + self._compensation_steps
            for matrix in self._static:
                matrix.compensate(self._ledger)

    def require_time(self, seconds: float) -> None:
        """Refuse to let so much time [s] pass if devices are not described for as long.

        Raises:
            ConfigError: They are not.
        """
        for matrix in self._all:
            matrix.require_age(self._clock.now_s + seconds)

    def rest(self, seconds: float) -> None:
        """Let time pass for the devices alone; the next step begins with a compensating read."""
        self._clock.rested_s[0] += seconds
        for matrix in self._all:
            matrix.jump(seconds, self._clock.now_s)
        self.next_compensation[0] = self._clock.steps[0]


def _divide(sizes: list[int], n_slots: int) -> list[list[tuple[int, int, int]]]:
    """Cut sequences of these lengths into ``n_slots`` nearly equal parts of (which, first, last)."""
    edges = np.linspace(0, sum(sizes), n_slots + 1).astype(int)
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    slots: list[list[tuple[int, int, int]]] = []
    for low, high in itertools.pairwise(edges):
        part = []
        for index, start in enumerate(starts[:-1]):
            first, last = max(low, start), min(high, starts[index + 1])
            if first < last:
                part.append((index, int(first - start), int(last - start)))
        slots.append(part)
    return slots
