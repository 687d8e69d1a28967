"""Program-and-verify: what it reaches, and what it takes.

A device's published scatter is what is left after one write-verify and the relaxation that follows. Where
that is too much, the array is read again and devices that have strayed are written again; NeuRRAM does so
three times (Wan et al. 2022). Each such round costs a read of every device.

What the reads also find are devices that are stuck. A weight is a difference: what one of its devices
conducts too much, or too little, the others can make up for, as far as their range goes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikearm.hardware.crossbar.device import Device
from spikearm.records import FloatArray, OpCounts

_NEARLY_FULL = 0.99


@dataclass(frozen=True)
class Written:
    """The outcome of programming.

    Attributes:
        g: Conductances reached [S], shape (n_pairs, n_devices).
        counts: Pulses, verify reads and rows written one after another.
        pulses: SET and RESET pulses that each device took, same shape as ``g``.
    """

    g: FloatArray
    counts: OpCounts
    pulses: FloatArray


def write_verify(
    target: FloatArray,
    device: Device,
    rng: np.random.Generator,
    *,
    n_cols: int,
    bounds: FloatArray | None = None,
    rounds: int = 1,
    tolerance: float = 0.02,
) -> Written:
    """Program all devices of a matrix.

    Args:
        target: Wanted conductances [S], shape (n_pairs, n_devices), pairs row by row.
        device: Kind of device.
        rng: Source of randomness.
        n_cols: Pairs in a row, which are written at the same time.
        bounds: Where the ranges of single devices end (:meth:`.device.Device.own_bounds`), shape (..., 2);
            None for devices that all have the same range.
        rounds: Times at most that a device is written.
        tolerance: Error that is left alone, relative to the device's range.
    """
    aimed_at = target if bounds is None else device.reachable(target, bounds)
    g = device.program(aimed_at, rng)
    pulses = pulses_for(target, device)
    counts = _counts(pulses, np.ones(pulses.shape, dtype=bool), n_cols)
    taken = pulses + 1.0
    for _ in range(rounds - 1):
        noise = np.hypot(device.short_time_noise * g, device.additive_noise * device.g_max_siemens)
        read = g + device.noise_scale * noise * rng.standard_normal(g.shape)
        strayed = np.abs(read - target) > tolerance * device.range_siemens
        # Every row is read once, all its devices at the same time.
        reads = OpCounts(verify_reads=float(g.size), serial_verify_reads=float(len(g) // n_cols))
        counts += reads + _counts(pulses * strayed, strayed, n_cols)
        taken += (pulses + 1.0) * strayed
        g[strayed] = device.program(aimed_at[strayed], rng)
    return Written(g, counts, taken)


def pulses_for(target: FloatArray, device: Device) -> FloatArray:
    """Pulses upwards of one write after a RESET, one verify read after each; shape of ``target``.

    The number that takes a device there on average, or the one its source gives.
    """
    u = np.clip((target - device.g_min_siemens) / device.range_siemens, 0.0, _NEARLY_FULL)
    if device.write_pulses:
        return np.where(u > 0, float(device.write_pulses), 0.0)
    step, s = device.set_step, device.set_saturation
    if s == 0:
        return np.ceil(u / step)
    needed: FloatArray = np.ceil(np.log1p(-s * u) / np.log1p(-min(s * step, _NEARLY_FULL)) - 1e-9)
    return needed


def rewrite_around(
    wanted: FloatArray, g: FloatArray, stuck: NDArray[np.bool_], device: Device, *, n_cols: int
) -> Written:
    """Targets of the good devices of weights that have stuck ones, and what it takes to write them.

    Devices of one sign share what there is to make up for; those of the other stay at their smallest.

    Args:
        wanted: Differences of conductance that the weights are [S], shape (n_weights,).
        g: Conductances [S], shape (n_weights, n_devices): plus, minus, plus, minus, ...
        stuck: Which devices are stuck, same shape.
        device: Kind of device.
        n_cols: Weights in a row.

    Returns:
        Conductances to write [S], those of devices that are left alone unchanged, and what writing takes.
        Which devices are stuck is known from the reads of the first writing.
    """
    signs = np.where(np.arange(g.shape[1]) % 2 == 0, 1.0, -1.0)
    low, high = device.g_min_siemens, device.g_max_siemens
    missing = wanted - (signs * g * stuck).sum(axis=1)
    n_plus, n_minus = (((signs == sign) & ~stuck).sum(axis=1) for sign in (1.0, -1.0))
    plus = np.where(missing > 0, (missing + n_minus * low) / np.maximum(n_plus, 1), low)
    minus = np.where(missing < 0, (n_plus * low - missing) / np.maximum(n_minus, 1), low)
    target = np.clip(np.where(signs > 0, plus[:, None], minus[:, None]), low, high)
    written = stuck.any(axis=1, keepdims=True) & ~stuck
    pulses = pulses_for(target, device) * written
    return Written(np.where(written, target, g), _counts(pulses, written, n_cols), pulses + written)


def _counts(pulses: FloatArray, written: np.ndarray, n_cols: int) -> OpCounts:
    n_set = float(pulses.sum())
    # A RESET, then the pulses of the slowest device of the row, with a read after each.
    by_row = (-1, n_cols * pulses.shape[1])
    n_serial = float(np.where(written, pulses, 0.0).reshape(by_row).max(axis=1).sum())
    return OpCounts(
        set_pulses=n_set,
        reset_pulses=float(np.count_nonzero(written)),
        verify_reads=n_set,
        serial_verify_reads=n_serial,
        rows_programmed=n_serial,
        rows_reset=float(np.count_nonzero(written.reshape(by_row).any(axis=1))),
    )
