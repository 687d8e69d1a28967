"""What every backend promises, asked of every backend."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import nengo
import numpy as np
import pytest

from spikearm.errors import ClosedError, PortError, StateError, TimeStepError
from spikearm.hardware.registry import BACKENDS, make_backend
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.encoder import StateEncoder, load_encoder, shipped_encoder_path
from spikearm.models.network import InputPort, OutputPort, PortedNetwork
from spikearm.models.rules import LEARNING_RULES
from spikearm.models.scaling import StateScaling
from spikearm.records import COUNT_NAMES, OpCounts

DT_S = 0.001
N_JOINTS = 2
SCALING = StateScaling((0.0,) * 2 * N_JOINTS, (1.5,) * 2 * N_JOINTS)
STATE = np.array([0.3, -0.5, 0.2, 0.1])

# How far the torque may lie from what is learned [N m], after a constant of 3 N m has been learned, in the
# mean over 100 steps, and how far from the reference in the meantime. 300 neurons, torque_scale 20 N m;
# learning has not quite ended, so that 0.23 N m are left on the reference as well. What sets the crossbar
# apart is the grain of learning alone: pulses of 3 % of the range, given once most of one is due, leave
# 0.32 N m over ten draws of the devices, with a deviation of 0.04; bounds are three of them away. On the way
# it lags by 0.17, with 0.03 (more in test_program.py of the crossbar).
LEARNED_WITHIN_NM = {"reference": 0.3, "loihi": 0.4, "crossbar": 0.45}
LIKE_REFERENCE_WITHIN_NM = {"reference": 1e-9, "loihi": 0.3, "crossbar": 0.4}

# Torque without any error [N m]: devices have scatter even where nothing was learned.
SILENT_WITHIN_NM = {"reference": 0.0, "loihi": 0.0, "crossbar": 0.5}

# How far the DNN's features, decoded from spikes over 0.2 s, lie from those of the perceptron, relative to
# their own size: rates are quantised on Loihi, weights have programming scatter on the crossbar.
FEATURES_WITHIN = {"reference": 0.1, "loihi": 0.2, "crossbar": 0.3}

# Counts that must be positive while a learning network runs on the backend.
USED_COUNTS = {
    "reference": ("spikes", "synaptic_ops", "synaptic_ops_dense", "neuron_updates", "learning_updates"),
    "loihi": (
        "spikes",
        "synaptic_ops",
        "synaptic_ops_dense",
        "neuron_updates",
        "neuron_updates_active",
        "learning_updates",
        "spike_messages",
        "host_messages",
        "busiest_core_synaptic_ops",
        "busiest_core_neuron_updates",
        "tiles",
    ),
    "crossbar": (
        "spikes",
        "synaptic_ops",
        "synaptic_ops_dense",
        "neuron_updates",
        "learning_updates",
        "tile_reads",
        "conversions",
        "active_macs",
    ),
}


@dataclass(frozen=True)
class _FeaturesOnly:
    """The encoder alone: a description like any other."""

    encoder: StateEncoder

    @property
    def inputs(self) -> Mapping[str, int]:
        return {"state": self.encoder.scaling.size}

    @property
    def outputs(self) -> Mapping[str, int]:
        return {"features": self.encoder.n_features}

    def build(self, *, seed: int) -> PortedNetwork:
        state, features = InputPort(self.encoder.scaling.size), OutputPort(self.encoder.n_features)
        with nengo.Network(seed=seed) as network:
            source = nengo.Node(state, size_out=self.encoder.scaling.size)
            scaled = nengo.Node(lambda t, x: self.encoder.scaling(x), size_in=self.encoder.scaling.size)
            nengo.Connection(source, scaled, synapse=None)
            last = self.encoder.build(scaled, tau_s=0.012, rate_hz=200.0)
            sink = nengo.Node(features, size_in=self.encoder.n_features)
            nengo.Connection(last.neurons, sink, transform=self.encoder.w3, synapse=0.012)
        return PortedNetwork(network, {"state": state}, {"features": features})


class _Regular:
    """One neuron that fires at an even pace, at intervals of three and a third steps."""

    inputs: Mapping[str, int] = MappingProxyType({"unused": 1})
    outputs: Mapping[str, int] = MappingProxyType({"rate": 1})

    def build(self, *, seed: int) -> PortedNetwork:
        unused, rate = InputPort(1), OutputPort(1)
        with nengo.Network(seed=seed) as network:
            nengo.Node(unused, size_out=1)
            neurons = nengo.Ensemble(
                1, 1, gain=[1.0], bias=[300.0], encoders=[[1.0]], neuron_type=nengo.SpikingRectifiedLinear()
            ).neurons
            nengo.Connection(neurons, nengo.Node(rate, size_in=1), synapse=0.01)
        return PortedNetwork(network, {"unused": unused}, {"rate": rate})


def _tiny_encoder() -> StateEncoder:
    rng = np.random.default_rng(5)
    return StateEncoder(
        "test",
        SCALING,
        w1=rng.normal(size=(8, 4)) * 0.5,
        b1=np.full(8, 0.2),
        w2=rng.normal(size=(8, 8)) * 0.4,
        b2=np.full(8, 0.2),
        w3=rng.normal(size=(3, 8)) * 0.3,
    )


def _network(
    encoder: StateEncoder | None = None, n_neurons: int = 60, state_share: float = 0.0
) -> AdaptiveNetwork:
    return AdaptiveNetwork(
        N_JOINTS,
        SCALING,
        encoder=encoder,
        n_neurons=n_neurons,
        state_share=state_share,
        learning_rate=2e-3,
    )


NETWORKS = {
    "state": _network(),
    "encoder": _network(_tiny_encoder()),
    "both": _network(_tiny_encoder(), state_share=0.5),
    **{name: replace(_network(), rule=rule) for name, rule in LEARNING_RULES.items() if name != "pes"},
}


def test_every_backend_is_tested_or_left_out_for_a_reason():
    assert set(BACKENDS) == set(USED_COUNTS) == set(LEARNED_WITHIN_NM) == set(LIKE_REFERENCE_WITHIN_NM)


@pytest.fixture(params=sorted(BACKENDS))
def backend(request):
    return make_backend(request.param)


@pytest.fixture(params=sorted(NETWORKS))
def network(request):
    return NETWORKS[request.param]


@pytest.fixture
def compiled():
    """Compiles, and closes at the end of the test."""
    programs = []

    def compile_(backend, network, *, seed=0):
        programs.append(backend.compile(network, dt_s=DT_S, seed=seed))
        return programs[-1]

    yield compile_
    for program in programs:
        program.close()


def test_neurons_have_a_dead_time_where_the_backend_says_so(backend, compiled):
    """What is above the threshold is dropped: intervals are rounded up to whole steps, to four here."""
    program = compiled(backend, _Regular())
    spikes = sum(program.step({"unused": np.zeros(1)}).counts.spikes for _ in range(1000))
    assert spikes == pytest.approx(250 if backend.has_dead_time else 300, abs=2)


def _inputs(step: int) -> dict[str, np.ndarray]:
    return {
        "state": np.sin(step / 20 + np.arange(2 * N_JOINTS)),
        "error": np.array([-4.0, 3.0]) * np.cos(step / 30),
    }


def _run(program, n_steps: int, start: int = 0) -> np.ndarray:
    """Torque of each step, shape (n_steps, n_joints)."""
    return np.array([program.step(_inputs(i)).outputs["torque"] for i in range(start, start + n_steps)])


def _learn_constant(program, wanted: np.ndarray, n_steps: int) -> np.ndarray:
    """Closes the loop as an arm would: the error is what the torque still lacks."""
    torques, torque = [], np.zeros(N_JOINTS)
    for _ in range(n_steps):
        torque = program.step({"state": STATE, "error": torque - wanted}).outputs["torque"]
        torques.append(torque)
    return np.array(torques)


def _assert_same_state(left, right) -> None:
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])


def test_step_gives_every_output_with_its_size(backend, network, compiled):
    program = compiled(backend, network)
    outputs = program.step(_inputs(0)).outputs
    assert {name: value.shape for name, value in outputs.items()} == {"torque": (N_JOINTS,)}
    assert program.dt_s == DT_S


def test_outputs_are_copies(backend, network, compiled):
    program = compiled(backend, network)
    _run(program, 60)
    first = program.step(_inputs(60)).outputs["torque"]
    kept = first.copy()
    later = _run(program, 30, start=61)
    np.testing.assert_array_equal(first, kept)
    assert not np.array_equal(later[-1], kept)


def test_inputs_are_not_kept(backend, network, compiled):
    program, twin = compiled(backend, network), compiled(backend, network)
    for i in range(30):
        inputs = _inputs(i)
        program.step(inputs)
        twin.step(_inputs(i))
        inputs["state"][:] = 99.0
    np.testing.assert_array_equal(_run(program, 20, start=30), _run(twin, 20, start=30))


def test_reset_gives_the_same_sequence_again(backend, network, compiled):
    program = compiled(backend, network)
    first = _run(program, 80)
    assert np.abs(first).max() > 0
    program.reset()
    np.testing.assert_array_equal(_run(program, 80), first)


def test_same_seed_same_torque_and_another_seed_another(backend, network, compiled):
    first, same, other = (compiled(backend, network, seed=seed) for seed in (1, 1, 2))
    torque = _run(first, 80)
    np.testing.assert_array_equal(_run(same, 80), torque)
    assert not np.array_equal(_run(other, 80), torque)


def test_global_random_state_plays_no_part(backend, network, compiled):
    np.random.seed(1)  # noqa: NPY002 the very thing that must not matter
    torque = _run(compiled(backend, network), 40)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(_run(compiled(backend, network), 40), torque)


def test_saved_state_resumes_exactly_in_a_fresh_program(backend, network, compiled):
    program = compiled(backend, network)
    # 63 is no multiple of any learning or refresh period: state in the middle of one is saved as well.
    _run(program, 63)
    state = program.state_dict()
    expected = _run(program, 60, start=63)
    fresh = compiled(backend, network)
    fresh.load_state_dict(state)
    np.testing.assert_array_equal(_run(fresh, 60, start=63), expected)


def test_saved_state_is_a_copy_and_survives_a_file(backend, network, compiled, tmp_path):
    program = compiled(backend, network)
    _run(program, 20)
    state = program.state_dict()
    np.savez(tmp_path / "state.npz", **state)
    _run(program, 20, start=20)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as saved:
        _assert_same_state(dict(saved), state)
        program.load_state_dict(saved)
    _assert_same_state(program.state_dict(), state)


def test_a_state_of_another_seed_is_refused_and_changes_nothing(backend, network, compiled):
    program = compiled(backend, network, seed=1)
    _run(program, 10)
    before = program.state_dict()
    foreign = compiled(backend, network, seed=2).state_dict()
    with pytest.raises(StateError, match="another seed"):
        program.load_state_dict(foreign)
    _assert_same_state(program.state_dict(), before)


def test_a_state_of_another_network_is_refused_and_changes_nothing(backend, compiled):
    program = compiled(backend, NETWORKS["state"])
    _run(program, 10)
    before = program.state_dict()
    for other in (NETWORKS["encoder"], NETWORKS["node-perturbation"], _network(n_neurons=70)):
        with pytest.raises(StateError):
            program.load_state_dict(compiled(backend, other).state_dict())
        _assert_same_state(program.state_dict(), before)


def test_an_incomplete_or_misshapen_state_is_refused_and_changes_nothing(backend, network, compiled):
    program = compiled(backend, network)
    _run(program, 10)
    saved = program.state_dict()
    _run(program, 10, start=10)
    before = program.state_dict()
    name = max(saved, key=lambda key: saved[key].size)
    spoilt = [
        {key: value for key, value in saved.items() if key != name},
        {**saved, "intruder": np.zeros(1)},
        {**saved, name: saved[name].ravel()[:-1]},
        {},
    ]
    for state in spoilt:
        with pytest.raises(StateError):
            program.load_state_dict(state)
        _assert_same_state(program.state_dict(), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error": None}, r"missing input 'error'; every step needs all of \['error', 'state'\]"),
        ({"eror": np.zeros(2)}, r"no input port named 'eror'.*Did you mean 'error'\?"),
        ({"state": np.zeros(3)}, r"input 'state' has shape \(3,\), the network takes \(4,\)"),
        ({"error": np.array([np.nan, 0.0])}, r"input 'error' is not finite"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_stepped(backend, compiled, change, message):
    program = compiled(backend, NETWORKS["state"])
    _run(program, 5)
    before = program.state_dict()
    inputs = {name: value for name, value in {**_inputs(5), **change}.items() if value is not None}
    with pytest.raises(PortError, match=message):
        program.step(inputs)
    _assert_same_state(program.state_dict(), before)


def test_an_impossible_time_step_is_refused(backend):
    with pytest.raises(TimeStepError):
        backend.compile(NETWORKS["state"], dt_s=-0.001, seed=0)


def test_a_closed_program_refuses_to_step_and_closes_twice(backend, compiled):
    program = compiled(backend, NETWORKS["state"])
    program.step(_inputs(0))
    program.close()
    program.close()
    with pytest.raises(ClosedError):
        program.step(_inputs(1))


def test_counts_are_not_negative_and_those_in_use_are_positive(backend, network, compiled):
    program = compiled(backend, network)
    total = OpCounts()
    for i in range(60):
        counts = program.step(_inputs(i)).counts
        values = [getattr(counts, name) for name in COUNT_NAMES]
        assert all(isinstance(value, float) and np.isfinite(value) and value >= 0 for value in values)
        total = total + counts
    for name in USED_COUNTS[backend.name]:
        assert getattr(total, name) > 0, name
    assert total.synaptic_ops <= total.synaptic_ops_dense or total.synaptic_ops_dense == 0
    assert total.neuron_updates_active <= total.neuron_updates
    assert total.host_macs == 0  # an adaptive network leaves the host nothing but conversions


def test_the_same_steps_have_the_same_counts(backend, network, compiled):
    program = compiled(backend, network)
    counts = [program.step(_inputs(i)).counts for i in range(30)]
    program.reset()
    assert [program.step(_inputs(i)).counts for i in range(30)] == counts


def test_costs_have_all_terms_add_up_and_can_be_traced(backend, compiled):
    program, model = compiled(backend, NETWORKS["state"]), backend.cost_model
    first, second = (
        sum((program.step(_inputs(i)).counts for i in r), OpCounts()) for r in (range(8), range(8, 16))
    )
    a, b, both = (
        model.estimate(counts, seconds)
        for counts, seconds in ((first, 8 * DT_S), (second, 8 * DT_S), (first + second, 16 * DT_S))
    )
    assert tuple(both.energy_j) == model.terms
    assert both.total_j > 0
    assert both.energy_j == pytest.approx((a + b).energy_j)
    assert both.latency_s == pytest.approx((a + b).latency_s)
    assert both.latency_s >= 0
    lines = [line for line in model.ledger(first + second, 16 * DT_S) if line.tier == "bottom-up"]
    assert sum(line.joules for line in lines) == pytest.approx(both.total_j)
    assert all(line.figure.source for line in lines)


def test_a_constant_is_learned_like_on_the_reference(backend, compiled):
    wanted = np.array([3.0, -2.0])
    network = _network(n_neurons=300)
    torque = _learn_constant(compiled(backend, network), wanted, 1500)
    reference = _learn_constant(compiled(make_backend("reference"), network), wanted, 1500)
    np.testing.assert_allclose(torque[-100:].mean(axis=0), wanted, atol=LEARNED_WITHIN_NM[backend.name])
    means, expected = (x.reshape(15, 100, N_JOINTS).mean(axis=1) for x in (torque, reference))
    np.testing.assert_allclose(means, expected, atol=LIKE_REFERENCE_WITHIN_NM[backend.name])


def test_nothing_is_learned_from_no_error(backend, compiled):
    program = compiled(backend, NETWORKS["state"])
    for _ in range(50):
        torque = program.step({"state": STATE, "error": np.zeros(N_JOINTS)}).outputs["torque"]
    np.testing.assert_allclose(torque, 0.0, atol=SILENT_WITHIN_NM[backend.name])


def test_the_encoder_computes_its_features(backend, compiled):
    encoder = load_encoder(shipped_encoder_path("iiwa14"))
    program = compiled(backend, _FeaturesOnly(encoder))
    rng = np.random.default_rng(3)
    deviations, wanted = [], []
    for _ in range(4):
        state = np.array(encoder.scaling.center) + rng.uniform(-0.5, 0.5, 14)
        outputs = [program.step({"state": state}).outputs["features"] for _ in range(300)]
        wanted.append(encoder.features(state))
        deviations.append(np.mean(outputs[100:], axis=0) - wanted[-1])
    relative = np.sqrt(np.mean(np.square(deviations)) / np.mean(np.square(wanted)))
    assert relative < FEATURES_WITHIN[backend.name]


def test_memory_does_not_grow_over_10000_steps(backend, compiled):
    program = compiled(backend, _network(n_neurons=20))
    _run(program, 200)
    blocks = sys.getallocatedblocks()
    for i in range(10_000):
        program.step(_inputs(i))
    # An object kept per step would be 10,000 blocks.
    assert sys.getallocatedblocks() - blocks < 500
    # Blocks do not tell how large an array has become; this does, but slows every allocation down.
    tracemalloc.start()
    try:
        _run(program, 100)
        before = tracemalloc.get_traced_memory()[0]
        _run(program, 500)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 10_000
