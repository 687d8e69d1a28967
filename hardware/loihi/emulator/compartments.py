"""Compartments of all blocks: currents, voltages and spikes of one step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

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
        noise=np.zeros(state.n_compartments, dtype=state.dtype),
    )


@njit(cache=True)
def _draw_bytes(c: Compartments, stream: Words) -> None:
    """Noise of the discretised mode; numbers that no compartment uses are drawn all the same."""
    if not c.is_noisy[0]:
        skip_signed_bytes(stream, c.noise.size)
        return
    signed_bytes(stream, c.noise)
    for i in range(c.noise.size):
        c.noise[i] = (c.noise[i] + c.noise_offset[i]) * c.noise_gain[i]


@njit(cache=True)
def _draw_uniform(c: Compartments, stream: Words, words: Words) -> None:
    """Noise of the real mode."""
    fill_words(stream, words, 2 * c.noise.size)
    if not c.is_noisy[0]:
        return
    for i in range(c.noise.size):
        draw = np.float32(2.0 * uniform(words, i) - 1.0)
        c.noise[i] = (draw + c.noise_offset[i]) * c.noise_gain[i]


@njit(cache=True)
def _wrap(x: np.int32, bits: int) -> np.int32:
    """The value of ``x`` in a register of ``bits`` bits and a sign."""
    size = np.int32(1 << bits)
    return np.int32(np.int32(x & np.int32(size - 1)) - np.int32(x & size))


@njit(cache=True)
def _decayed(x: np.int32, keep: int) -> np.int32:
    """``x * keep / 4096``, rounded towards zero."""
    kept = np.int32((np.int64(abs(x)) * np.int64(keep)) >> 12)
    return np.int32(-kept) if x < 0 else kept


@njit(cache=True)
def update_discrete(c: Compartments, stream: Words, overflows: NDArray[np.int64]) -> None:
    """One step of all compartments in whole numbers.

    Args:
        c: The compartments.
        stream: The random stream.
        overflows: Where to write how many inputs, currents and currents with bias left their registers.
    """
    _draw_bytes(c, stream)
    over_q = over_u = over_u2 = 0
    for i in range(c.q.size):
        noise, on_membrane = c.noise[i], c.noise_on_membrane[i]
        q = np.int32(c.q[i] + (np.int32(0) if on_membrane else noise))
        wrapped = _wrap(q, Q_BITS)
        over_q += wrapped != q
        c.q[i] = wrapped
        u = np.int32(_decayed(c.current[i], 4095 - c.decay_u[i]) + wrapped)
        wrapped = _wrap(u, U_BITS)
        over_u += wrapped != u
        c.current[i] = wrapped
        u = np.int32(np.int32(wrapped + c.bias[i]) + (noise if on_membrane else np.int32(0)))
        wrapped = _wrap(u, U_BITS)
        over_u2 += wrapped != u
        _spike(c, i, np.int32(_decayed(c.voltage[i], 4096 - c.decay_v[i]) + wrapped))
    overflows[0], overflows[1], overflows[2] = over_q, over_u, over_u2


@njit(cache=True)
def update_real(c: Compartments, stream: Words, words: Words) -> None:
    """One step of all compartments in float32, without registers that could overflow.

    Args:
        c: The compartments.
        stream: The random stream.
        words: Scratch for two words per compartment.
    """
    _draw_uniform(c, stream, words)
    one, zero = np.float32(1), np.float32(0)
    for i in range(c.q.size):
        noise, on_membrane = c.noise[i], c.noise_on_membrane[i]
        c.q[i] += zero if on_membrane else noise
        c.current[i] = (one - c.decay_u[i]) * c.current[i] + c.scale_u[i] * c.q[i]
        u = c.current[i] + c.bias[i] + (noise if on_membrane else zero)
        _spike(c, i, (one - c.decay_v[i]) * c.voltage[i] + c.scale_v[i] * u)


@njit(cache=True)
def _spike(c: Compartments, i: int, v: Any) -> None:
    """Threshold and refractory period of one compartment with voltage ``v``."""
    v = min(max(v, c.vmin[i]), c.vmax[i])
    v = 0 * v if c.ref_count[i] > 0 else v
    spikes = v > c.vth[i]
    c.spiked[i] = spikes
    c.voltage[i] = 0 * v if spikes else v
    rest = np.int32(c.ref[i]) if spikes else c.ref_count[i]
    c.ref_count[i] = max(np.int32(rest - 1), np.int32(0))
    c.spike_count[i] += np.int32(spikes)
