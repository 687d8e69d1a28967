from __future__ import annotations

from spikearm.hardware.loihi.capacity import N_CORES


def test_utilisation_of_a_learning_network_by_hand(make_network, compiled):
    """60 neurons on one core, 4 decoders that learn on another."""
    utilisation = compiled(make_network(60)).utilisation
    assert (utilisation.kind, utilisation.n_available) == ("cores", N_CORES)
    neurons, decoders = utilisation.parts
    assert neurons.resources["compartments"].used == 60
    assert decoders.resources["compartments"].used == 4
    assert neurons.resources["compartments"].limit == 1024
    assert neurons.resources["output axons"].used == decoders.resources["input axons"].used == 60
    assert decoders.resources["output axons"].used == 0
    assert decoders.resources["input axons"].limit == 4096
    assert 60 * 4 * 8 <= decoders.resources["synapse memory bits"].used <= 2**20


def test_every_core_in_use_is_listed_and_none_is_overfull(make_network, compiled):
    utilisation = compiled(make_network(1100, n_ensembles=2)).utilisation
    assert sum(part.resources["compartments"].used for part in utilisation.parts) == 1100 + 2 * 4
    assert all(0 < share <= 1 for share in utilisation.fullest().values())
