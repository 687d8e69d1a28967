"""Networks drawn at random give the same data, weights and traces on both emulators."""

from __future__ import annotations

import warnings

import nengo
import nengo_loihi
import numpy as np
import pytest
from nengo_loihi.builder import Model
from nengo_loihi.decode_neurons import NoisyDecodeNeurons, Preset5DecodeNeurons, Preset10DecodeNeurons

from spikearm.hardware.loihi import Simulator

NEURONS = (
    nengo.LIF(tau_rc=0.02, tau_ref=0.002),
    nengo.LIF(tau_rc=0.05, tau_ref=0.001, amplitude=0.5),
    nengo.SpikingRectifiedLinear(),
    nengo_loihi.LoihiLIF(),
    nengo_loihi.LoihiSpikingRectifiedLinear(amplitude=2.0),
)
FUNCTIONS = (None, np.square, np.sin)


class NetworkBuilder:
    """Draws a network: the same seed gives the same network."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        with nengo.Network(seed=int(seed)) as self.network:
            nengo_loihi.add_params(self.network)
            self.ensembles = [self.ensemble() for _ in range(self.rng.integers(1, 5))]
            for ensemble in self.ensembles:
                self.feed(ensemble)
            for _ in range(self.rng.integers(0, 6)):
                pre, post = (self.ensembles[i] for i in self.rng.integers(len(self.ensembles), size=2))
                kinds = [self.decoded, self.between_neurons, self.sparse, self.learned]
                kinds[self.rng.integers(len(kinds))](pre, post)
            if self.rng.random() < 0.3:
                self.convolution()
            self.probes = [self.probe(ensemble) for ensemble in self.ensembles for _ in range(2)]

    def ensemble(self):
        rng = self.rng
        return nengo.Ensemble(
            int(rng.choice([5, 20, 60, 130])),
            int(rng.integers(1, 4)),
            radius=rng.choice([0.5, 1.0, 2.0]),
            max_rates=nengo.dists.Uniform(100, 180),
            neuron_type=NEURONS[rng.integers(len(NEURONS))],
        )

    def synapse(self):
        return self.rng.choice([0.002, 0.005, 0.01, 0.03])

    def feed(self, ensemble):
        n, speed = ensemble.dimensions, self.rng.uniform(5, 60)
        wave = nengo.Node(lambda t: np.sin(speed * t + np.arange(n)))
        nengo.Connection(wave, ensemble, synapse=self.rng.choice(np.array([None, 0.005], dtype=object)))

    def decoded(self, pre, post):
        rng = self.rng
        function = FUNCTIONS[rng.integers(len(FUNCTIONS))]
        transform = rng.uniform(-1, 1, size=(post.dimensions, pre.dimensions))
        weights = rng.random() < 0.2
        solver = nengo.solvers.LstsqL2(weights=weights)
        nengo.Connection(
            pre, post, function=function, transform=transform, synapse=self.synapse(), solver=solver
        )

    def between_neurons(self, pre, post):
        n = int(self.rng.integers(1, pre.n_neurons + 1))
        transform = self.rng.normal(size=(post.n_neurons, n)) / 30 / n
        nengo.Connection(pre.neurons[:n], post.neurons, transform=transform, synapse=self.synapse())

    def sparse(self, pre, post):
        mask = self.rng.random((post.n_neurons, pre.n_neurons)) < 0.2
        mask[0, 0] = True
        places = np.argwhere(mask)
        init = self.rng.normal(size=len(places)) / 30 / pre.n_neurons
        transform = nengo.Sparse(mask.shape, indices=places, init=init)
        nengo.Connection(pre.neurons, post.neurons, transform=transform, synapse=self.synapse())

    def learned(self, pre, post):
        rng = self.rng
        size = int(rng.integers(1, 4))
        out = nengo.Node(size_in=size)
        speed, gain = rng.uniform(5, 60), 10 ** rng.uniform(-1.5, 0.7)
        error = nengo.Node(lambda t: gain * np.cos(speed * t + np.arange(size)))
        rule = nengo.PES(10 ** rng.uniform(-5, -2), pre_synapse=rng.choice([0.005, 0.012]))
        connection = nengo.Connection(
            pre, out, function=lambda _: np.zeros(size), synapse=self.synapse(), learning_rule_type=rule
        )
        nengo.Connection(error, connection.learning_rule, synapse=None)
        nengo.Probe(out)

    def convolution(self):
        rng = self.rng
        # Axons of 16 populations must begin at every fourth compartment.
        pop_type, channels_last = [(16, True), (32, True), (32, False)][rng.integers(3)]
        shape = (5, 4, 2) if channels_last else (2, 5, 4)
        pixels = nengo.Ensemble(40, 1, gain=np.ones(40), bias=rng.uniform(0, 3, 40))
        transform = nengo.Convolution(
            4 if pop_type == 16 else int(rng.integers(1, 5)),
            shape,
            kernel_size=(2, 3),
            strides=tuple(int(s) for s in rng.integers(1, 3, size=2)),
            padding=str(rng.choice(["same", "valid"])),
            channels_last=channels_last,
            init=nengo.dists.Gaussian(0, 0.3),
        )
        n = transform.output_shape.size
        features = nengo.Ensemble(n, 1, gain=np.ones(n), bias=np.zeros(n))
        connection = nengo.Connection(pixels.neurons, features.neurons, transform=transform)
        self.network.config[connection].pop_type = pop_type
        self.network.config[pixels].on_chip = bool(rng.random() < 0.7)
        nengo.Probe(features.neurons, "voltage")

    def probe(self, ensemble):
        rng = self.rng
        synapse = rng.choice(np.array([None, 0.01], dtype=object))
        if rng.random() < 0.3:
            return nengo.Probe(ensemble, synapse=synapse)
        attribute = rng.choice(["output", "voltage", "input"])
        target = ensemble.neurons[:: int(rng.integers(1, 4))] if rng.random() < 0.4 else ensemble.neurons
        return nengo.Probe(target, attribute, synapse=synapse)

    def model(self):
        """Parameters of the build, drawn last: the network does not depend on them."""
        rng = np.random.default_rng(self.network.seed + 1)
        model = Model()
        kinds = (Preset5DecodeNeurons(), Preset10DecodeNeurons(), NoisyDecodeNeurons(4, noise_exp=-1.0))
        model.decode_neurons = kinds[rng.integers(len(kinds))]
        model.pes_error_scale = float(rng.choice([10.0, 100.0, 400.0]))
        model.pes_wgt_exp = int(rng.integers(-2, 6))
        return model


def run(seed, emulator, n_steps):
    builder = NetworkBuilder(seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        simulator = Simulator(
            builder.network, model=builder.model(), target="sim", seed=seed, emulator=emulator
        )
        warnings.simplefilter("always")
        with simulator:
            simulator.run_steps(n_steps)
            chip = simulator.sims["emulator"]
            learning = list(chip.synapses.traces)
            weights = [np.concatenate(synapse.weights).tolist() for synapse in learning]
            traces = [chip.synapses.traces[synapse].tolist() for synapse in learning]
            counts = chip.compartment.spike_count.tolist()
    probes = [np.array(simulator.data[probe]) for probe in builder.network.all_probes]
    return probes, weights, traces, counts, {str(warning.message) for warning in caught}


def check(seed, n_steps):
    ours, theirs = (run(seed, emulator, n_steps) for emulator in ("compiled", "stock"))
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    assert ours[1:] == theirs[1:]


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_give_the_same_data(seed):
    check(seed, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 320))
def test_random_networks_give_the_same_data_for_long(seed):
    check(seed, 200)
