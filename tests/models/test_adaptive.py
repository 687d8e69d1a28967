from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import nengo
import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.models.adaptive import (
    MIXED_PACE,
    RAW_ACTIVE_AREA,
    RAW_LEARNING_RATE,
    ActiveArea,
    AdaptiveNetwork,
)
from spikearm.models.scaling import StateScaling

N_JOINTS = 2
STATE = np.array([0.4, 0.1, 0.3, -0.2])
NO_ERROR = np.zeros(N_JOINTS)


@pytest.fixture
def network(scaling) -> AdaptiveNetwork:
    return AdaptiveNetwork(N_JOINTS, scaling, torque_scale=10.0, n_neurons=100)


class Running:
    """A network in Nengo's simulator, spoken to through its ports."""

    def __init__(self, spec: AdaptiveNetwork, seed: int = 0) -> None:
        self.ported = spec.build(seed=seed)
        self.simulator = nengo.Simulator(self.ported.network, progress_bar=False)

    def run(self, state: np.ndarray, error: np.ndarray, n_steps: int) -> np.ndarray:
        """The torque after some steps."""
        self.ported.inputs["state"].value[:] = state
        self.ported.inputs["error"].value[:] = error
        self.simulator.run_steps(n_steps)
        return self.ported.outputs["torque"].value.copy()

    def decoders(self) -> np.ndarray:
        learned = [c for c in self.ported.network.all_connections if c.label == "learned"]
        signals = self.simulator.model.sig
        return np.hstack([self.simulator.signals[signals[c]["weights"]] for c in learned])


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts networks, and closes them when the test is over."""
    with ExitStack() as stack:

        def start(spec: AdaptiveNetwork, seed: int = 0) -> Running:
            running = Running(spec, seed)
            stack.callback(running.simulator.close)
            return running

        yield start


@pytest.mark.parametrize("dimensions", [2, 3, 8, 14])
def test_neurons_are_active_in_the_asked_for_part_of_the_sphere(dimensions):
    rng = np.random.default_rng(0)
    area = (0.35, 0.45, 0.55)
    points = rng.standard_normal((20_000, dimensions))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    intercepts = ActiveArea(dimensions, area).sample(400, rng=np.random.RandomState(1))
    # By symmetry any one encoder will do.
    active = (points[:, :1] > intercepts).mean(axis=0)
    assert active.min() > area[0] - 0.02
    assert active.max() < area[2] + 0.02
    assert active.mean() == pytest.approx(np.mean(area), abs=0.01)
    # Standard deviation of a symmetric triangular distribution of this width.
    assert active.std() == pytest.approx((area[2] - area[0]) / np.sqrt(24), rel=0.15)


def test_intercepts_have_the_shape_that_nengo_asks_for():
    area = ActiveArea(3, (0.1, 0.2, 0.3))
    assert area.sample(5).shape == (5,)
    assert area.sample(5, 2).shape == (5, 2)


def test_network_fires_the_share_of_neurons_it_should(start, network):
    running = start(network)
    ensemble = running.ported.network.ensembles[0]
    built = running.simulator.data[ensemble]
    rng = np.random.default_rng(0)
    points = rng.standard_normal((500, network.n_dimensions))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    rates = ensemble.neuron_type.rates(points @ built.encoders.T, built.gain, built.bias)
    assert (rates > 0).mean() == pytest.approx(0.45, abs=0.03)
    assert rates.max() <= network.max_rates_hz[1]


def test_ports_have_the_promised_names_and_sizes(network):
    ported = network.build(seed=0)
    assert {name: port.value.size for name, port in ported.inputs.items()} == dict(network.inputs)
    assert {name: port.value.size for name, port in ported.outputs.items()} == dict(network.outputs)
    assert dict(network.inputs) == {"state": 2 * N_JOINTS, "error": N_JOINTS}
    assert dict(network.outputs) == {"torque": N_JOINTS}


def test_nothing_is_said_before_anything_is_learned(start, network):
    np.testing.assert_array_equal(start(network).run(STATE, NO_ERROR, 100), 0.0)


def test_no_error_teaches_nothing(start, network):
    running = start(network)
    running.run(STATE, np.array([-2.0, 1.0]), 200)
    running.run(STATE, NO_ERROR, 1)  # the rule hears of an error one step later
    learned = running.decoders().copy()
    assert np.abs(learned).max() > 0
    running.run(-STATE, NO_ERROR, 200)
    np.testing.assert_array_equal(running.decoders(), learned)


def test_law_that_pushes_teaches_the_network_to_push_the_same_way(start, network):
    """``error = -u_task``: a law that keeps pushing up makes the network push up, joint by joint."""
    task = np.array([2.0, -1.0])
    torque = start(network).run(STATE, -task, 500)
    assert (np.sign(torque) == np.sign(task)).all()
    assert abs(torque[0]) > abs(torque[1])


def test_learned_torque_grows_with_error_and_rate(start, network):
    task = np.array([1.0, 0.5])
    once = start(network).run(STATE, -task, 300)
    np.testing.assert_allclose(start(network).run(STATE, -2 * task, 300), 2 * once, rtol=1e-6)
    faster = dataclasses.replace(network, learning_rate=2 * network.rate)
    np.testing.assert_allclose(start(faster).run(STATE, -task, 300), 2 * once, rtol=1e-6)


def test_torque_scale_is_a_unit_and_no_gain(start, network):
    """It scales error in and torque out, so what is learned from an error in N m does not depend on it."""
    task = np.array([1.0, 0.5])
    other = dataclasses.replace(network, torque_scale=3 * network.torque_scale)
    np.testing.assert_allclose(
        start(other).run(STATE, -task, 300), start(network).run(STATE, -task, 300), rtol=1e-6
    )


def test_what_is_learned_here_is_local(start, network):
    """Another corner of the state space hears less of it."""
    task = np.array([2.0, -1.0])
    running = start(network)
    here = running.run(STATE + 0.5, -task, 500)
    there = running.run(STATE - 1.5, NO_ERROR, 200)
    assert np.linalg.norm(there) < 0.7 * np.linalg.norm(here)


def test_closed_loop_learns_the_missing_torque(start, network):
    """Error = what is still missing: PES brings it to nothing."""
    missing = np.array([3.0, -2.0])
    running = start(network)
    torque = np.zeros(N_JOINTS)
    torques = [torque := running.run(STATE, torque - missing, 1) for _ in range(3000)]
    # In the mean over many spikes: what is represented, not its ripple.
    np.testing.assert_allclose(np.mean(torques[-1000:], axis=0), missing, atol=0.1)


@pytest.mark.parametrize("n_ensembles", [2, 4])
def test_parts_learn_as_fast_as_the_whole(network, start, n_ensembles):
    error = np.full(N_JOINTS, -2.0)
    large = dataclasses.replace(network, n_neurons=1200)
    parts = dataclasses.replace(large, n_ensembles=n_ensembles)
    whole, split = (start(spec).run(STATE, error, 300) for spec in (large, parts))
    np.testing.assert_allclose(split, whole, rtol=0.15)


@pytest.mark.parametrize("n_ensembles", [1, 2, 5])
def test_parts_have_all_neurons_between_them(start, network, n_ensembles):
    split = dataclasses.replace(network, n_ensembles=n_ensembles)
    ensembles = [e for e in split.build(seed=0).network.ensembles if e.label.startswith("adapt")]
    assert [e.n_neurons for e in ensembles] == [100 // n_ensembles] * n_ensembles
    task = np.array([2.0, -1.0])
    assert (np.sign(start(split).run(STATE, -task, 300)) == np.sign(task)).all()


def test_encoder_is_part_of_the_network(start, network, encoder):
    encoded = dataclasses.replace(network, encoder=encoder)
    labels = [e.label for e in encoded.build(seed=0).network.ensembles]
    assert sorted(labels) == ["adapt0", "encoder.h1", "encoder.h2"]
    assert encoded.n_dimensions == encoder.n_features
    task = np.array([2.0, -1.0])
    assert (np.sign(start(encoded).run(STATE, -task, 500)) == np.sign(task)).all()


def test_ensemble_represents_the_encoders_features(network, encoder):
    encoded = dataclasses.replace(network, encoder=encoder)
    ported = encoded.build(seed=0)
    with ported.network:
        target = next(e for e in ported.network.ensembles if e.label == "adapt0")
        source = next(c for c in ported.network.all_connections if c.label == "features")
        probe = nengo.Node(size_in=encoder.n_features)
        nengo.Connection(source.pre, probe, transform=encoder.w3, synapse=0.05)
        heard = nengo.Probe(probe)
    ported.inputs["state"].value[:] = STATE
    with nengo.Simulator(ported.network, progress_bar=False) as simulator:
        simulator.run(1.0)
    assert source.post is target
    np.testing.assert_allclose(simulator.data[heard][500:].mean(axis=0), encoder.features(STATE), atol=0.05)


def test_state_without_encoder_stays_in_the_unit_ball(start, network):
    running = start(network)
    scaled = next(n for n in running.ported.network.nodes if n.label == "scaled")
    corner = scaled.output(0.0, np.full(4, 100.0))
    assert np.linalg.norm(corner) == pytest.approx(1.0)
    np.testing.assert_allclose(corner, 0.5)
    inside = scaled.output(0.0, np.asarray(network.scaling.center) + 0.1)
    np.testing.assert_allclose(inside, [0.1, 0.1, 0.05, 0.05])


def test_same_seed_same_torque(start, network):
    task = np.array([2.0, -1.0])
    a, b = (start(network, seed=5).run(STATE, -task, 100) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, start(network, seed=6).run(STATE, -task, 100))


def test_two_builds_share_no_ports(network):
    a, b = network.build(seed=0), network.build(seed=0)
    a.inputs["state"].value[:] = 1.0
    np.testing.assert_array_equal(b.inputs["state"].value, 0.0)


def test_scaling_of_another_size_is_refused():
    with pytest.raises(ConfigError, match=r"scaling has 1 dimensions; the state .* of 2 joints has 4"):
        AdaptiveNetwork(2, StateScaling((0.0,), (1.0,)))


@pytest.mark.parametrize(("n_neurons", "n_ensembles"), [(100, 3), (0, 1), (100, 0), (-4, 2)])
def test_neurons_that_cannot_be_split_evenly_are_refused(network, n_neurons, n_ensembles):
    with pytest.raises(
        ConfigError, match=f"n_neurons={n_neurons} cannot be split into n_ensembles={n_ensembles}"
    ):
        dataclasses.replace(network, n_neurons=n_neurons, n_ensembles=n_ensembles)


def test_rule_that_is_none_is_refused_where_the_network_is_described(network):
    with pytest.raises(
        ConfigError, match=r"'pes' is no learning rule: it lacks pace, teach, rule_type; give"
    ):
        dataclasses.replace(network, rule="pes")


def test_committee_of_exact_copies_computes_what_one_does(network, encoder):
    """The copies differ by their neurons' first spikes only, which the synapses smooth."""
    one = dataclasses.replace(network, encoder=encoder)
    features = {}
    for size in (1, 3):
        ported = dataclasses.replace(one, committee=size).build(seed=0)
        (ensemble,) = [e for e in ported.network.all_ensembles if e.label == "adapt0"]
        with ported.network:
            probe = nengo.Probe(ensemble, synapse=None, attr="input")
        ported.inputs["state"].value[:] = STATE
        with nengo.Simulator(ported.network, progress_bar=False) as sim:
            sim.run_steps(600)
        features[size] = sim.data[probe][300:].mean(axis=0)
    np.testing.assert_allclose(features[3], features[1], atol=0.02)


