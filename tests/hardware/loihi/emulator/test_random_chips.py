"""Chips drawn at random behave alike on the stock and on the compiled emulator, in every bit."""

from __future__ import annotations

import pytest


def check(pair, n_steps):
    for _ in range(n_steps):
        stock, compiled = pair.step()
        assert compiled == stock
        pair.compare()
    pair.compare_probes()


@pytest.mark.parametrize("first", range(0, 100, 10))
def test_random_chips_are_the_same_in_every_step(random_pair, first):
    for seed in range(first, first + 10):
        check(random_pair(seed), 40)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1300, 10))
def test_random_chips_are_the_same_for_long(random_pair, first):
    for seed in range(first, first + 10):
        check(random_pair(seed), 200)


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_random_chips_are_the_same_in_float32(random_pair, first):
    for seed in range(first, first + 10):
        check(random_pair(seed, discrete=False), 40)
