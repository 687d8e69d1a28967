"""The learning circuit of one matrix: accumulator, pulse generator, refresh, wear."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.activity import ActivityLimit
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.due import (
    accumulate_dense,
    accumulate_pes,
    list_dense_signs,
    list_signs,
    n_pulses,
)
from spikearm.hardware.crossbar.events import EventTraces, advance, settle_all
from spikearm.hardware.crossbar.ledger import CountArray, count_learning
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.pulses import give_pulses, may_be_used_up, refresh_row
from spikearm.hardware.wear import Wear
from spikearm.records import FloatArray

logger = logging.getLogger(__name__)

_SATURATION_WARNING = 0.01
"""Share of devices at the end of their range that is worth a warning: learning has begun to stall."""

_NO_LIMIT = 2**40
"""Pulses of equal steps are added up at once, so that nothing is gained by letting some of them wait."""


class PulseLearning:
    """Turns weight changes into pulses.

    Args:
        matrix: A matrix whose weights are learned.
        clock: The devices' clock.
        rng: Source of the pulses' randomness; replaced at every reset.
        traces: Event-driven activities, or None to be given filtered activities at every step.
        activity: Beyond how much activity PES learns at a smaller rate; by default it never does.

    Raises:
        ConfigError: The response of the matrix's devices to pulses is not known, so that they cannot learn.

    Attributes:
        chi: Changes not yet written, relative to the weight range, shape (n_inputs, n_outputs).
        counter: Whose turn it is to take the next pulse, shape (1,).
        next_row: The row that the refresh looks at next, shape (1,).
        refreshed: Pairs refreshed since the start, shape (1,).
    """

    def __init__(
        self,
        matrix: CrossbarMatrix,
        clock: DeviceClock,
        rng: np.random.Generator,
        traces: EventTraces | None = None,
        activity: ActivityLimit | None = None,
    ) -> None:
        self.matrix, self.clock, self.traces = matrix, clock, traces
        self.activity = ActivityLimit() if activity is None else activity
        self.rng = rng
        self.chi: FloatArray = np.zeros((matrix.n_inputs, matrix.n_outputs))
        self.next_row: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self.refreshed: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        # A pair can be listed twice in one step, at a spike and when all rows are settled.
        self._pairs = np.zeros(2 * matrix.cells.n_pairs, dtype=np.int64)
        self._pulses = np.zeros(2 * matrix.cells.n_pairs, dtype=np.int64)
        self.counter: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        config, device = matrix.config, matrix.config.device
        if not device.learns:
            raise ConfigError(
                f"{matrix.label} learns, but how its devices answer to single pulses is not known "
                f"({device.source}); give it another device, or keep it digital, e.g. "
                "overrides={'learned': {'device': 'pcm'}} or digital=('learned',)."
            )
        # Learned matrices have one range per column, the same on every tile.
        self._per_weight = 1.0 / (matrix.weight[0] * matrix.full_siemens)
        self._step = device.mean_step / config.devices_per_synapse
        self._most = _NO_LIMIT if device.equal_steps else config.max_pulses_per_step
        self._by_sign = config.learning == "sign"
        stochastic = config.learning == "stochastic"
        self._dice: FloatArray = np.zeros(matrix.cells.n_pairs if stochastic else 0)
        self._refreshes = not device.bidirectional
        self._equal_steps = device.equal_steps
        self._accumulator = (
            self.chi,
            self._step,
            config.pulse_threshold,
            self._most,
            self._dice,
            self._pairs,
            self._pulses,
        )
        self._warned = False

    def pes(self, acts: FloatArray, error: FloatArray, rate: float, counts: CountArray) -> None:
        """Learn ``delta = rate * outer(error, acts)``.

        Args:
            acts: Filtered activities, or with ``traces`` the neurons' outputs, shape (n_inputs,).
            error: Error, shape (n_outputs,).
            rate: Factor, sign included.
            counts: Counts of the present step, added to.
        """
        per_column = rate * error * self._per_weight
        chi, t, limit = self._accumulator, self.traces, self.activity
        self._throw_dice()
        if self._by_sign:
            due, rows = list_signs(acts, per_column, error, self._pairs, self._pulses)
        elif t is None:
            due, rows = accumulate_pes(acts, limit.factor(acts) * per_column, *chi)
        else:
            held = (limit.limit, limit.powers, limit.own)
            state = (t.power, t.now, t.trace, t.since, t.history, t.powers)
            due, rows = advance(acts, t.kick, t.floor, per_column, held, *state, *chi)
        self._write(due, rows, counts)

    def add(self, delta: FloatArray, counts: CountArray) -> None:
        """Learn any change of weights, shape (n_outputs, n_inputs)."""
        self._throw_dice()
        if self._by_sign:
            due, rows = list_dense_signs(delta, self._pairs, self._pulses)
        else:
            due, rows = accumulate_dense(delta, self._per_weight, *self._accumulator)
        self._write(due, rows, counts)

    def settle(self, counts: CountArray) -> None:
        """Add to chi, and to the weights, what event-driven rows have not been asked for yet."""
        t = self.traces
        if t is None:
            return
        chi = self._accumulator
        self._throw_dice()
        due, rows = settle_all(t.floor, t.now, t.trace, t.since, t.history, t.powers, *chi)
        self._write(due, rows, counts)

    def refresh(self, counts: CountArray) -> None:
        """Look after the next rows; once per time step."""
        for _ in range(self.matrix.config.refresh_rows_per_step):
            row = int(self.next_row[0])
            if self._refreshes:
                self._refresh_row(row, counts)
            self.next_row[0] = (row + 1) % self.matrix.n_inputs
            if self.next_row[0] == 0 and not self._warned:
                self._warn_if_saturated()

    def _refresh_row(self, row: int, counts: CountArray) -> None:
        """Read a row's devices, and refresh the pairs that need it."""
        cells, n_outputs = self.matrix.cells, self.matrix.n_outputs
        device, limits = cells.device, (self.matrix.config.refresh_upper, self.matrix.config.refresh_lower)
        ends = (device.g_min_siemens, device.g_max_siemens)
        n_converters = self.matrix.config.adcs_per_tile
        if not may_be_used_up(row, n_outputs, *limits, cells.g, *ends, n_converters, counts):
            return
        xi = self.rng.standard_normal(n_outputs * cells.n_devices // 2)
        slow = (n_outputs, cells.n_devices, len(cells.taus_s))
        xi_slow = self.rng.standard_normal(slow, dtype=np.float32)
        self.refreshed[0] += refresh_row(row, *limits, xi, xi_slow, self.clock.now_s, cells.devices, counts)

    def wear(self) -> Wear:
        """Pulses taken so far."""
        cells = self.matrix.cells
        pulses, endurance = cells.set_count + cells.reset_count, cells.device.endurance_cycles
        follows = (cells.stuck == 0) | (pulses >= endurance)
        most = int(pulses.max(where=follows, initial=0))
        return Wear(
            label=self.matrix.label,
            set_max=int(cells.set_count.max()),
            set_mean=float(cells.set_count.mean()),
            reset_max=int(cells.reset_count.max()),
            reset_mean=float(cells.reset_count.mean()),
            pulses_max=most,
            endurance_used=most / endurance,
            stuck_devices=int(np.count_nonzero(cells.stuck)),
            saturated_devices=cells.n_saturated(),
            n_devices=cells.g.size,
            operated_s=float(self.clock.steps[0]) * self.clock.dt_s,
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running, those of the matrix aside."""
        own: dict[str, NDArray[np.generic]] = {
            "chi": self.chi,
            "next_row": self.next_row,
            "refreshed": self.refreshed,
            "counter": self.counter,
        }
        if self.traces is not None:
            own |= self.traces.arrays()
        return own | {"powers": self.activity.powers}

    def _throw_dice(self) -> None:
        """Draw the thresholds of stochastic pulses."""
        if len(self._dice):
            # random() lies in [0, 1); a threshold must not be 0.
            np.subtract(1.0, self.rng.random(out=self._dice), out=self._dice)

    def _write(self, n_due: int, n_rows: int, counts: CountArray) -> None:
        # A row's square is taken up anew, and its changes added up.
        count_learning(counts, n_rows * self.matrix.n_outputs, 2 * n_rows)
        if not n_due:
            return
        cells = self.matrix.cells
        n_random = 0 if self._equal_steps else n_pulses(n_due, self._pulses)
        give_pulses(
            n_due,
            self._pairs,
            self._pulses,
            self.counter,
            self.rng.standard_normal(n_random),
            self.matrix.config.half_select_disturb,
            self.clock.now_s,
            cells.devices,
            counts,
        )

    def _warn_if_saturated(self) -> None:
        """Once per learning circuit: a range that is too narrow would otherwise look like slow learning."""
        n = self.matrix.cells.n_saturated()
        if n > _SATURATION_WARNING * self.matrix.cells.g.size:
            self._warned = True
            logger.warning(
                "%s: %d of %d devices are at their largest conductance and learn no further; "
                "raise learned_output_range or set learned_weight_range above %.3g.",
                self.matrix.label,
                n,
                self.matrix.cells.g.size,
                float(self.matrix.weight.max() * self.matrix.full_siemens),
            )
