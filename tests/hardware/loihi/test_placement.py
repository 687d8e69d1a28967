from __future__ import annotations

import itertools
from time import process_time

import numpy as np
import pytest

from spikearm.hardware.loihi import placement
from spikearm.hardware.loihi.placement import hops, n_tiles, path, place, traffic


def _graph(rng, n, density=0.3):
    messages = rng.integers(1, 1000, (n, n)) * (rng.random((n, n)) < density)
    np.fill_diagonal(messages, 0)
    return messages.astype(float)


@pytest.mark.parametrize("n", [1, 2, 5, 9, 17, 40, 128])
def test_no_placement_is_worse_than_build_order(n):
    rng = np.random.default_rng(n)
    for density in (0.05, 0.3, 1.0):
        messages = _graph(rng, n, density)
        cores = place(messages)
        assert np.unique(cores).size == n
        assert cores.min() >= 0
        assert cores.max() < 128
        assert n_tiles(cores) == -(-n // 4)
        assert hops(messages, cores) <= hops(messages, np.arange(n))


@pytest.mark.parametrize("n", [5, 6, 7, 8])
def test_two_tiles_are_filled_as_well_as_they_can_be(n):
    for seed in range(10):
        messages = _graph(np.random.default_rng(seed), n)
        apart = messages + messages.T
        fewest = min(
            apart[np.ix_(here, np.setdiff1d(np.arange(n), here))].sum()
            for size in range(n - 4, 5)
            for here in map(np.array, itertools.combinations(range(n), size))
        )
        assert hops(messages, place(messages)) == fewest


def test_one_core_to_a_tile_is_placed_as_well_as_it_can_be(monkeypatch):
    monkeypatch.setattr(placement, "CORES_PER_TILE", 1)
    anywhere = [row * 8 + column for row in range(3) for column in range(4)]
    for seed in range(3):
        messages = _graph(np.random.default_rng(seed), 4, 0.6)
        fewest = min(hops(messages, np.array(cores)) for cores in itertools.permutations(anywhere, 4))
        assert hops(messages, place(messages)) == fewest


def test_a_chain_of_blocks_is_cut_where_it_is_thinnest():
    messages = np.zeros((8, 8))
    for i in range(7):
        messages[i, i + 1] = 1.0 if i == 3 else 100.0
    shuffled = np.random.default_rng(0).permutation(8)
    assert hops(messages[np.ix_(shuffled, shuffled)], place(messages[np.ix_(shuffled, shuffled)])) == 1.0


def test_hops_are_those_of_the_ways(monkeypatch):
    rng = np.random.default_rng(1)
    messages, cores = _graph(rng, 20), rng.permutation(128)[:20]
    expected = sum(
        messages[i, j] * sum(path(int(cores[i]), int(cores[j]))[1:]) for i in range(20) for j in range(20)
    )
    assert hops(messages, cores) == expected


def test_the_same_network_is_placed_the_same():
    messages = _graph(np.random.default_rng(2), 50)
    np.testing.assert_array_equal(place(messages), place(messages))


def test_a_full_chip_is_placed_quickly():
    messages = _graph(np.random.default_rng(3), 128, 0.1)
    before = process_time()
    cores = place(messages)
    assert process_time() - before < 10.0
    assert hops(messages, cores) < 0.9 * hops(messages, np.arange(128))


def test_traffic_is_counted_in_axons(make_network, compiled):
    model = compiled(make_network(60, n_ensembles=2))._simulator.model
    messages = traffic(list(model.blocks))
    assert sorted(messages.ravel())[-3:] == [0.0, 30.0, 30.0]
