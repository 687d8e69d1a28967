from __future__ import annotations

import numpy as np
import pytest

from spikearm.hardware.loihi import placement
from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.hardware.loihi.placement import n_tiles, path

N = 60


@pytest.fixture
def program(make_network, compiled):
    return compiled(make_network(N))


def test_counts_of_a_learning_network_by_hand(program, drive):
    """One core of 60 neurons fed by 8 on/off neurons on the host, one of 4 decoders that learn."""
    emulator = program._simulator.sims["emulator"]
    spikes_before = 0
    for i in range(40):
        arriving = sum(len(idx) for idx in emulator.inputs[0].spikes.values()) if i > 0 else 0
        counts = program.step(drive(i, error=(-2.0, 1.0))).counts
        assert counts.synaptic_ops == arriving * N + spikes_before * 4
        assert counts.learning_updates == (N * 4 if (i + 1) % 4 == 0 else 0)
        assert counts.spikes == np.count_nonzero(emulator.compartment.spiked)
        assert counts.spike_messages == counts.spikes
        sent = sum(len(idx) for idx in emulator.inputs[0].spikes.values())
        assert counts.host_messages == sent + 2 + 4
        spikes_before = counts.spikes
    assert counts.synaptic_ops_dense == 8 * N + N * 4
    assert counts.neuron_updates == N + 4
    assert 0 < counts.neuron_updates_active <= N + 4


def test_busiest_core_is_the_one_that_takes_longest(program, drive):
    """Learning is slow: where it happens, the small core of the decoders can hold up the large one."""
    wiring = program._simulator.sims["emulator"].wiring
    busiest = []
    for i in range(200):
        counts = program.step(drive(i)).counts
        into_neurons, into_decoders = wiring.operations.tolist()
        learned = N * 4 if (i + 1) % 4 == 0 else 0
        cores = [(into_neurons, N, 0), (into_decoders, 4, learned)]
        slowest = max(cores, key=lambda core: 3.5e-9 * core[0] + 8.4e-9 * core[1] + 6.1e-9 * core[2])
        assert slowest == (
            counts.busiest_core_synaptic_ops,
            counts.busiest_core_neuron_updates,
            counts.busiest_core_learning_updates,
        )
        busiest.append(cores.index(slowest))
    assert set(busiest) == {0, 1}


def test_cores_fill_tiles_by_four(program, drive):
    assert [n_tiles(np.arange(n)) for n in (1, 4, 5, 8, 128)] == [1, 1, 2, 2, 32]
    assert program.step(drive()).counts.tiles == 1


def test_nothing_spikes_before_the_membranes_are_charged(program, drive):
    counts = program.step(drive()).counts
    assert counts.spikes == counts.spike_messages == counts.synaptic_ops == 0.0
    assert counts.neuron_updates == N + 4


def test_two_ensembles_learn_on_two_cores(make_network, compiled, drive):
    program = compiled(make_network(N, n_ensembles=2))
    learned = [program.step(drive(i)).counts.learning_updates for i in range(8)]
    assert learned == [0, 0, 0, N * 4] * 2


def test_messages_travel_along_rows_and_columns_of_tiles():
    assert path(0, 3) == (1, 0, 0)  # same tile
    assert path(0, 4) == (1, 1, 0)  # next tile to the east
    assert path(4, 0) == (1, 1, 0)  # and back
    assert path(0, 32) == (1, 0, 1)  # first tile of the next row
    assert path(0, 127) == (1, 7, 3)  # corner to corner


def test_spikes_to_another_tile_count_hops(compiled, drive, make_network, monkeypatch):
    # Two neurons' cores and the cores of their decoders, one core to a tile: every message crosses one link.
    monkeypatch.setattr(placement, "CORES_PER_TILE", 1)
    program = compiled(make_network(N, n_ensembles=2))
    counts = [program.step(drive(i)).counts for i in range(60)]
    hops = sum(c.hops_east_west + c.hops_north_south for c in counts)
    assert hops == sum(c.spike_messages for c in counts) > 0
    assert counts[0].tiles == 4


def test_learned_weights_that_are_cut_are_counted(make_network, compiled, drive):
    """A lasting error drives ten neurons' decoders to the end of a narrow range."""
    program = compiled(make_network(10, learning_rate=5e-4), LoihiConfig(pes_wgt_exp=0))
    counts = [program.step(drive(i, error=(-10.0, 10.0))).counts for i in range(3000)]
    cut = np.array([count.saturated_weights for count in counts])
    assert cut[:40].sum() == 0
    assert 0 < cut.max() <= 10 * 4
    assert not cut[np.arange(1, 3001) % 4 != 0].any()  # weights change every fourth step
    assert not any(count.overflows for count in counts)


def test_overflows_are_counted(make_network, compiled, drive):
    program = compiled(make_network(10))
    emulator = program._simulator.sims["emulator"]
    synapse = next(s for s in emulator.synapses.slices if s.learning)
    overflows = []
    for i in range(100):
        for row in synapse.weights:
            row[...] = 2**21  # one bit more than the input of a neuron holds
        overflows.append(program.step(drive(i)).counts.overflows)
    assert max(overflows) > 0
