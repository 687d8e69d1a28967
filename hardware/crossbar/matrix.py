"""One weight matrix on the tiles of a crossbar: mapping, read-out, conversion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikearm.hardware.crossbar import ledger
from spikearm.hardware.crossbar.cells import Cells
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.readout import Readout
from spikearm.records import FloatArray

_TILE_READS, _ROW_ACTIVATIONS = ledger.TILE_READS, ledger.ROW_ACTIVATIONS
_READ_CONDUCTANCE, _ACTIVE_MACS, _CONVERSIONS = (
    ledger.READ_CONDUCTANCE,
    ledger.ACTIVE_MACS,
    ledger.CONVERSIONS,
)


class CrossbarMatrix:
    """A weight matrix as differential pairs on tiles.

    Rows of the array are inputs, columns are outputs. Each column of each tile has its own scale
    between weight and conductance, ``g_max / (largest weight it must hold)``.

    Args:
        label: What it is called in messages.
        weights: Shape (n_outputs, n_inputs).
        weight_range: Weight at full conductance by column, shape (n_outputs,), or None to use the
            largest weight of each column of each tile (matrices that never change).
        config: Devices, tiles, converters.
        hold_s: Period of the ageing schedule [s].
        per_spike: What one spike of the input stands for, or None if the input is not spikes.
        rng: Source of randomness of the programming.

    Attributes:
        cells: The devices.
        weight: Weight per siemens, shape (n_row_tiles, n_outputs).
        readout: Wires and converters.
        gain: Drift compensation, shape (1,).
        rng: Source of the read noise; replaced at every reset.
    """

    def __init__(
        self,
        label: str,
        weights: FloatArray,
        weight_range: FloatArray | None,
        config: CrossbarConfig,
        *,
        hold_s: float,
        per_spike: float | None,
        rng: np.random.Generator,
    ) -> None:
        self.label = label
        self.learned = weight_range is not None
        self.n_outputs: int = weights.shape[0]
        self.n_inputs: int = weights.shape[1]
        self.config = config
        self.per_spike = per_spike
        self.n_row_tiles = -(-self.n_inputs // config.tile_rows)
        self.n_col_tiles = -(-self.n_outputs // config.tile_cols)
        self.weight = self._weight_per_siemens(weights, weight_range)
        self.cells = Cells(
            self._target(weights),
            config.device,
            hold_s=hold_s,
            programmed_s=config.programmed_s,
            rng=rng,
        )
        self._fresh_g = float(self.cells.g.sum())
        self.readout = Readout(
            label, self.cells, config, self.weight, learned=self.learned, per_spike=per_spike
        )
        self.gain: FloatArray = np.ones(1)
        self.rng = rng

    @property
    def adc_range(self) -> FloatArray:
        """Largest current at unit read voltage [S], shape (n_row_tiles, n_col_tiles)."""
        return self.readout.adc_range

    @property
    def clipped(self) -> NDArray[np.int64]:
        """Conversions that left the range since the start, shape (1,)."""
        return self.readout.clipped

    @property
    def needs_visits(self) -> bool:
        """Whether anything here changes without a read or a pulse."""
        return self.config.device.changes_by_itself or (self.learned and self.readout.must_follow)

    @property
    def serial_conversions(self) -> int:
        """Conversions that each converter of the widest tile makes one after another."""
        return -(-min(self.n_outputs, self.config.tile_cols) // self.config.adcs_per_tile)

    def read(self, x: FloatArray, counts: FloatArray) -> FloatArray:
        """Product of the matrix with ``x`` as the tiles give it now.

        Args:
            x: Inputs, shape (n_inputs,), float64, contiguous.
            counts: Counts of the present step, added to.

        Returns:
            Shape (n_outputs,); valid until the next read.
        """
        return self.readout.read(x, self.gain[0], counts, self.rng)

    def visit(self, first: int, last: int, now_s: float, round_: int) -> None:
        """The ageing schedule's visit to a stretch of pairs; see :meth:`.cells.Cells.visit`."""
        if self.config.device.changes_by_itself:
            self.cells.visit(first, last, now_s, round_, self.rng)
        if self.readout.must_follow:
            self.readout.follow(first, last)

    def jump(self, elapsed_s: float, now_s: float) -> None:
        """Let ``elapsed_s`` [s] pass at once; ``now_s`` is the time afterwards."""
        self.cells.jump(elapsed_s, now_s, self.rng)
        self.readout.follow_all()

    def refresh_all(self, now_s: float) -> None:
        """Bring all conductances up to date, leaving the slow noise where it is."""
        self.cells.refresh_all(now_s)
        self.readout.follow_all()

    def weights_now(self) -> FloatArray:
        """What the devices stand for at present, shape (n_outputs, n_inputs); no read noise, no wires."""
        per_row = np.repeat(self.weight, self.config.tile_rows, axis=0)[: self.n_inputs]
        diff = self.cells.diff.reshape(self.n_inputs, self.n_outputs)
        return np.ascontiguousarray((diff * per_row * self.gain[0]).T)

    def compensate(self, counts: FloatArray) -> None:
        """Rescale by one read with all rows driven (Joshi et al. 2020): what has drifted away comes back."""
        now = self.cells.row_g.sum()
        self.gain[0] = self._fresh_g / now if now > 0 else 1.0
        tiles = self.n_row_tiles * self.n_col_tiles
        counts[_TILE_READS] += tiles
        counts[_ROW_ACTIVATIONS] += self.n_inputs * self.n_col_tiles
        counts[_READ_CONDUCTANCE] += now
        counts[_CONVERSIONS] += self.n_row_tiles * self.n_outputs
        counts[_ACTIVE_MACS] += self.n_inputs * self.n_outputs

    def calibrate(self, drives: FloatArray, typical_g: float | None = None) -> None:
        """Set the converters' ranges from sample inputs.

        Args:
            drives: Relative read voltages, shape (n_samples, n_inputs).
            typical_g: Difference of a pair to assume for matrices that are still to be learned [S];
                None takes the pairs as they are.
        """
        shape = (self.n_inputs, self.n_outputs)
        diff = self.readout.effective() if typical_g is None else np.full(shape, typical_g)
        rows, cols = self.config.tile_rows, self.config.tile_cols
        floor = 0.01 * self.config.device.g_max_siemens
        for b in range(self.n_row_tiles):
            part = slice(b * rows, (b + 1) * rows)
            currents = np.abs(drives[:, part] @ diff[part])
            for c in range(self.n_col_tiles):
                largest = float(currents[:, c * cols : (c + 1) * cols].max())
                self.adc_range[b, c] = self.config.adc_margin * max(largest, floor)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running."""
        return {"gain": self.gain, **self.readout.arrays(), **self.cells.arrays()}

    def _weight_per_siemens(self, weights: FloatArray, weight_range: FloatArray | None) -> FloatArray:
        scale = np.empty((self.n_row_tiles, self.n_outputs))
        rows = self.config.tile_rows
        for b in range(self.n_row_tiles):
            largest = np.abs(weights[:, b * rows : (b + 1) * rows]).max(axis=1)
            scale[b] = largest if weight_range is None else weight_range
        return scale / self.config.device.g_max_siemens

    def _target(self, weights: FloatArray) -> FloatArray:
        """Conductances wanted of all pairs [S]: the sign of a weight picks the device, its size the value."""
        per_row = np.repeat(self.weight, self.config.tile_rows, axis=0)[: self.n_inputs]
        with np.errstate(divide="ignore", invalid="ignore"):
            signed = np.where(per_row > 0, weights.T / per_row, 0.0)
        g_max = self.config.device.g_max_siemens
        return np.stack([np.clip(signed, 0.0, g_max), np.clip(-signed, 0.0, g_max)], axis=-1)
