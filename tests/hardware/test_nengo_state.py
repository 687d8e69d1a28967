from __future__ import annotations

import json

import nengo
import numpy as np
import pytest

from spikearm.errors import StateError
from spikearm.hardware.nengo_state import (
    ArrayPart,
    RandomPart,
    Snapshot,
    find_random_sources,
    simulator_fingerprint,
    simulator_parts,
    step_functions,
)


def _noisy_network(seed: int = 3) -> nengo.Network:
    """Everything in Nengo that keeps state: neurons, synapses, learning, processes and their generators."""
    with nengo.Network(seed=seed) as network:
        noise = nengo.Node(nengo.processes.WhiteNoise(seed=None), size_out=2)
        signal = nengo.Node(nengo.processes.WhiteSignal(1.0, high=10), size_out=2)
        filtered = nengo.Node(nengo.processes.FilteredNoise(), size_out=2)
        pre = nengo.Ensemble(20, 2, neuron_type=nengo.AdaptiveLIF(), noise=nengo.processes.WhiteNoise())
        stochastic = nengo.Ensemble(20, 2, neuron_type=nengo.StochasticSpiking(nengo.RectifiedLinear()))
        poisson = nengo.Ensemble(20, 2, neuron_type=nengo.PoissonSpiking(nengo.LIFRate()))
        nengo.Connection(noise, pre, synapse=nengo.Alpha(0.01))
        nengo.Connection(signal, stochastic, synapse=nengo.synapses.Triangle(0.01))
        nengo.Connection(filtered, poisson)
        nengo.Connection(stochastic, pre, learning_rule_type=nengo.BCM(), solver=_weights())
        learned = nengo.Connection(pre, poisson, learning_rule_type=nengo.PES())
        nengo.Connection(signal, learned.learning_rule)
    return network


def _weights() -> nengo.solvers.Solver:
    return nengo.solvers.LstsqL2(weights=True)


def _simulator(seed: int = 3, dt: float = 0.001) -> nengo.Simulator:
    return nengo.Simulator(_noisy_network(seed), dt=dt, progress_bar=False, optimize=False)


def _run(simulator: nengo.Simulator, n_steps: int) -> list[np.ndarray]:
    """Copies of all signals after the steps."""
    steps = step_functions(simulator)
    for _ in range(n_steps):
        for step in steps:
            step()
    return [np.copy(value) for signal, value in simulator.signals.items() if not signal.is_view]


@pytest.fixture
def simulator():
    with _simulator() as simulator:
        yield simulator


@pytest.fixture
def snapshot(simulator):
    return Snapshot(simulator_parts(simulator), simulator_fingerprint(simulator))


