"""The learning circuit of one matrix: accumulator, pulse generator, refresh, wear."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.hardware.crossbar import ledger
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.events import EventTraces, advance, settle_all
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.pulses import (
    accumulate_dense,
    accumulate_pes,
    give_pulses,
    refresh_row,
    saturated,
)
from spikearm.records import FloatArray

logger = logging.getLogger(__name__)

_SATURATION_WARNING = 0.01
"""Share of devices at the end of their range that is worth a warning: learning has begun to stall."""


@dataclass(frozen=True)
class Wear:
    """Pulses that the devices of a matrix have taken since they were installed.

    Attributes:
        label: The matrix.
        set_max: SET pulses on the most used device.
        set_mean: SET pulses per device.
        reset_max: RESET pulses on the device that has most.
        reset_mean: RESET pulses per device.
        endurance_used: Part of its endurance that the most used device has spent.
        saturated_devices: Devices at the end of their range now.
        n_devices: Devices of the matrix.
    """

    label: str
    set_max: int
    set_mean: float
    reset_max: int
    reset_mean: float
    endurance_used: float
    saturated_devices: int
    n_devices: int


class PulseLearning:
    """Turns weight changes into pulses.

    Args:
        matrix: A matrix whose weights are learned.
        clock: The devices' clock.
        rng: Source of the pulses' randomness; replaced at every reset.
        traces: Event-driven activities, or None to be given filtered activities at every step.

    Attributes:
        chi: Accumulated changes not yet written, relative to g_max, shape (n_inputs, n_outputs).
        next_row: The row that the refresh looks at next, shape (1,).
        refreshed: Pairs refreshed since the start, shape (1,).
    """

    def __init__(
        self,
        matrix: CrossbarMatrix,
        clock: DeviceClock,
        rng: np.random.Generator,
        traces: EventTraces | None = None,
    ) -> None:
        self.matrix, self.clock, self.traces = matrix, clock, traces
        self.rng = rng
        self.chi: FloatArray = np.zeros((matrix.n_inputs, matrix.n_outputs))
        self.next_row: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self.refreshed: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        # A pair can be listed twice in one step, at a spike and when all rows are settled.
        self._pairs = np.zeros(2 * matrix.cells.n_pairs, dtype=np.int64)
        self._pulses = np.zeros(2 * matrix.cells.n_pairs, dtype=np.int64)
        device = matrix.config.device
        # Learned matrices have one range per column, the same on every tile.
        self._per_weight = 1.0 / (matrix.weight[0] * device.g_max_siemens)
        self._step = device.set_step
        self._threshold = matrix.config.pulse_threshold
        self._most = matrix.config.max_pulses_per_step
        self._warned = False

    def pes(self, acts: FloatArray, error: FloatArray, rate: float, counts: FloatArray) -> None:
        """Learn ``delta = rate * outer(error, acts)``.

        Args:
            acts: Filtered activities, or with ``traces`` the neurons' outputs, shape (n_inputs,).
            error: Error, shape (n_outputs,).
            rate: Factor, sign included.
            counts: Counts of the present step, added to.
        """
        per_column = rate * error * self._per_weight
        chi = self._accumulator
        if self.traces is None:
            due, rows = accumulate_pes(acts, per_column, *chi)
        else:
            t = self.traces
            due, rows = advance(
                acts, t.kick, t.floor, per_column, t.now, t.trace, t.since, t.history, t.powers, *chi
            )
        self._write(due, rows, counts)

    def add(self, delta: FloatArray, counts: FloatArray) -> None:
        """Learn any change of weights, shape (n_outputs, n_inputs)."""
        due, rows = accumulate_dense(delta, self._per_weight, *self._accumulator)
        self._write(due, rows, counts)

    def settle(self, counts: FloatArray) -> None:
        """Add to chi, and to the weights, what event-driven rows have not been asked for yet."""
        t = self.traces
        if t is None:
            return
        chi = self._accumulator
        due, rows = settle_all(t.floor, t.now, t.trace, t.since, t.history, t.powers, *chi, 0)
        self._write(due, rows, counts)

    def refresh(self, counts: FloatArray) -> None:
        """Look after the next rows; once per time step."""
        config, cells = self.matrix.config, self.matrix.cells
        for _ in range(config.refresh_rows_per_step):
            row = int(self.next_row[0])
            self.refreshed[0] += refresh_row(
                row,
                config.refresh_upper,
                config.refresh_lower,
                self.rng.standard_normal(self.matrix.n_outputs),
                self.clock.now_s,
                cells.devices,
                counts,
            )
            self.next_row[0] = (row + 1) % self.matrix.n_inputs
            if self.next_row[0] == 0 and not self._warned:
                self._warn_if_saturated()

    def wear(self) -> Wear:
        """Pulses taken so far."""
        cells = self.matrix.cells
        return Wear(
            label=self.matrix.label,
            set_max=int(cells.set_count.max()),
            set_mean=float(cells.set_count.mean()),
            reset_max=int(cells.reset_count.max()),
            reset_mean=float(cells.reset_count.mean()),
            endurance_used=float((cells.set_count + cells.reset_count).max() / cells.device.endurance_cycles),
            saturated_devices=saturated(cells.g / cells.device.g_max_siemens),
            n_devices=cells.g.size,
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running, those of the matrix aside."""
        own: dict[str, NDArray[np.generic]] = {
            "chi": self.chi,
            "next_row": self.next_row,
            "refreshed": self.refreshed,
        }
        return own if self.traces is None else own | self.traces.arrays()

    @property
    def _accumulator(self) -> tuple[Any, ...]:
        """The last arguments of every function that accumulates."""
        return self.chi, self._step, self._threshold, self._most, self._pairs, self._pulses

    def _write(self, n_due: int, n_rows: int, counts: FloatArray) -> None:
        counts[ledger.LEARNING_UPDATES] += n_rows * self.matrix.n_outputs
        if not n_due:
            return
        cells = self.matrix.cells
        device = cells.device
        equal_steps = device.set_scatter == 0 and device.set_saturation == 0
        n_random = 0 if equal_steps else int(np.abs(self._pulses[:n_due]).sum())
        give_pulses(
            n_due,
            self._pairs,
            self._pulses,
            self.rng.standard_normal(n_random),
            self.clock.now_s,
            cells.devices,
            counts,
        )

    def _warn_if_saturated(self) -> None:
        """Once per learning circuit: a range that is too narrow would otherwise look like slow learning."""
        n = saturated(self.matrix.cells.g / self.matrix.cells.device.g_max_siemens)
        if n > _SATURATION_WARNING * self.matrix.cells.g.size:
            self._warned = True
            logger.warning(
                "%s: %d of %d devices are at their largest conductance and learn no further; "
                "raise learned_output_range or set learned_weight_range above %.3g.",
                self.matrix.label,
                n,
                self.matrix.cells.g.size,
                float(self.matrix.weight.max() * self.matrix.cells.device.g_max_siemens),
            )