def test_committee_needs_members_and_an_encoder(network, encoder):
    with pytest.raises(ConfigError, match="committee must be at least 1, not 0"):
        dataclasses.replace(network, encoder=encoder, committee=0)
    with pytest.raises(ConfigError, match="committee=2 is of encoders, and this network has none"):
        dataclasses.replace(network, committee=2)


def test_share_of_the_neurons_sees_the_state_itself(network, encoder):
    both = dataclasses.replace(network, encoder=encoder, state_share=0.25, n_neurons=80)
    sizes = {e.label: (e.n_neurons, e.dimensions) for e in both.build(seed=0).network.ensembles}
    assert sizes["adapt0"] == (60, encoder.n_features)
    assert sizes["direct0"] == (20, 2 * N_JOINTS)
    split = dataclasses.replace(both, n_ensembles=2)
    sizes = {e.label: e.n_neurons for e in split.build(seed=0).network.ensembles}
    assert {k: n for k, n in sizes.items() if "encoder" not in k} == {
        "adapt0": 30,
        "adapt1": 30,
        "direct0": 10,
        "direct1": 10,
    }


def test_encoder_keeps_one_neuron_at_least(network, encoder):
    one = dataclasses.replace(network, encoder=encoder, state_share=0.9, n_neurons=1)
    learning = [e for e in one.build(seed=0).network.ensembles if "encoder" not in e.label]
    assert [(e.label, e.n_neurons) for e in learning] == [("adapt0", 1)]


