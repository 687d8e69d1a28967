"""What a program shows of its neurons, on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.hardware.registry import BACKENDS, make_backend
from spikearm.hardware.spikes import ShowsSpikes
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.scaling import StateScaling

N_NEURONS = 40


@pytest.fixture(scope="module", params=BACKENDS)
def program(request):
    network = AdaptiveNetwork(
        n_joints=2, scaling=StateScaling((0.0,) * 4, (1.5,) * 4), n_neurons=N_NEURONS, n_ensembles=2
    )
    program = make_backend(request.param).compile(network, dt_s=0.001, seed=1)
    yield program
    program.close()


def test_populations_are_the_ensembles_of_the_network(program):
    assert isinstance(program, ShowsSpikes)
    assert [(p.label, p.fired.size) for p in program.populations] == [("adapt0", 20), ("adapt1", 20)]


def test_populations_show_every_spike_of_each_step(program):
    program.reset()
    populations = program.populations
    shown, counted = 0, 0.0
    for _ in range(100):
        counts = program.step({"state": np.full(4, 0.4), "error": np.full(2, -1.0)}).counts
        shown += sum(np.count_nonzero(p.fired) for p in populations)
        counted += counts.spikes
    assert shown > 20
    # On Loihi the neurons that carry learned values between cores fire and are counted, too.
    assert shown == counted or shown < counted < 3 * shown
