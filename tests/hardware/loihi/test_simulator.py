from __future__ import annotations

import warnings

import nengo
import nengo_loihi
import numpy as np
import pytest
from nengo.exceptions import SimulatorClosed
from nengo_loihi.emulator import EmulatorInterface

from spikearm.errors import ConfigError
from spikearm.hardware.loihi import CompiledEmulator, Simulator

EMULATORS = pytest.mark.parametrize("emulator", ["compiled", "stock"])


def make_network(sample_every=None, learns=True):
    with nengo.Network(seed=3) as network:
        state = nengo.Node(lambda t: np.sin(30 * t))
        noise = nengo.Node(nengo.processes.WhiteSignal(1.0, high=20, seed=4))
        ensemble = nengo.Ensemble(40, 1)
        out = nengo.Node(size_in=1)
        nengo.Connection(state, ensemble)
        rule = nengo.PES(1e-2) if learns else None
        connection = nengo.Connection(ensemble, out, learning_rule_type=rule)
        nengo.Connection(noise, connection.learning_rule if learns else ensemble)
        network.probes_ = [
            nengo.Probe(ensemble, synapse=0.01, sample_every=sample_every),
            nengo.Probe(ensemble.neurons, sample_every=sample_every),
            nengo.Probe(out, sample_every=sample_every),
        ]
    return network


@pytest.fixture
def simulate():
    simulators = []

    def make(network, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the builder
            simulators.append(Simulator(network, **{"target": "sim", "seed": 1, **options}))
        return simulators[-1]

    yield make
    for simulator in simulators:
        simulator.close()


def data(simulator):
    return [np.array(simulator.data[probe]) for probe in simulator.network.probes_]


def check_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_simulator_takes_the_compiled_emulator_unless_told_otherwise(simulate):
    assert type(simulate(make_network()).sims["emulator"]) is CompiledEmulator
    assert type(simulate(make_network(), emulator="stock").sims["emulator"]) is EmulatorInterface


def test_simulator_gives_what_nengo_loihis_gives(simulate):
    ours = simulate(make_network())
    ours.run(0.1)
    network = make_network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nengo_loihi.Simulator(network, target="sim", seed=1)
    with theirs:
        theirs.run(0.1)
    check_equal(data(ours), data(theirs))
    assert ours.time == theirs.time


@EMULATORS
@pytest.mark.parametrize("precompute", [True, False])
def test_reset_rewinds_the_host_as_well(simulate, emulator, precompute):
    simulator = simulate(make_network(learns=False), emulator=emulator, precompute=precompute)
    simulator.run(0.05)
    first = data(simulator)
    for n_steps in (7, 43):
        simulator.reset()
        simulator.run_steps(n_steps)
    simulator.run_steps(7)
    check_equal([values[:50] for values in data(simulator)][:2], first[:2])
    simulator.reset()
    simulator.run(0.05)
    check_equal(data(simulator), first)


@EMULATORS
def test_reset_goes_back_to_the_beginning(simulate, emulator):
    simulator = simulate(make_network(), emulator=emulator)
    simulator.run(0.08)
    first = data(simulator)
    synapse = next(s for s in simulator.sims["emulator"].synapses.slices if s.learning)
    learned = np.concatenate(synapse.weights)
    simulator.reset()
    assert simulator.time == simulator.n_steps == 0
    assert all(len(values) == 0 for values in data(simulator))
    assert not np.array_equal(np.concatenate(synapse.weights), learned)
    simulator.run(0.08)
    check_equal(data(simulator), first)
    np.testing.assert_array_equal(np.concatenate(synapse.weights), learned)


def test_reset_with_another_seed_draws_other_numbers(simulate):
    simulator = simulate(make_network())
    before = simulator.sims["emulator"].rng.rand()
    simulator.reset(seed=7)
    assert simulator.sims["emulator"].rng.rand() == np.random.RandomState(7).rand() != before


def test_reset_of_a_closed_simulator_is_refused(simulate):
    simulator = simulate(make_network())
    simulator.close()
    with pytest.raises(SimulatorClosed, match="Cannot reset closed Simulator"):
        simulator.reset()


@EMULATORS
@pytest.mark.parametrize("sample_every", [0.001, 0.003, 0.0025])
def test_probes_sample_as_often_as_they_should(simulate, emulator, sample_every):
    often, seldom = simulate(make_network()), simulate(make_network(sample_every), emulator=emulator)
    often.run_steps(60)
    for n_steps in (1, 3, 20, 36):
        seldom.run_steps(n_steps)
    steps = np.arange(1, 61)
    expected = [values[steps % (sample_every / 0.001) < 1] for values in data(often)]
    check_equal(data(seldom), expected)
    assert len(seldom.trange(sample_every)) == len(expected[0])


def test_without_nxsdk_a_board_is_refused(simulate):
    with pytest.raises(ConfigError, match=r"needs Intel's NxSDK .*or use target='sim'"):
        simulate(make_network(), target="loihi")


def test_unknown_emulators_are_refused(simulate):
    with pytest.raises(ConfigError, match="emulator must be one of compiled, stock, not 'fast'"):
        simulate(make_network(), emulator="fast")
