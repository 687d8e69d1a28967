"""One weight matrix on the tiles of a crossbar: mapping, read-out, conversion."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spikearm.hardware.crossbar.cells import Cells
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.ledger import REFERENCE, CountArray, Ledger
from spikearm.hardware.crossbar.readout import Readout, charged_bits, conversion_steps
from spikearm.records import FloatArray


class CrossbarMatrix:
    """A weight matrix as differential pairs on tiles.

    Rows of the array are inputs, columns are outputs. Each column of each tile has its own scale
    between weight and conductance: all its pairs at full range hold the largest weight it must hold.

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
        full_siemens: Difference of conductance of a weight at full range, all its pairs together [S].
        gain: Drift compensation, shape (1,) or by column, shape (n_outputs,).
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
        # The pairs of a weight share the output, side by side.
        self._n_pairs = config.devices_per_synapse
        self._tile_cols = config.tile_cols // config.devices_per_synapse
        self.n_col_tiles = -(-self.n_outputs // self._tile_cols)
        self.full_siemens = config.devices_per_synapse * config.device.range_siemens
        self.weight = self._weight_per_siemens(weights, weight_range)
        target = self._target(weights)
        self._wanted: FloatArray = (target[..., ::2] - target[..., 1::2]).sum(axis=-1).ravel()
        self.cells = Cells(
            target,
            config.device,
            hold_s=hold_s,
            programmed_s=config.programmed_s,
            rng=rng,
            program_rounds=1 if self.learned else config.program_rounds,
            program_tolerance=config.program_tolerance,
        )
        self._fresh_g = self._reference_g()
        self.readout = Readout(
            label, self.cells, config, self.weight, learned=self.learned, per_spike=per_spike
        )
        by_column = config.drift_compensation == "column" and not self.learned
        self.gain: FloatArray = np.ones(self.n_outputs if by_column else 1)
        self.rng = rng

    @property
    def adc_range(self) -> FloatArray:
        """Largest current at unit read voltage [S], shape (n_row_tiles, n_col_tiles)."""
        return self.readout.adc_range

    @property
    def dac_range(self) -> FloatArray:
        """Analog input that is read at full voltage, shape (1,); 0 until one is known."""
        return self.readout.dac_range

    @property
    def clipped(self) -> NDArray[np.int64]:
        """Conversions that left the range since the start, shape (1,)."""
        return self.readout.clipped

    def require_age(self, now_s: float) -> None:
        """Refuse a moment of the network's time [s] at which the devices are not described.

        Raises:
            ConfigError: They would be older than that.
        """
        self.config.device.require_age(self.config.programmed_s + now_s)

    @property
    def _corrects_rest(self) -> bool:
        return self.config.correct_rest and not self.learned

    @property
    def needs_visits(self) -> bool:
        """Whether anything here changes without a read or a pulse."""
        return self.config.device.changes_by_itself or (self.learned and self.readout.must_follow)

    @property
    def serial_conversions(self) -> int:
        """Conversions that each converter of the widest tile makes one after another."""
        return -(-min(self.n_outputs, self._tile_cols) // self.config.adcs_per_tile)

    def read(self, x: FloatArray, counts: CountArray) -> FloatArray:
        """Product of the matrix with ``x`` as the tiles give it now.

        Args:
            x: Inputs, shape (n_inputs,), float64, contiguous.
            counts: Counts of the present step, added to.

        Returns:
            Shape (n_outputs,); valid until the next read.
        """
        gain = self.gain[0] if len(self.gain) == 1 else 1.0
        out = self.readout.read(x, gain, counts, self.rng)
        if len(self.gain) > 1:
            out *= self.gain
        return out

    def stick(self, stuck: NDArray[np.bool_], g: FloatArray) -> None:
        """Make devices stick for good, before the first step; see :meth:`.cells.Cells.stick`.

        A static matrix is then written around them if its configuration says so.

        Args:
            stuck: Which, shape (n_pairs, n_devices).
            g: At which conductance [S], same shape.
        """
        self.cells.stick(stuck, g)
        if self.config.write_around_faults and not self.learned:
            # A child: whatever else is drawn stays what it was without.
            self.cells.write_around(self._wanted, self.config.programmed_s, self.rng.spawn(1)[0])

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
        return np.ascontiguousarray((diff * per_row * self.gain).T)

    def compensate(self, ledger: Ledger) -> None:
        """Rescale by one read with all rows driven (Joshi et al. 2020): what has drifted away comes back.

        The bit lines of a pair are sensed together. The read has the noise of its devices and the rounding
        of its converters, whose range is set for it; what is compared with, measured once and at leisure,
        has neither. Wires take nearly the same part of both, which is left out.
        """
        now, fresh = self._reference_read(), self._fresh_g.sum(axis=0)
        if len(self.gain) == 1:
            now, fresh = now.sum(keepdims=True), fresh.sum(keepdims=True)
        np.divide(fresh, now, out=self.gain, where=now > 0)
        counts, tiles = ledger.counts, self.n_row_tiles * self.n_col_tiles
        n_conversions = self.n_row_tiles * self.n_outputs
        counts["tile_reads"] += tiles
        counts["row_activations"] += self.n_inputs * self.n_col_tiles
        counts["read_conductance_siemens"] += self.readout.all_rows_siemens()
        counts["conversions"] += n_conversions
        counts["conversion_steps"] += n_conversions * conversion_steps(self.config.adc_bits)
        counts["active_macs"] += self.cells.n_pairs * self._n_pairs
        ledger.wait(REFERENCE, 1.0, self.serial_conversions, charged_bits(self.config.adc_bits))

    def _reference_read(self) -> FloatArray:
        """Sum of both devices of all pairs of a column as it is read [S], shape (n_outputs,)."""
        cells, bits = self.cells, self.config.adc_bits
        totals = self._by_tile(cells.total.reshape(self.shape))
        if self.config.device.noise_scale > 0:
            deviation = np.sqrt(self._by_tile(cells.var.reshape(self.shape)))
            totals += deviation * self.rng.standard_normal(totals.shape)
        if bits is not None:
            edges = np.arange(0, self.n_outputs, self._tile_cols)
            widest = np.maximum.reduceat(self._fresh_g, edges, axis=1)
            full = np.repeat(widest, self._tile_cols, axis=1)[:, : self.n_outputs] * self.config.adc_margin
            step = full / ((1 << bits) - 1)
            np.divide(totals, step, out=totals, where=step > 0)
            totals = np.clip(np.rint(totals), 0, (1 << bits) - 1) * step
        columns: FloatArray = totals.sum(axis=0)
        return columns

    def _by_tile(self, by_pair: FloatArray) -> FloatArray:
        """Sums over the rows of each tile, shape (n_row_tiles, n_outputs)."""
        edges = np.arange(0, self.n_inputs, self.config.tile_rows)
        sums: FloatArray = np.add.reduceat(by_pair, edges, axis=0)
        return sums

    def calibrate(self, drives: FloatArray, typical_g: float | None = None) -> None:
        """Set the converters' ranges from sample inputs.

        Args:
            drives: Relative read voltages, shape (n_samples, n_inputs).
            typical_g: Difference of a pair to assume for matrices that are still to be learned [S];
                None takes the pairs as they are.
        """
        self.readout.calibrate_columns()
        self.readout.check_wires(drives)
        diff = self.readout.effective() if typical_g is None else np.full(self.shape, typical_g)
        self._fresh_g = self._reference_g()
        rows, cols = self.config.tile_rows, self._tile_cols
        floor = 0.01 * self.full_siemens
        for b in range(self.n_row_tiles):
            part = slice(b * rows, (b + 1) * rows)
            currents = np.abs(drives[:, part] @ diff[part])
            for c in range(self.n_col_tiles):
                largest = float(currents[:, c * cols : (c + 1) * cols].max())
                self.adc_range[b, c] = self.config.adc_margin * max(largest, floor)

    def calibrate_inputs(self, inputs: FloatArray) -> FloatArray:
        """Set the range of the input converters from sample inputs.

        Args:
            inputs: Analog inputs, any shape.

        Returns:
            Their relative read voltages, same shape.
        """
        largest = float(np.abs(inputs).max(initial=0.0))
        self.dac_range[0] = 2.0 ** math.ceil(math.log2(largest)) if largest > 0 else 0.0
        return inputs / self.dac_range[0] if largest > 0 else inputs

    @property
    def shape(self) -> tuple[int, int]:
        """Inputs and outputs: rows and columns of the array."""
        return self.n_inputs, self.n_outputs

    def _reference_g(self) -> FloatArray:
        """Conductance of each column right after programming, which reference reads are compared with [S]."""
        return self._by_tile(self.cells.g.reshape(self.n_inputs, self.n_outputs, -1).sum(axis=2))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running."""
        return {"gain": self.gain, **self.readout.arrays(), **self.cells.arrays()}

    def _weight_per_siemens(self, weights: FloatArray, weight_range: FloatArray | None) -> FloatArray:
        scale = np.empty((self.n_row_tiles, self.n_outputs))
        rows = self.config.tile_rows
        for b in range(self.n_row_tiles):
            largest = np.abs(weights[:, b * rows : (b + 1) * rows]).max(axis=1)
            scale[b] = largest if weight_range is None else weight_range
        return scale / self.full_siemens

    def _target(self, weights: FloatArray) -> FloatArray:
        """Conductances wanted of all pairs [S]: the sign of a weight picks the device, its size the value."""
        per_row = np.repeat(self.weight, self.config.tile_rows, axis=0)[: self.n_inputs]
        with np.errstate(divide="ignore", invalid="ignore"):
            signed = np.where(per_row > 0, weights.T / per_row, 0.0)
        # Shares of the range, of every pair alike.
        signed = np.clip(signed / self.full_siemens, -1.0, 1.0)
        device = self.config.device
        start = device.learn_start if self.learned else 0.0
        if self.learned and device.bidirectional:
            # As near to the start as a weight allows without running out of the range on one side.
            centre = np.clip(start, 0.5 * np.abs(signed), 1.0 - 0.5 * np.abs(signed))
            plus, minus = centre + 0.5 * signed, centre - 0.5 * signed
        else:
            rest = device.rest_siemens / device.range_siemens if self._corrects_rest else 0.0
            signed = signed + rest * np.sign(signed)
            plus, minus = start + np.maximum(signed, 0.0), start + np.maximum(-signed, 0.0)
        places = np.clip(np.stack([plus, minus], axis=-1), 0.0, 1.0)
        target = device.g_min_siemens + device.range_siemens * places
        return np.tile(target, self.config.devices_per_synapse)
