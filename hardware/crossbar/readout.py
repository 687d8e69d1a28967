"""How one matrix is read: the kernel that fits its wires, and what is worked out ahead of reads."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.hardware.crossbar.cells import Cells
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.ir_drop import LINES_PER_PAIR, Wires, connected_power
from spikearm.hardware.crossbar.ledger import CountArray
from spikearm.hardware.crossbar.nodal import NodalArray
from spikearm.hardware.crossbar.reads import JUMP, SETTLED, read_connected, read_gated, read_plain, weaken
from spikearm.records import FloatArray

logger = logging.getLogger(__name__)

_LEARNED_FILL = 0.1
"""Mean conductance that learning is expected to reach, relative to g_max."""

_CROSS_LOSS = 0.02
"""Product of the losses in rows and columns from which on a warning is due: about the error of the model."""


UNROUNDED_BITS = 8
"""Resolution that converters without rounding are charged as."""


def half_levels(bits: int | None) -> int:
    """Levels of a signed converter on either side of zero; 0 stands for no rounding."""
    return 0 if bits is None else (1 << (bits - 1)) - 1


def charged_bits(bits: int | None) -> int:
    """Resolution that a converter is charged as."""
    return UNROUNDED_BITS if bits is None else bits


def conversion_steps(bits: int | None) -> float:
    """Levels that a converter tells apart."""
    return float(1 << charged_bits(bits))


class Readout:
    """Reads the cells of one matrix.

    What a static matrix contributes at the converters is worked out when its devices change by themselves,
    a few at a time, so that a read is a plain product; with noise, whose least part is 1 %, in single
    precision. A learned matrix is read as its devices are.

    Args:
        label: What the matrix is called in messages.
        cells: The devices.
        config: Tiles, wires, converters.
        weight: Weight per siemens, shape (n_row_tiles, n_cols).
        learned: Whether pulses change the devices while running.
        per_spike: What one spike of the input stands for, or None if the input is not spikes.

    Attributes:
        adc_range: Largest current at unit read voltage [S], shape (n_row_tiles, n_col_tiles).
        dac_range: Analog input that is read at full voltage, shape (1,); 0 until one is known.
        clipped: Conversions that left the range since the start, shape (1,).
        weight: Weight per siemens as calibrated, shape (n_row_tiles, n_cols): in a static matrix, what the
            wires take from a column in the mean is given back behind its converter.
        wires: The ladders, or None with perfect wires.
    """

    def __init__(
        self,
        label: str,
        cells: Cells,
        config: CrossbarConfig,
        weight: FloatArray,
        *,
        learned: bool,
        per_spike: float | None,
    ) -> None:
        self._cells, self._learned = cells, learned
        # The pairs of a weight share its output, side by side.
        self._n_pairs = config.devices_per_synapse
        tile_cols = config.tile_cols // self._n_pairs
        n_cols, n_blocks = cells.n_cols, weight.shape[0]
        self.adc_range: FloatArray = np.full((n_blocks, -(-n_cols // tile_cols)), np.inf)
        self.dac_range: FloatArray = np.zeros(1)
        self.clipped: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self._jump: FloatArray = np.zeros(3)
        self._jump_judged = per_spike is not None or config.dac_bits is None
        wired = max(config.row_wire_ohm, config.column_wire_ohm) > 0
        gated = wired and config.rows_gated and per_spike is not None
        self.wires = self._make_wires(config, gated=gated) if wired else None
        self._held = not learned and not gated
        noisy = config.device.noise_scale > 0
        kind = np.dtype(np.float32 if self._held and noisy else np.float64)
        self._signal: NDArray[Any] = np.zeros(cells.n_pairs if self._held else 0, dtype=kind)
        exact = self._held and wired and config.exact_wires
        self._beyond: FloatArray = np.zeros(cells.n_pairs if exact else 0)
        self._noise: NDArray[Any] = np.zeros(cells.n_pairs if self._held and noisy else 0, dtype=kind)
        self._xi = np.zeros(n_blocks * n_cols if noisy else 0, dtype=np.float32)
        self._out = np.zeros(n_cols)
        # Listing rows writes one place beyond the last.
        rows = np.zeros(cells.n_rows + 1, dtype=np.int64)
        drive, currents = np.zeros((2, cells.n_rows), dtype=kind), np.zeros((2, n_cols), dtype=kind)
        buffers = (drive[0], drive[1], rows, self._xi, currents, self._out)
        levels = half_levels(config.adc_bits)
        self._nominal, self.weight = weight, weight.copy()
        dac_steps = 0.0 if per_spike is not None else conversion_steps(config.dac_bits)
        charged = (self._n_pairs, conversion_steps(config.adc_bits), dac_steps)
        converters = (tile_cols, levels, self.weight, self.adc_range, self.clipped, charged)
        per_spike = 0.0 if per_spike is None else float(per_spike)
        self._coding = (per_spike, half_levels(config.dac_bits), self.dac_range, self._jump)
        self._array = (config.tile_rows, converters, buffers)
        self._kernel, self._source = self._choose(gated=gated)
        self.follow_all()
        self._label, self._config = label, config
        if config.exact_wires and gated and not learned:
            logger.warning(
                "%s: exact_wires has no effect on rows that spikes connect; set rows_gated=False for rows "
                "that are always connected, or exact_wires=False.",
                label,
            )
        if not gated:
            self._warn_of_cross_loss(1.0)

    def read(self, x: FloatArray, gain: float, counts: CountArray, rng: np.random.Generator) -> FloatArray:
        """Product of the matrix with ``x``; see :meth:`.matrix.CrossbarMatrix.read`."""
        if len(self._xi):
            rng.standard_normal(dtype=np.float32, out=self._xi)
        self._kernel(x, self._coding, gain, *self._array, counts, *self._source)
        if not self._jump_judged and self._jump[1] >= 2 * SETTLED:
            self._judge_jump()
        return self._out

    @property
    def must_follow(self) -> bool:
        """Whether anything here depends on the devices, and must follow when they change."""
        return self._held or self.wires is not None

    def follow(self, first: int, last: int) -> None:
        """Bring what depends on a stretch of pairs up to date.

        Rows follow when their last pair does; columns follow in step, as many in proportion.
        """
        cells, wires = self._cells, self.wires
        if wires is not None:
            n_pairs, n_cols = cells.n_pairs, cells.n_cols
            columns = (first * n_cols // n_pairs, last * n_cols // n_pairs)
            wires.update((first // n_cols, last // n_cols), columns, cells.diff, cells.total)
        if not self._held:
            return
        stretch = (first, last, cells.diff, cells.total, cells.var)
        if wires is None:
            self._signal[first:last] = cells.diff[first:last]
            if len(self._noise):
                self._noise[first:last] = cells.var[first:last]
        else:
            weaken(*stretch, wires.h, wires.t_plus, wires.t_minus, self._signal, self._noise)
            if len(self._beyond):
                self._signal[first:last] += self._beyond[first:last]

    def follow_all(self) -> None:
        """Bring everything up to date."""
        if self.must_follow:
            self.follow(0, self._cells.n_pairs)

    def all_rows_siemens(self) -> float:
        """Conductance that all drivers together see when every row is driven fully [S]."""
        cells, wires = self._cells, self.wires
        if wires is None:
            return float(cells.row_g.sum())
        ones, lines = np.ones(cells.n_rows), LINES_PER_PAIR * cells.n_cols
        total = 0.0
        for first in range(0, cells.n_rows, wires.tile_rows):
            last = min(first + wires.tile_rows, cells.n_rows)
            total += connected_power(first, last, ones, wires.column_ohm, lines, wires.row_seen)
        return total

    def effective(self) -> FloatArray:
        """Difference of each pair as its converter sees it [S], shape (n_rows, n_cols).

        With gated rows it depends on the read; these are then the differences behind the rows' wires.
        """
        cells, wires = self._cells, self.wires
        seen = cells.diff
        if wires is not None and wires.gated:
            seen = wires.h * cells.diff
        elif wires is not None:
            seen = np.zeros(cells.n_pairs)
            arrays = (cells.diff, cells.total, cells.var, wires.h, wires.t_plus, wires.t_minus)
            weaken(0, cells.n_pairs, *arrays, seen, np.zeros(0))
            if len(self._beyond):
                seen += self._beyond
        return seen.reshape(cells.n_rows, cells.n_cols)

    def calibrate_columns(self) -> None:
        """Fit the digital scales of a static matrix to what arrives of its columns (least squares)."""
        self.follow_all()
        if self.wires is None or self._learned:
            return
        if len(self._beyond):
            self._solve_beyond_ladders()
            self.follow_all()
        tile_rows = self._array[0]
        self.weight[:] = self._nominal
        wanted = self._cells.diff.reshape(self._cells.n_rows, self._cells.n_cols)
        seen = self.effective()
        for block, scale in enumerate(self.weight):
            rows = slice(block * tile_rows, (block + 1) * tile_rows)
            power = (seen[rows] ** 2).sum(axis=0)
            alive = power > 0
            scale[alive] *= (wanted[rows] * seen[rows]).sum(axis=0)[alive] / power[alive]

    def _solve_beyond_ladders(self) -> None:
        """What the ladders leave out, by the exact solution of every tile; of third order in the conductance.

        Found once, for the devices as programmed.
        """
        cells, wires = self._cells, self.wires
        if wires is None:
            return
        self._beyond[:] = 0.0
        missing = -self.effective()
        plus, minus = cells.total + cells.diff, cells.total - cells.diff
        g = 0.5 * np.stack([plus, minus], axis=-1).reshape(cells.n_rows, -1)
        for top in range(0, cells.n_rows, wires.tile_rows):
            for left in range(0, cells.n_cols, wires.tile_cols):
                tile = np.s_[top : top + wires.tile_rows, left : left + wires.tile_cols]
                lines = slice(LINES_PER_PAIR * tile[1].start, LINES_PER_PAIR * tile[1].stop)
                array = NodalArray(g[tile[0], lines], row_ohm=wires.row_ohm, column_ohm=wires.column_ohm)
                exact = array.effective()
                missing[tile] += exact[:, ::2] - exact[:, 1::2]
        self._beyond[:] = missing.ravel()

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running, those of the devices aside."""
        own: dict[str, NDArray[np.generic]] = {
            "adc_range": self.adc_range,
            "dac_range": self.dac_range,
            "clipped": self.clipped,
            "dac_jump": self._jump,
        }
        if self._held:
            own |= {"signal": self._signal, "noise": self._noise}
        return own if self.wires is None else own | self.wires.arrays()

    def _judge_jump(self) -> None:
        """Say once if the range was set by one input that none came near to since."""
        jumped, _, largest = self._jump
        self._jump[:] = 0.0
        if not jumped or largest * JUMP > self.dac_range[0]:
            return
        self._jump_judged = True
        logger.warning(
            "%s: one input set the range of its converter to %g, but of the last %d none was beyond %g. "
            "Ranges do not shrink, so that these keep few of %d bits, or none. Bound what is sent there, or "
            "leave these weights digital.",
            self._label,
            self.dac_range[0],
            SETTLED,
            largest,
            self._config.dac_bits,
        )

    def _make_wires(self, config: CrossbarConfig, *, gated: bool) -> Wires:
        cells = self._cells
        # A row passes all pairs of a weight, and each of their bit lines carries a part of the current.
        return Wires(
            cells.n_rows,
            cells.n_cols,
            tile_rows=config.tile_rows,
            tile_cols=config.tile_cols // self._n_pairs,
            row_ohm=config.row_wire_ohm * self._n_pairs,
            column_ohm=config.column_wire_ohm / self._n_pairs,
            gated=gated,
        )

    def _choose(self, *, gated: bool) -> tuple[Any, tuple[Any, ...]]:
        """The kernel, and its last arguments."""
        cells, wires = self._cells, self.wires
        state = (cells.diff, cells.total, cells.var)
        if wires is None:
            source = (self._signal, self._noise) if self._held else (cells.diff, cells.var)
            return read_plain, (*source, cells.row_g, 0.0)
        if gated:
            return read_gated, (state, (wires.column_ohm, wires.h, np.zeros((4, cells.n_cols))))
        if self._held:
            return read_plain, (self._signal, self._noise, wires.row_seen, wires.column_ohm)
        ladders = (wires.column_ohm, wires.h, wires.t_plus, wires.t_minus, wires.row_seen)
        return read_connected, (state, ladders)

    def check_wires(self, drives: FloatArray) -> None:
        """Warn if gated wires lose so much that they are modelled badly.

        Args:
            drives: Sample read voltages, shape (n_samples, n_rows); how many rows take part decides.
        """
        if self.wires is not None and self.wires.gated:
            self._warn_of_cross_loss(float(np.count_nonzero(drives)) / drives.size)

    def _warn_of_cross_loss(self, active: float) -> None:
        """Rows and columns are taken one after the other; that fails when both lose much.

        Args:
            active: Part of the rows that are connected.
        """
        cells, wires, config = self._cells, self.wires, self._config
        if wires is None:
            return
        full = self._n_pairs * config.device.g_max_siemens
        mean = _LEARNED_FILL * full if self._learned else float(cells.total.mean()) / LINES_PER_PAIR
        lines = LINES_PER_PAIR * min(cells.n_cols, config.tile_cols // self._n_pairs)
        rows = min(cells.n_rows, config.tile_rows)
        cross = wires.row_ohm * mean * lines**2 / 3 * wires.column_ohm * mean * active * rows**2 / 3
        if cross > _CROSS_LOSS and not len(self._beyond):
            logger.warning(
                "%s: rows and columns of %d x %d pairs both lose so much in their wires that currents are "
                "modelled to about %.0f %% only; choose smaller tiles, wires of less resistance%s.",
                self._label,
                rows,
                lines // LINES_PER_PAIR,
                100 * min(cross, 1.0),
                ", or exact_wires=True" if self._held else "",
            )
