"""Networks of every kind nengo-loihi can build run alike on both emulators, host and probes included."""

from __future__ import annotations

import warnings

import nengo
import nengo_loihi
import numpy as np
import pytest
from nengo_loihi.builder import Model
from nengo_loihi.decode_neurons import NoisyDecodeNeurons, Preset5DecodeNeurons

from spikearm.hardware.loihi import Simulator

N_STEPS = 60


def sines(n):
    return nengo.Node(lambda t: np.sin(40 * t + np.arange(n)), label="sines")


def decoded_chain():
    rates = nengo.dists.Uniform(100, 200)
    a = nengo.Ensemble(40, 2, radius=1.5, max_rates=rates, neuron_type=nengo.LIF(tau_rc=0.03, tau_ref=0.003))
    b = nengo.Ensemble(31, 1, neuron_type=nengo.SpikingRectifiedLinear(amplitude=0.7))
    out = nengo.Node(size_in=1)
    nengo.Connection(sines(2), a)
    nengo.Connection(a, b, function=lambda x: x[0] * x[1], synapse=0.008)
    nengo.Connection(b, b, transform=0.5, synapse=0.02)
    nengo.Connection(b, out)
    for ensemble in (a, b):
        nengo.Probe(ensemble, synapse=0.01)
        for attribute in ("output", "voltage", "input"):
            nengo.Probe(ensemble.neurons, attribute)
            nengo.Probe(ensemble.neurons[3:9], attribute, synapse=0.005)
        nengo.Probe(ensemble.neurons[[1, 7, 2]])
    nengo.Probe(out)


def loihi_neurons():
    a = nengo.Ensemble(30, 1, neuron_type=nengo_loihi.neurons.LoihiLIF())
    b = nengo.Ensemble(30, 1, neuron_type=nengo_loihi.neurons.LoihiSpikingRectifiedLinear())
    nengo.Connection(sines(1), a)
    nengo.Connection(a, b, solver=nengo.solvers.LstsqL2(weights=True))
    nengo.Probe(b.neurons)


def neurons_to_neurons():
    rng = np.random.RandomState(1)
    a, b = nengo.Ensemble(25, 1), nengo.Ensemble(20, 1)
    nengo.Connection(sines(1), a)
    nengo.Connection(a.neurons, b.neurons, transform=rng.normal(size=(20, 25)) / 500, synapse=0.005)
    nengo.Connection(a.neurons[5:15], b.neurons, transform=rng.normal(size=(20, 10)) / 500)
    nengo.Connection(b.neurons, b.neurons, transform=-1e-3)
    nengo.Connection(a.neurons, b, transform=rng.normal(size=(1, 25)) / 100)
    nengo.Probe(b.neurons)
    nengo.Probe(b.neurons, "voltage")


def sparse():
    a, b = nengo.Ensemble(25, 1), nengo.Ensemble(20, 1)
    places = [(i, j) for i in range(20) for j in range(25) if (3 * i + j) % 7 == 0]
    nengo.Connection(sines(1), a)
    transform = nengo.Sparse((20, 25), indices=places, init=np.linspace(-2e-3, 3e-3, len(places)))
    nengo.Connection(a.neurons, b.neurons, transform=transform)
    nengo.Probe(b.neurons, "voltage")


def host_neurons():
    host = nengo.Ensemble(25, 1)
    chip = nengo.Ensemble(20, 1)
    host.label = "host"
    nengo.Connection(sines(1), host)
    nengo.Connection(host.neurons, chip.neurons, transform=np.full((20, 25), 2e-3))
    nengo.Probe(chip.neurons)


def convolution(channels_last, pop_type, strides=(1, 1), on_chip=True):
    def build():
        network = nengo.Network.context[-1]
        rng = np.random.RandomState(2)
        shape = (6, 5, 3) if channels_last else (3, 6, 5)
        pixels = nengo.Ensemble(90, 1, gain=np.ones(90), bias=rng.uniform(0, 3, 90))
        pixels.label = "pixels" if on_chip else "host"
        transform = nengo.Convolution(
            4, shape, kernel_size=(3, 3), strides=strides, channels_last=channels_last,
            init=rng.normal(size=(3, 3, 3, 4)) / 5,
        )  # fmt: skip
        n = transform.output_shape.size
        features = nengo.Ensemble(n, 1, gain=np.ones(n), bias=np.zeros(n))
        connection = nengo.Connection(pixels.neurons, features.neurons, transform=transform)
        nengo_loihi.add_params(network)
        network.config[connection].pop_type = pop_type
        nengo.Probe(features.neurons)
        nengo.Probe(features.neurons, "voltage")

    return build


def learning():
    state, error = sines(2), nengo.Node(lambda t: [3 * np.cos(9 * t), -0.2, np.sin(30 * t)])
    for n in (30, 45):
        ensemble = nengo.Ensemble(n, 2)
        out = nengo.Node(size_in=3)
        nengo.Connection(state, ensemble)
        connection = nengo.Connection(
            ensemble, out, function=lambda x: [0, x[0], 0], learning_rule_type=nengo.PES(5e-3)
        )
        nengo.Connection(error, connection.learning_rule)
        nengo.Probe(out)
        nengo.Probe(ensemble.neurons, synapse=0.01)