def test_each_population_learns_at_its_own_rate_times_its_share(network, encoder):
    encoder = dataclasses.replace(encoder, learning_rate=0.1)
    both = dataclasses.replace(network, encoder=encoder, state_share=0.25, n_neurons=80)

    def rates(spec):
        learned = [c for c in spec.build(seed=0).network.all_connections if c.label == "learned"]
        return {c.pre_obj.label: c.learning_rule_type.learning_rate for c in learned}

    own = {"adapt0": 0.75 * 0.1, "direct0": 0.25 * RAW_LEARNING_RATE}
    assert rates(both) == pytest.approx({label: MIXED_PACE * rate for label, rate in own.items()})
    twice = dataclasses.replace(both, learning_rate=0.2)
    assert rates(twice) == pytest.approx({"adapt0": 0.75 * 0.2, "direct0": 0.5 * RAW_LEARNING_RATE})


def test_both_populations_learn_the_missing_torque_together(start, network, encoder):
    """Each population alone, and both, with error = what is still missing."""
    missing = np.array([3.0, -2.0])
    both = dataclasses.replace(network, encoder=encoder, state_share=0.5, n_neurons=200)
    running = start(both)
    torque = np.zeros(N_JOINTS)
    torques = [torque := running.run(STATE, torque - missing, 1) for _ in range(3000)]
    np.testing.assert_allclose(np.mean(torques[-1000:], axis=0), missing, atol=0.1)
    parts = [c for c in running.ported.network.all_connections if c.label == "learned"]
    signals = running.simulator.model.sig
    assert all(np.abs(running.simulator.signals[signals[c]["weights"]]).max() > 0 for c in parts)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_share_that_leaves_the_encoder_nothing_is_refused(network, encoder, share):
    with pytest.raises(ConfigError, match=f"state_share={share:g} must be from 0 up to but not 1"):
        dataclasses.replace(network, encoder=encoder, state_share=share)
    with pytest.raises(
        ConfigError, match=r"state_share=0\.5 .* need an encoder; without one all of them see"
    ):
        dataclasses.replace(network, state_share=0.5)


def test_rate_and_active_area_are_the_encoders_own_unless_given(network, encoder):
    encoder = dataclasses.replace(encoder, active_area=(0.1, 0.2, 0.3), learning_rate=0.1)
    behind = dataclasses.replace(network, encoder=encoder, scaling=encoder.scaling)
    assert (behind.rate, behind.area) == (0.1, (0.1, 0.2, 0.3))
    assert (network.rate, network.area) == (RAW_LEARNING_RATE, RAW_ACTIVE_AREA)
    own = dataclasses.replace(behind, learning_rate=0.5, active_area=(0.4, 0.5, 0.6))
    assert (own.rate, own.area) == (0.5, (0.4, 0.5, 0.6))
