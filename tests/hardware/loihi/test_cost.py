from __future__ import annotations

import numpy as np
import pytest

from spikearm.hardware.loihi.cost import BARRIER_S, LOIHI_COST, barrier_s
from spikearm.records import OpCounts


@pytest.mark.parametrize(("tiles", "seconds"), BARRIER_S)
def test_barrier_takes_the_published_time(tiles, seconds):
    assert barrier_s(float(tiles)) == pytest.approx(seconds)


def test_barrier_never_gets_faster_with_more_tiles():
    times = [barrier_s(float(n)) for n in range(1, 33)]
    assert np.all(np.diff(times) >= 0)
    assert barrier_s(0.0) == times[0]
    assert times[28] == times[31] == pytest.approx(1.8e-6)


def test_latency_is_the_slowest_core_and_the_barrier():
    counts = OpCounts(
        synaptic_ops=900.0,
        learning_updates=90.0,
        busiest_core_synaptic_ops=100.0,
        busiest_core_neuron_updates=10.0,
        busiest_core_learning_updates=20.0,
        tiles=2.0,
    )
    slowest_s = 100 * 3.5e-9 + 10 * 8.4e-9 + 20 * 6.1e-9
    assert LOIHI_COST.estimate(counts, 0.001).latency_s == pytest.approx(slowest_s + 1.0e-6)


def test_barrier_is_paid_in_every_step():
    step = OpCounts(tiles=4.0)
    assert LOIHI_COST.estimate(step + step + step, 0.003).latency_s == pytest.approx(3 * 1.4e-6)
    assert LOIHI_COST.estimate(OpCounts(), 0.0).latency_s == 0.0


def test_more_tiles_change_no_energy():
    one = OpCounts(spikes=5.0, synaptic_ops=7.0, tiles=1.0)
    many = one._replace(tiles=32.0)
    assert LOIHI_COST.estimate(one, 0.001).energy_j == LOIHI_COST.estimate(many, 0.001).energy_j
