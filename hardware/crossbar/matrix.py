"""One weight matrix on the tiles of a crossbar: mapping, read-out, conversion."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spikearm.hardware.crossbar import ledger
from spikearm.hardware.crossbar.cells import Cells
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.records import FloatArray

_ACTIVE_MACS, _CONVERSIONS, _DIGITAL_OPS = ledger.ACTIVE_MACS, ledger.CONVERSIONS, ledger.DIGITAL_OPS
_READ_CONDUCTANCE, _ROW_ACTIVATIONS = ledger.READ_CONDUCTANCE, ledger.ROW_ACTIVATIONS
_SYNAPTIC_OPS, _TILE_READS = ledger.SYNAPTIC_OPS, ledger.TILE_READS


@njit(cache=True)
def encode_spikes(x, per_spike, drive):  # type: ignore[no-untyped-def]
    """Spikes as read pulses on their rows; returns what one pulse stands for."""
    for i in range(len(x)):
        drive[i] = np.rint(x[i] / per_spike)
    return per_spike


@njit(cache=True)
def encode_analog(x, levels, drive):  # type: ignore[no-untyped-def]
    """Numbers as read voltages in [-1, 1], with one power of two for the whole vector.

    The exponent is found and undone digitally, by shifts, so no input can exceed the range.

    Args:
        x: Inputs.
        levels: Steps of the converter on either side of zero, or 0 for no rounding.
        drive: Receives the relative voltages.

    Returns:
        What a relative voltage of 1 stands for.
    """
    largest = 0.0
    for i in range(len(x)):
        largest = max(largest, abs(x[i]))
    if largest == 0.0:
        drive[:] = 0.0
        return 0.0
    unit = 2.0 ** math.ceil(math.log2(largest))
    for i in range(len(x)):
        v = x[i] / unit
        drive[i] = np.rint(v * levels) / levels if levels > 0 else v
    return unit


@njit(cache=True)
def _add_scaled(factor, x, y):  # type: ignore[no-untyped-def]
    """``y += factor x``; a function of its own so that the compiler sees it may use vector instructions."""
    for j in range(len(y)):
        y[j] += factor * x[j]


@njit(cache=True)
def _sum_rows(first, last, drive, spiking, diff, var, row_g, current, variance, counts):  # type: ignore[no-untyped-def]
    """Currents of all columns over the driven rows of one row of tiles; returns how many are driven.

    Repeated pulses on a row add the energy and the noise variance of one pulse each; an analog voltage
    scales the energy and the noise with its square.
    """
    current[:] = 0.0
    variance[:] = 0.0
    n_cols = len(current)
    n_active = 0
    for i in range(first, last):
        v = drive[i]
        if v == 0.0:
            continue
        n_active += 1
        power = abs(v) if spiking else v * v
        counts[_READ_CONDUCTANCE] += power * row_g[i]
        row = slice(i * n_cols, (i + 1) * n_cols)
        _add_scaled(v, diff[row], current)
        _add_scaled(power, var[row], variance)
    return n_active


@njit(cache=True)
def _convert(current, tile_cols, adc_range, levels):  # type: ignore[no-untyped-def]
    """Round currents to the converter's levels, tile by tile; returns how many were clipped.

    A tile that clipped reads with twice the range from then on.
    """
    n_clipped = 0
    for tile in range(len(adc_range)):
        step = adc_range[tile] / levels
        clipped = 0
        for j in range(tile * tile_cols, min((tile + 1) * tile_cols, len(current))):
            code = np.rint(current[j] / step)
            if abs(code) > levels:
                clipped += 1
                code = levels if code > 0 else -levels
            current[j] = code * step
        if clipped > 0:
            adc_range[tile] *= 2.0
            n_clipped += clipped
    return n_clipped


@njit(cache=True)
def _read(  # type: ignore[no-untyped-def]
    drive,
    spiking,
    tile_rows,
    tile_cols,
    levels,
    diff,
    var,
    row_g,
    weight,
    adc_range,
    clipped,
    xi,
    work,
    out,
    counts,
):
    """Read all tiles; writes the products to ``out`` and returns how many rows of tiles were read."""
    n_cols = len(out)
    current, variance = work[0], work[1]
    n_blocks = adc_range.shape[0]
    n_read = 0
    rows_total = 0
    out[:] = 0.0
    for block in range(n_blocks):
        first, last = block * tile_rows, min((block + 1) * tile_rows, len(drive))
        n_active = _sum_rows(first, last, drive, spiking, diff, var, row_g, current, variance, counts)
        if n_active == 0:
            continue
        n_read += 1
        rows_total += n_active
        if len(xi) > 0:
            for j in range(n_cols):
                current[j] += math.sqrt(variance[j]) * xi[block * n_cols + j]
        if levels > 0:
            clipped[0] += _convert(current, tile_cols, adc_range[block], levels)
        for j in range(n_cols):
            out[j] += current[j] * weight[block, j]
    tiles_wide = adc_range.shape[1]
    counts[_TILE_READS] += n_read * tiles_wide
    counts[_ROW_ACTIVATIONS] += rows_total * tiles_wide
    counts[_ACTIVE_MACS] += rows_total * n_cols
    counts[_CONVERSIONS] += n_read * n_cols
    # One scaling per conversion, and the sum over rows of tiles.
    counts[_DIGITAL_OPS] += (2 * n_read - 1) * n_cols if n_read > 0 else 0
    if spiking:
        for i in range(len(drive)):
            counts[_SYNAPTIC_OPS] += abs(drive[i]) * n_cols
    return n_read


@njit(cache=True)
def read_spikes(x, per_spike, drive, gain, *rest):  # type: ignore[no-untyped-def]
    """Encode spikes and read; the result is ``gain * per_spike * out``, written to ``out``."""
    unit = encode_spikes(x, per_spike, drive)
    n_read = _read(drive, True, *rest)
    rest[-2][:] *= unit * gain
    return n_read


@njit(cache=True)
def read_analog(x, levels, drive, gain, *rest):  # type: ignore[no-untyped-def]
    """Encode numbers and read, as :func:`read_spikes`."""
    unit = encode_analog(x, levels, drive)
    n_read = _read(drive, False, *rest)
    rest[-2][:] *= unit * gain
    return n_read


def half_levels(bits: int | None) -> int:
    """Levels of a signed converter on either side of zero; 0 stands for no rounding."""
    return 0 if bits is None else (1 << (bits - 1)) - 1


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
        adc_range: Largest current at unit read voltage [S], shape (n_row_tiles, n_col_tiles).
        clipped: Conversions that left the range since the start, shape (1,).
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
        self.adc_range: FloatArray = np.full((self.n_row_tiles, self.n_col_tiles), np.inf)
        self.clipped: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self.gain: FloatArray = np.ones(1)
        self.rng = rng
        self._drive = np.zeros(self.n_inputs)
        self._work = np.zeros((2, self.n_outputs))
        self._out = np.zeros(self.n_outputs)
        noisy = config.device.noise_scale > 0
        self._xi = np.zeros(self.n_row_tiles * self.n_outputs if noisy else 0)
        self._adc_levels = half_levels(config.adc_bits)
        self._dac_levels = half_levels(config.dac_bits)

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
        if len(self._xi):
            self.rng.standard_normal(out=self._xi)
        cells = self.cells
        rest = (cells.diff, cells.var, cells.row_g, self.weight, self.adc_range, self.clipped)
        tail = (self.config.tile_rows, self.config.tile_cols, self._adc_levels, *rest)
        buffers = (self._xi, self._work, self._out, counts)
        if self.per_spike is None:
            read_analog(x, self._dac_levels, self._drive, self.gain[0], *tail, *buffers)
        else:
            read_spikes(x, self.per_spike, self._drive, self.gain[0], *tail, *buffers)
        return self._out

    def weights_now(self) -> FloatArray:
        """What the devices stand for at present, without read noise, shape (n_outputs, n_inputs)."""
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
        diff = self.cells.diff.reshape(shape) if typical_g is None else np.full(shape, typical_g)
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
        own: dict[str, NDArray[np.generic]] = {
            "adc_range": self.adc_range,
            "clipped": self.clipped,
            "gain": self.gain,
        }
        return own | self.cells.arrays()

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
