"""Learning on the chip: traces of axons that spiked, and weights that follow trace times error (PES)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.hardware.loihi.emulator.stream import Words, fill_words, uniform

Ints = NDArray[np.int64]

LEARN_FRAC = 7
"""Bits that weights get on their right while they learn."""
FACTOR_OVERFLOW = 2
"""Bits by which a product of trace, error and rate exceeds the learning accumulator: 2 * 7 + 3 - 15."""
MAX_TRACE = 127


class Learning(NamedTuple):
    """All synapse groups that learn; each is a matrix of weights, axons by compartments.

    Attributes:
        pending: Axons that spiked since their trace was updated, for all traces.
        trace: Traces of all axons.
        error: Errors of all groups, one for each pair of compartments.
        trace_start: First trace of each group, shape (n_groups + 1,).
        error_start: First error of each group, shape (n_groups + 1,).
        weight_start: Its first weight among all weights of the wiring.
        train_epoch: Steps from one update of the traces to the next.
        learn_epoch: Steps from one update of the weights to the next.
        decay: Decay of the trace over a ``train_epoch``.
        magnitude: What a spike adds to its trace.
        rate: Learning rate of the real mode.
        rate_int: Mantissa of the learning rate.
        rate_shift: How far the product of trace, error and mantissa is shifted to the left.
        weight_shift: How far a weight is shifted to the left to gain its fraction.
        round_bits: Bits that are rounded off when the weight is written back.
        weight_exp: How far it is shifted to the left then.
        clip: Its greatest magnitude before that.
        words: Random numbers of one update (scratch).
        product: Trace times error times rate of one group (scratch).
    """

    pending: NDArray[np.bool_]
    trace: NDArray[Any]
    error: NDArray[Any]
    trace_start: Ints
    error_start: Ints
    weight_start: Ints
    train_epoch: Ints
    learn_epoch: Ints
    decay: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    rate: NDArray[np.float64]
    rate_int: Ints
    rate_shift: Ints
    weight_shift: Ints
    round_bits: Ints
    weight_exp: Ints
    clip: Ints
    words: Words
    product: NDArray[np.int32]


@kernel
def update_traces(learning: Learning, t: int, stream: Words, discrete: bool) -> int:
    """Let traces decay and add the spikes that arrived, where it is time.

    Returns:
        Number of groups with a trace above its maximum, which was cut.
    """
    clipped = 0
    for g in range(learning.train_epoch.size):
        if t % learning.train_epoch[g]:
            continue
        first, last = learning.trace_start[g], learning.trace_start[g + 1]
        trace, pending = learning.trace[first:last], learning.pending[first:last]
        if discrete:
            fill_words(stream, learning.words, 2 * trace.size)
            clipped += _round_traces(learning, g, trace, pending)
        else:
            for i in range(trace.size):
                trace[i] = _moved(learning, g, trace[i], pending[i])
        pending[:] = False
    return clipped


@kernel
def _moved(learning: Learning, g: int, trace: Any, spiked: Any) -> Any:
    moved = learning.decay[g] * trace
    return moved + learning.magnitude[g] if spiked else moved


@kernel
def _round_traces(learning: Learning, g: int, trace: NDArray[Any], pending: NDArray[np.bool_]) -> bool:
    """Stochastic rounding; the fraction is the chance to round up."""
    clipped = False
    for i in range(trace.size):
        moved = _moved(learning, g, trace[i], pending[i])
        size = abs(moved)
        whole = np.floor(size)
        rounded = np.int32(whole) + np.int32(size - whole > uniform(learning.words, i))
        if rounded > MAX_TRACE:
            rounded = np.int32(MAX_TRACE)
            clipped = True
        trace[i] = rounded if moved >= 0 else -rounded
    return clipped


@kernel
def update_weights(learning: Learning, weights: NDArray[Any], t: int, stream: Words, discrete: bool) -> int:
    """Learn, where it is time.

    Returns:
        Number of weights that would have left their range and were cut.
    """
    clipped = 0
    for g in range(learning.learn_epoch.size):
        if t % learning.learn_epoch[g]:
            continue
        trace = learning.trace[learning.trace_start[g] : learning.trace_start[g + 1]]
        error = learning.error[learning.error_start[g] : learning.error_start[g + 1]]
        columns = np.concatenate((-error, error))
        n = columns.size
        matrix = weights[learning.weight_start[g] : learning.weight_start[g] + trace.size * n]
        if discrete:
            fill_words(stream, learning.words, 2 * matrix.size)
            _multiply(trace, columns, learning.rate_int[g], learning.product)
            clipped += _learn_discrete(learning, g, learning.product, learning.words, matrix)
        else:
            for axon in range(trace.size):
                _learn_real(learning.rate[g], trace[axon], columns, matrix[axon * n : (axon + 1) * n])
    return clipped


@kernel
def _multiply(trace: NDArray[Any], error: NDArray[Any], rate: int, product: NDArray[np.int32]) -> None:
    """Trace times error times the mantissa of the rate, row by row."""
    n = error.size
    for axon in range(trace.size):
        factor = np.int32(np.int64(trace[axon]) * rate)
        row = product[axon * n : (axon + 1) * n]
        if factor == 0:
            row[:] = 0
        else:
            for j in range(n):
                row[j] = factor * np.int32(error[j])


@kernel
def _right(x: np.int32, bits: np.int32) -> np.int32:
    """``x`` shifted to the right; by less than 32 bits, and the compiler may know it."""
    return np.int32(x >> np.int32(bits & 31))


@kernel
def _learn_discrete(
    learning: Learning, g: int, product: NDArray[np.int32], words: Words, weights: NDArray[Any]
) -> int:
    """All weights of a group, with stochastic rounding."""
    bits, clip = np.int32(learning.round_bits[g]), np.int32(learning.clip[g])
    rest, unused = np.int32((1 << bits) - 1), np.uint32(32 - bits)
    # Shifts to the left, as factors, or to the right where negative: one of the two does nothing.
    gain, loss = np.int32(1 << max(learning.rate_shift[g], 0)), np.int32(max(-learning.rate_shift[g], 0))
    widen, narrow = (
        np.int32(1 << max(learning.weight_shift[g], 0)),
        np.int32(max(-learning.weight_shift[g], 0)),
    )
    unit = np.int32(1 << learning.weight_exp[g])
    clipped = np.int32(0)
    for j in range(weights.size):
        change = _right(np.int32(product[j] * gain), loss)
        learned = np.int32(_right(np.int32(np.int32(weights[j]) * widen), narrow) + change)
        size = np.int32(abs(learned))
        # The fraction has so few bits that comparing it with a random number of 53 bits is comparing it with
        # that number's first bits, which are those of the first of its two words.
        draw = np.int32(words[2 * j] >> np.uint32(unused & np.uint32(31)))
        rounded = np.int32(_right(size, bits) + np.int32(np.int32(size & rest) > draw))
        clipped += np.int32(rounded > clip)
        rounded = min(rounded, clip)
        weights[j] = np.int32((np.int32(-rounded) if learned < 0 else rounded) * unit)
    return int(clipped)


@kernel
def _learn_real(rate: float, trace: Any, error: NDArray[Any], row: NDArray[Any]) -> None:
    for j in range(row.size):
        row[j] += np.float32(rate) * np.float32(trace * error[j])


@kernel
def scale_errors(values: NDArray[np.float64], scale: float, error: NDArray[Any]) -> int:
    """Add errors to the chip's, scaled, rounded and clipped to what fits.

    Returns:
        1 if one was too large, plus 2 if one was too small; -1 if one is not even a 32-bit number, in which
        case nothing was added.
    """
    for value in values:
        if not abs(scale * value) < 2147483647.0:
            return -1
    cut = 0
    for i in range(values.size):
        rounded = np.rint(scale * values[i])
        if rounded > MAX_TRACE:
            cut |= 1
        elif rounded < -MAX_TRACE:
            cut |= 2
        error[i] += min(max(rounded, -MAX_TRACE), MAX_TRACE)
    return cut