def _assert_same(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    assert len(a) == len(b)
    for left, right in zip(a, b, strict=True):
        np.testing.assert_array_equal(left, right)


def test_snapshot_resumes_a_noisy_network_exactly(simulator, snapshot):
    _run(simulator, 30)
    state = snapshot.save()
    first = _run(simulator, 40)
    snapshot.load(state)
    _assert_same(_run(simulator, 40), first)


def test_snapshot_moves_to_a_fresh_simulator_of_the_same_network(simulator, snapshot):
    _run(simulator, 30)
    state = snapshot.save()
    expected = _run(simulator, 40)
    with _simulator() as fresh:
        Snapshot(simulator_parts(fresh), simulator_fingerprint(fresh)).load(state)
        _assert_same(_run(fresh, 40), expected)


def test_snapshot_survives_a_file(simulator, snapshot, tmp_path):
    _run(simulator, 10)
    np.savez(tmp_path / "state.npz", **snapshot.save())
    expected = _run(simulator, 10)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        snapshot.load(state)
    _assert_same(_run(simulator, 10), expected)


def test_steps_without_probes_are_what_the_simulator_itself_does(simulator):
    ours = _run(simulator, 25)
    with _simulator() as other:
        other.run_steps(25)
        _assert_same(ours, _run(other, 0))


def test_saved_state_is_a_copy(simulator, snapshot):
    state = snapshot.save()
    before = {name: array.copy() for name, array in state.items()}
    _run(simulator, 5)
    for name, array in state.items():
        np.testing.assert_array_equal(array, before[name])


def test_fingerprint_is_the_same_for_the_same_network_and_seed(simulator):
    with _simulator() as same, _simulator(seed=4) as seed, _simulator(dt=0.002) as dt:
        assert simulator_fingerprint(same) == simulator_fingerprint(simulator)
        assert simulator_fingerprint(seed) != simulator_fingerprint(simulator)
        assert simulator_fingerprint(dt) != simulator_fingerprint(simulator)


def test_fingerprint_does_not_change_while_stepping(simulator):
    before = simulator_fingerprint(simulator)
    _run(simulator, 5)
    assert simulator_fingerprint(simulator) == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("nengo/signal0"), r"'nengo/signal0' missing, nothing unknown"),
        (lambda state: state.update(extra=np.zeros(1)), r"nothing missing, 'extra' unknown"),
        (lambda state: state.clear(), r"missing"),
        (lambda state: state.update(fingerprint=np.zeros(32, np.uint8)), r"another network or another seed"),
        (
            lambda state: state.update({"nengo/signal0": np.zeros((2, 3))}),
            r"state 'nengo/signal0' is float64 of shape \(2, 3\), not int64 of \(\)",
        ),
        (
            lambda state: state.update({"nengo/random0": np.zeros(3, np.uint8)}),
            r"state 'nengo/random0' is not the state of a random generator",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(simulator, snapshot, spoil, message):
    _run(simulator, 10)
    spoilt = snapshot.save()
    _run(simulator, 10)
    before = snapshot.save()
    spoil(spoilt)
    with pytest.raises(StateError, match=message):
        snapshot.load(spoilt)
    after = snapshot.save()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def test_every_random_generator_is_found_once(simulator):
    found = find_random_sources(step_functions(simulator))
    assert len(found) >= 4
    assert len({id(rng) for rng in found}) == len(found)


@pytest.mark.parametrize(
    "rng", [np.random.default_rng(1), np.random.RandomState(1), np.random.Generator(np.random.MT19937(1))]
)
def test_random_part_continues_the_stream(rng):
    part = RandomPart(rng)
    rng.normal(size=3)  # leaves half a pair of Gaussians cached in a RandomState
    saved = part.save()
    first = rng.normal(size=5)
    part.load(saved)
    np.testing.assert_array_equal(rng.normal(size=5), first)


def test_random_part_refuses_another_kind_of_generator():
    saved = RandomPart(np.random.default_rng(1)).save()
    assert json.loads(saved.tobytes())["bit_generator"] == "PCG64"
    objection = RandomPart(np.random.RandomState(1)).objection(saved)
    assert objection == "is the state of a PCG64 generator, not of a MT19937"


@pytest.mark.parametrize("rng", [np.random.default_rng(1), np.random.RandomState(1)])
@pytest.mark.parametrize("spoil", ["state", "half", "words"])
def test_random_part_refuses_an_incomplete_state_and_changes_nothing(rng, spoil):
    part = RandomPart(rng)
    before = part.save()
    state = json.loads(before.tobytes())
    if spoil == "state":
        del state["state"]
    elif spoil == "half":
        state["state"].popitem()
    else:
        state["state"] = "words"
    saved = np.frombuffer(json.dumps(state).encode(), dtype=np.uint8)
    assert part.objection(saved) == "is not the state of a random generator"
    np.testing.assert_array_equal(part.save(), before)


def test_array_part_writes_in_place():
    live = np.arange(3.0)
    part = ArrayPart(live)
    saved = part.save()
    live[:] = 0
    part.load(saved)
    np.testing.assert_array_equal(live, [0, 1, 2])
    assert part.objection(np.zeros(3, np.float32)) == "is float32 of shape (3,), not float64 of (3,)"
