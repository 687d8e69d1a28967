"""The random stream of a legacy NumPy generator, drawn from inside compiled code.

The stock emulator draws from ``np.random.RandomState``, an MT19937 (Matsumoto & Nishimura 1998, ACM TOMACS
8(1), 3-30). Drawing many numbers in one call takes them from the stream in the same order as many calls do.
Here the generator's own memory is stepped, so that Python and compiled code share one stream.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.errors import StateError

Words = NDArray[np.uint32]

_N = 624  # words of state, followed by the position of the next word
_M = 397
_UPPER = np.uint32(0x80000000)
_LOWER = np.uint32(0x7FFFFFFF)
_TWIST = np.uint32(0x9908B0DF)
_TEMPER_B = np.uint32(0x9D2C5680)
_TEMPER_C = np.uint32(0xEFC60000)


def shared_state(rng: np.random.RandomState) -> Words:
    """The memory of a generator: 624 words and the position of the next one, shape (625,).

    Writing to it moves the generator, and the other way round. Valid as long as ``rng`` lives.

    Raises:
        StateError: The memory is not laid out as expected.
    """
    address = rng._bit_generator.ctypes.state_address  # noqa: SLF001 no public access
    words = np.ctypeslib.as_array((ctypes.c_uint32 * (_N + 1)).from_address(address))
    state = rng.get_state(legacy=False)
    inner = state["state"] if state["bit_generator"] == "MT19937" else None
    if inner is None or not np.array_equal(words, np.append(inner["key"], np.uint32(inner["pos"]))):
        raise StateError(
            f"the memory of {type(rng).__name__} in NumPy {np.__version__} is not laid out as a Mersenne "
            "Twister of 624 words; use a RandomState on MT19937, or emulator='stock'."
        )
    return words


@kernel
def _mix(upper: np.uint32, lower: np.uint32, far: np.uint32) -> np.uint32:
    y = (upper & _UPPER) | (lower & _LOWER)
    return far ^ (y >> np.uint32(1)) ^ (np.uint32(0) - (y & np.uint32(1)) & _TWIST)


@kernel
def _refill(state: Words) -> None:
    """The next 624 words of the recurrence."""
    for k in range(_N - _M):
        state[k] = _mix(state[k], state[k + 1], state[k + _M])
    for k in range(_N - _M, _N - 1):
        state[k] = _mix(state[k], state[k + 1], state[k + _M - _N])
    state[_N - 1] = _mix(state[_N - 1], state[0], state[_M - 1])
    state[_N] = 0


@kernel
def _temper(y: np.uint32) -> np.uint32:
    y ^= y >> np.uint32(11)
    y ^= (y << np.uint32(7)) & _TEMPER_B
    y ^= (y << np.uint32(15)) & _TEMPER_C
    y ^= y >> np.uint32(18)
    return y


@kernel
def fill_words(state: Words, out: Words, n: int) -> None:
    """The next ``n`` words of the stream, into the start of ``out``."""
    done = 0
    while done < n:
        if state[_N] >= _N:
            _refill(state)
        start = int(state[_N])
        m = min(_N - start, n - done)
        for k in range(m):
            out[done + k] = _temper(state[start + k])
        state[_N] = start + m
        done += m


@kernel
def uniform(words: Words, i: int) -> float:
    """The ``i``-th number in [0, 1) of ``rand``, which takes two words for 53 bits."""
    high = np.int64(words[2 * i] >> np.uint32(5))
    low = np.int64(words[2 * i + 1] >> np.uint32(6))
    return (high * 67108864.0 + low) / 9007199254740992.0


@kernel
def signed_bytes(state: Words, out: NDArray[np.int32]) -> None:
    """What ``randint(-127, 128, dtype=np.int32)`` gives: the low byte of a word, again if it is 255."""
    for i in range(out.size):
        byte = np.uint32(255)
        while byte == np.uint32(255):
            if state[_N] >= _N:
                _refill(state)
            byte = _temper(state[state[_N]]) & np.uint32(255)
            state[_N] += np.uint32(1)
        out[i] = np.int32(byte) - 127


@kernel
def skip_signed_bytes(state: Words, n: int) -> None:
    """Move on as :func:`signed_bytes` would for ``n`` numbers nobody looks at."""
    while n > 0:
        if state[_N] >= _N:
            _refill(state)
        start = int(state[_N])
        m = min(_N - start, n)
        used = 0
        for k in range(start, start + m):
            used += (_temper(state[k]) & np.uint32(255)) != np.uint32(255)
        state[_N] = start + m
        n -= used
