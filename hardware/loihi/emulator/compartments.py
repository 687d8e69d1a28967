"""Compartments of all blocks: currents, voltages and spikes of one step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.loihi.emulator.stream import (
    Words,
    fill_words,
    signed_bytes,
    skip_signed_bytes,
    uniform,
)

Q_BITS = 21
"""Bits of the input accumulator beside the sign."""
U_BITS = 23
"""Bits of the current beside the sign."""
TILE = 1024
"""Compartments that go through all stages of a step before the next ones do."""


class Compartments(NamedTuple):
    """The stock emulator's own arrays, shape (n_compartments,) each, and what noise needs.

    Whole numbers in the discretised mode, float32 in the real mode.

    Attributes:
        q: Input accumulated in this step.
        current: Filtered input.
        voltage: Membrane voltage.
        spiked: Whether the compartment spiked in this step.
        spike_count: Number of spikes so far.
        ref_count: Steps of the refractory period still to come.
        decay_u: Decay of the current.
        decay_v: Decay of the voltage.
        scale_u: Gain of the input (real mode).
        scale_v: Gain of the current (real mode).
        bias: Added to the current.
        vth: Threshold.
        vmin: Lowest voltage.
        vmax: Highest voltage.
        ref: Refractory period [steps].
        noise_offset: Mean of the noise, before ``noise_gain``.
        noise_gain: 0 where there is none.
        noise_on_membrane: Whether it is added to the current instead of to the input.
        is_noisy: Whether any compartment has noise, shape (1,).
        noise: Noise of this step.
        drive: Current and bias of this step (scratch).
    """

    q: NDArray[Any]
    current: NDArray[Any]
    voltage: NDArray[Any]
    spiked: NDArray[np.bool_]
    spike_count: NDArray[np.int32]
    ref_count: NDArray[np.int32]
    decay_u: NDArray[Any]
    decay_v: NDArray[Any]
    scale_u: NDArray[Any]
    scale_v: NDArray[Any]
    bias: NDArray[Any]
    vth: NDArray[Any]
    vmin: NDArray[Any]
    vmax: NDArray[Any]
    ref: NDArray[Any]
    noise_offset: NDArray[Any]
    noise_gain: NDArray[Any]
    noise_on_membrane: NDArray[np.bool_]
    is_noisy: NDArray[np.bool_]
    noise: NDArray[Any]
    drive: NDArray[Any]


def compartments_of(state: Any) -> Compartments:
    """The arrays of a ``nengo_loihi.emulator.interface.CompartmentState``, shared with it."""
    noise = state.noise
    shared = {name: getattr(state, name) for name in Compartments._fields[1:15]}
    return Compartments(
        q=state.input[0],
        **shared,
        noise_offset=noise.mant_offset,
        noise_gain=noise.mult,
        noise_on_membrane=noise.target_u,
        is_noisy=np.array([noise.mult.any()]),
        noise=np.zeros_like(state.current),
        drive=np.zeros_like(state.current),
    )


@kernel
def _draw_bytes(c: Compartments, stream: Words) -> None:
    """Noise of the discretised mode; numbers that no compartment uses are drawn all the same."""
    if not c.is_noisy[0]:
        skip_signed_bytes(stream, c.noise.size)
        return
    signed_bytes(stream, c.noise)
    for i in range(c.noise.size):
        c.noise[i] = (c.noise[i] + c.noise_offset[i]) * c.noise_gain[i]


@kernel
def _draw_uniform(c: Compartments, stream: Words, words: Words) -> None:
    """Noise of the real mode."""
    fill_words(stream, words, 2 * c.noise.size)
    if not c.is_noisy[0]:
        return
    for i in range(c.noise.size):
        draw = np.float32(2.0 * uniform(words, i) - 1.0)
        c.noise[i] = (draw + c.noise_offset[i]) * c.noise_gain[i]


@kernel
def _wrap(x: np.int32, bits: int) -> np.int32:
    """The value of ``x`` in a register of ``bits`` bits and a sign."""
    size = np.int32(1 << bits)
    return np.int32(np.int32(x & np.int32(size - 1)) - np.int32(x & size))


@kernel
def _decayed(x: np.int32, keep: np.int32) -> np.int32:
    """``x * keep / 4096``, rounded towards zero, in 32 bits."""
    size = np.int32(abs(x))
    high, low = np.int32(size >> 12), np.int32(size & 4095)
    kept = np.int32(np.int32(high * keep) + np.int32(np.int32(low * keep) >> 12))
    return np.int32(-kept) if x < 0 else kept


# The loops below each write one array and read few: only such loops become vector instructions.


@kernel
def _add_noise(to: NDArray[Any], noise: NDArray[Any], on_membrane: NDArray[np.bool_], membrane: bool) -> None:
    for i in range(to.size):
        if on_membrane[i] == membrane:
            to[i] += noise[i]


@kernel
def _wrap_all(x: NDArray[Any], bits: int) -> int:
    over = np.int32(0)
    for i in range(x.size):
        value = np.int32(x[i])
        wrapped = _wrap(value, bits)
        over += np.int32(wrapped != value)
        x[i] = wrapped
    return int(over)


@kernel
def _filter(x: NDArray[Any], decay: NDArray[Any], offset: int, to: NDArray[Any]) -> None:
    """Let ``to`` decay and add ``x``."""
    whole = np.int32(4096 - offset)
    for i in range(x.size):
        to[i] = np.int32(_decayed(np.int32(to[i]), np.int32(whole - decay[i])) + x[i])


@kernel
def _tile(c: Compartments, start: int) -> Compartments:
    """The next compartments, as views: so few that they stay in the cache until they are done with."""
    part = slice(start, min(start + TILE, c.q.size))
    return Compartments(
        c.q[part],
        c.current[part],
        c.voltage[part],
        c.spiked[part],
        c.spike_count[part],
        c.ref_count[part],
        c.decay_u[part],
        c.decay_v[part],
        c.scale_u[part],
        c.scale_v[part],
        c.bias[part],
        c.vth[part],
        c.vmin[part],
        c.vmax[part],
        c.ref[part],
        c.noise_offset[part],
        c.noise_gain[part],
        c.noise_on_membrane[part],
        c.is_noisy,
        c.noise[part],
        c.drive[part],
    )


@kernel
def update_discrete(c: Compartments, stream: Words, overflows: NDArray[np.int64]) -> None:
    """One step of all compartments in whole numbers.

    Args:
        c: The compartments.
        stream: The random stream.
        overflows: How many inputs, currents and currents with bias left their registers is added here.
    """
    _draw_bytes(c, stream)
    for start in range(0, c.q.size, TILE):
        tile = _tile(c, start)
        _drive_discrete(tile, overflows)
        _filter(tile.drive, tile.decay_v, 0, tile.voltage)
        _limit(tile)
        _spike(tile)


@kernel
def _drive_discrete(c: Compartments, overflows: NDArray[np.int64]) -> None:
    """Currents from inputs, with bias and noise."""
    if c.is_noisy[0]:
        _add_noise(c.q, c.noise, c.noise_on_membrane, False)
    overflows[0] += _wrap_all(c.q, Q_BITS)
    _filter(c.q, c.decay_u, 1, c.current)
    overflows[1] += _wrap_all(c.current, U_BITS)
    for i in range(c.drive.size):
        c.drive[i] = c.current[i] + c.bias[i]
    if c.is_noisy[0]:
        _add_noise(c.drive, c.noise, c.noise_on_membrane, True)
    overflows[2] += _wrap_all(c.drive, U_BITS)


@kernel
def update_real(c: Compartments, stream: Words, words: Words) -> None:
    """One step of all compartments in float32, without registers that could overflow.

    Args:
        c: The compartments.
        stream: The random stream.
        words: Scratch for two words per compartment.
    """
    _draw_uniform(c, stream, words)
    for start in range(0, c.q.size, TILE):
        tile = _tile(c, start)
        _drive_real(tile)
        for i in range(tile.voltage.size):
            kept = (np.float32(1) - tile.decay_v[i]) * tile.voltage[i]
            tile.voltage[i] = kept + tile.scale_v[i] * tile.drive[i]
        _limit(tile)
        _spike(tile)


@kernel
def _drive_real(c: Compartments) -> None:
    """Currents from inputs, with bias and noise."""
    if c.is_noisy[0]:
        _add_noise(c.q, c.noise, c.noise_on_membrane, False)
    for i in range(c.q.size):
        c.current[i] = (np.float32(1) - c.decay_u[i]) * c.current[i] + c.scale_u[i] * c.q[i]
    for i in range(c.drive.size):
        c.drive[i] = c.current[i] + c.bias[i]
    if c.is_noisy[0]:
        _add_noise(c.drive, c.noise, c.noise_on_membrane, True)


@kernel
def _limit(c: Compartments) -> None:
    """Keep voltages in their range, and at 0 during the refractory period."""
    for i in range(c.voltage.size):
        v = min(max(c.voltage[i], c.vmin[i]), c.vmax[i])
        c.voltage[i] = 0 if c.ref_count[i] > 0 else v


@kernel
def _spike(c: Compartments) -> None:
    """Spike above the threshold, and begin or go on with the refractory period."""
    for i in range(c.voltage.size):
        c.spiked[i] = c.voltage[i] > c.vth[i]
    for i in range(c.voltage.size):
        c.ref_count[i] = max(np.int32(c.ref_count[i] - 1), np.int32(0))
    for i in range(c.voltage.size):
        if c.spiked[i]:
            c.voltage[i] = 0
            c.ref_count[i] = max(np.int32(c.ref[i] - 1), np.int32(0))
            c.spike_count[i] += 1
