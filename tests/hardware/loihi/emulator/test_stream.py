from __future__ import annotations

import numpy as np
import pytest

from spikearm.errors import StateError
from spikearm.hardware.loihi.emulator.stream import (
    fill_words,
    shared_state,
    signed_bytes,
    skip_signed_bytes,
    uniform,
)


@pytest.fixture
def streams():
    """A generator, the memory of another that is equal, and that other."""
    ours, theirs = np.random.RandomState(5), np.random.RandomState(5)
    return theirs, shared_state(ours), ours


@pytest.mark.parametrize("n", [1, 2, 311, 624, 5000])
def test_compiled_draws_are_numpys(streams, n):
    theirs, state, ours = streams
    for _ in range(3):
        words, small = np.empty(2 * n, np.uint32), np.empty(n, np.int32)
        fill_words(state, words, 2 * n)
        np.testing.assert_array_equal([uniform(words, i) for i in range(n)], theirs.rand(n))
        signed_bytes(state, small)
        np.testing.assert_array_equal(small, theirs.randint(-127, 128, size=n, dtype=np.int32))
        skip_signed_bytes(state, n)
        theirs.randint(-127, 128, size=n, dtype=np.int32)
        assert ours.rand() == theirs.rand()


def test_a_generator_set_to_a_saved_state_moves_the_compiled_stream(streams):
    theirs, state, ours = streams
    saved = theirs.get_state()
    words = np.empty(3000, np.uint32)
    fill_words(state, words, 3000)
    ours.set_state(saved)
    fill_words(state, words, 2)
    assert uniform(words, 0) == theirs.rand()


def test_generators_of_another_kind_are_refused():
    with pytest.raises(StateError, match="Mersenne Twister of 624 words; use a RandomState on MT19937"):
        shared_state(np.random.RandomState(np.random.PCG64(0)))