def learning_from_itself():
    ensemble = nengo.Ensemble(50, 1)
    out, target = nengo.Node(size_in=1), sines(1)
    error = nengo.Node(size_in=1)
    nengo.Connection(target, ensemble)
    connection = nengo.Connection(ensemble, out, learning_rule_type=nengo.PES(1e-2, pre_synapse=0.012))
    nengo.Connection(out, error)
    nengo.Connection(target, error, transform=-1)
    nengo.Connection(error, connection.learning_rule)
    nengo.Probe(out)
    nengo.Probe(error)


def large():
    """More neurons than a core has: split into blocks, probes put together again."""
    a = nengo.Ensemble(1500, 2)
    nengo.Connection(sines(2), a)
    nengo.Probe(a, synapse=0.01)
    nengo.Probe(a.neurons)
    nengo.Probe(a.neurons[1000:1200], "voltage")


BUILDERS = {
    "decoded chain": decoded_chain,
    "Loihi's neurons": loihi_neurons,
    "neurons to neurons": neurons_to_neurons,
    "sparse": sparse,
    "host neurons": host_neurons,
    "convolution, channels last": convolution(True, 16),
    "convolution, channels first": convolution(False, 32),
    "convolution, strides": convolution(True, 32, strides=(2, 2)),
    "convolution, host": convolution(True, 16, on_chip=False),
    "learning": learning,
    "learning from itself": learning_from_itself,
    "large": large,
}


def make_network(build, seed):
    with nengo.Network(seed=seed) as network:
        build()
        nengo_loihi.add_params(network)
        for ensemble in network.all_ensembles:
            network.config[ensemble].on_chip = ensemble.label != "host"
    return network


def make_simulator(network, emulator, model=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the builder: the same for both
        return Simulator(
            network, model=model, emulator=emulator, target=options.pop("target", "sim"), **options
        )


def recorded(build, seed, emulator, *, stretches=(N_STEPS,), model=None, **options):
    """Data of all probes, state of the chip, and warnings."""
    network = make_network(build, seed)
    with (
        warnings.catch_warnings(record=True) as caught,
        make_simulator(network, emulator, model=model and model(), **options) as sim,
    ):
        warnings.simplefilter("always")
        for n_steps in stretches:
            sim.run_steps(n_steps)
        chip = sim.sims["emulator"]
        arrays = {f"probe {i}": np.array(sim.data[probe]) for i, probe in enumerate(network.all_probes)}
        for name in ("current", "voltage", "spiked", "spike_count", "ref_count"):
            arrays[name] = getattr(chip.compartment, name)
        for i, synapse in enumerate(chip.synapses.slices):
            arrays[f"weights {i}"] = np.concatenate([rows.ravel() for rows in synapse.weights])
        for i, trace in enumerate(chip.synapses.traces.values()):
            arrays[f"trace {i}"] = trace
        arrays["random"] = chip.rng.randint(2**31, size=4)
    return arrays, {str(warning.message) for warning in caught}


def check_same(ours, theirs):
    assert ours[0].keys() == theirs[0].keys()
    for name, array in ours[0].items():
        assert array.dtype == theirs[0][name].dtype
        np.testing.assert_array_equal(array, theirs[0][name], err_msg=name)
    assert ours[1] == theirs[1]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", BUILDERS)
def test_every_kind_of_network_runs_the_same(name, seed):
    ours, theirs = (recorded(BUILDERS[name], seed, emulator) for emulator in ("compiled", "stock"))
    assert ours[0]["spike_count"].sum() > 0
    check_same(ours, theirs)


@pytest.mark.parametrize("name", ["decoded chain", "learning", "convolution, channels last"])
def test_networks_run_the_same_in_float32(name):
    check_same(
        *(recorded(BUILDERS[name], 3, emulator, target="simreal") for emulator in ("compiled", "stock"))
    )


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("name", ["decoded chain", "large"])
def test_networks_run_the_same_in_stretches(name, precompute):
    options = {"stretches": (1, 7, 40, 2), "precompute": precompute}
    check_same(*(recorded(BUILDERS[name], 4, emulator, **options) for emulator in ("compiled", "stock")))


def noisy_model():
    model = Model()
    model.decode_neurons = NoisyDecodeNeurons(3, noise_exp=-1.5)
    return model


def coarse_model():
    """Few decode neurons, learned weights of a narrow range, errors far too large."""
    model = Model()
    model.decode_neurons = Preset5DecodeNeurons()
    model.pes_error_scale = 1000.0
    model.pes_wgt_exp = -2
    return model


@pytest.mark.parametrize("model", [noisy_model, coarse_model])
@pytest.mark.parametrize("name", ["decoded chain", "learning", "learning from itself"])
def test_models_with_other_parameters_run_the_same(name, model):
    ours, theirs = (recorded(BUILDERS[name], 5, emulator, model=model) for emulator in ("compiled", "stock"))
    check_same(ours, theirs)
    if name == "learning" and model is coarse_model:
        assert any("Received PES error" in message for message in ours[1])


@pytest.mark.slow
def test_learning_is_the_same_after_10_000_steps():
    check_same(*(recorded(learning, 6, emulator, stretches=(10_000,)) for emulator in ("compiled", "stock")))
