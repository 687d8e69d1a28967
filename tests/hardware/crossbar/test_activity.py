from __future__ import annotations

from dataclasses import replace

import nengo
import numpy as np
import pytest

from spikearm.hardware.crossbar.activity import ActivityLimit, held_back, nominal_power
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.events import EventTraces
from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.pcm import PcmDevice
from spikearm.hardware.crossbar.simulator import CrossbarSimulator

DT_S, TAU_S, N_IN, N_OUT = 1e-3, 0.012, 60, 3


def _learning(*, event_driven: bool, limit: float) -> PulseLearning:
    config = replace(CrossbarConfig.ideal(), device=replace(PcmDevice.ideal(), set_step=1.0))
    rng = np.random.default_rng(0)
    weights, ranges = np.zeros((N_OUT, N_IN)), np.ones(N_OUT)
    matrix = CrossbarMatrix("test", weights, ranges, config, hold_s=0.256, per_spike=1 / DT_S, rng=rng)
    traces = EventTraces(N_IN, N_OUT, tau_s=TAU_S, dt_s=DT_S, per_spike=1 / DT_S) if event_driven else None
    return PulseLearning(matrix, DeviceClock(DT_S), rng, traces, ActivityLimit(limit))


def _spikes(n_steps: int) -> np.ndarray:
    """More and more of them."""
    rng = np.random.default_rng(3)
    return (rng.random((n_steps, N_IN)) < np.linspace(0.0, 0.2, n_steps)[:, None]) / DT_S


@pytest.mark.parametrize("rate_hz", [5.0, 40.0, 100.0, 250.0])
def test_nominal_power_is_the_mean_square_of_filtered_regular_spikes(rate_hz):
    n_steps, dt_s = 20_000, 1e-4
    period = round(1 / (rate_hz * dt_s))
    spikes = np.zeros(n_steps)
    spikes[::period] = 0.5 / dt_s
    filtered = nengo.Lowpass(TAU_S).filt(spikes[:, None], dt=dt_s)[n_steps // 2 :]
    whole = filtered[: len(filtered) // period * period]
    found = nominal_power(np.array([[0.0, 0.0], [rate_hz, rate_hz]]), 0.5, TAU_S)
    assert found == pytest.approx(2 * np.mean(whole**2), rel=2e-3)


def test_nominal_power_of_neurons_that_never_fire_is_no_limit():
    assert nominal_power(np.zeros((5, 3)), 1.0, TAU_S) == np.inf


def test_the_rate_is_left_alone_up_to_the_limit_and_falls_with_the_activity_beyond():
    powers = np.zeros(1)
    assert held_back(0.0, 100.0, powers, 0) == 1.0
    assert held_back(100.0, 100.0, powers, 0) == 1.0
    for power in (101.0, 200.0, 1e6):
        assert power * held_back(power, 100.0, powers, 0) == pytest.approx(100.0)


def test_circuits_with_one_target_share_what_they_may():
    """Two of them: one beyond its limit as far as the other is below it changes nothing, both beyond does."""
    powers = np.zeros(2)
    assert held_back(50.0, 100.0, powers, 0) == 1.0
    assert held_back(150.0, 100.0, powers, 1) == 1.0
    assert held_back(250.0, 100.0, powers, 0) == pytest.approx(0.5)


def test_event_driven_activity_is_that_of_all_filtered_spikes():
    learning, acts, decay = _learning(event_driven=True, limit=np.inf), np.zeros(N_IN), np.exp(-DT_S / TAU_S)
    for spikes in _spikes(1000):
        acts = decay * acts + (1 - decay) * spikes
        learning.pes(spikes, np.ones(N_OUT), 1e-6, Ledger().counts)
        assert learning.traces.power[0] == pytest.approx(acts @ acts, rel=1e-9)


def test_event_driven_learning_within_the_limit_equals_dense_learning():
    limit, decay = 3e5, np.exp(-DT_S / TAU_S)
    events, dense = (_learning(event_driven=driven, limit=limit) for driven in (True, False))
    free = _learning(event_driven=False, limit=np.inf)
    errors, acts = np.random.default_rng(1).normal(size=(1000, N_OUT)), np.zeros(N_IN)
    for spikes, error in zip(_spikes(1000), errors, strict=True):
        acts = decay * acts + (1 - decay) * spikes
        events.pes(spikes, error, 1e-7, Ledger().counts)
        for learning in (dense, free):
            learning.pes(acts, error, 1e-7, Ledger().counts)
    events.settle(Ledger().counts)
    np.testing.assert_allclose(events.chi, dense.chi, rtol=1e-6, atol=1e-9 * np.abs(dense.chi).max())
    assert np.abs(dense.chi).sum() < 0.8 * np.abs(free.chi).sum()


def _network() -> tuple[nengo.Network, nengo.Connection]:
    with nengo.Network(seed=2) as network:
        source, target = nengo.Node([0.5, -0.5]), nengo.Node(size_in=1)
        neurons = nengo.Ensemble(100, 2)
        nengo.Connection(source, neurons)
        learned = nengo.Connection(
            neurons, target, function=lambda x: 0.0, learning_rule_type=nengo.PES(1e-4)
        )
        nengo.Connection(nengo.Node(-0.5), learned.learning_rule)
    return network, learned


def _chi(activity_limit: float | None, gain: float = 1.0) -> np.ndarray:
    """What waits to be written after 0.3 s on exact devices, of which encoders are ``gain`` too large."""
    network, _ = _network()
    config = replace(CrossbarConfig.ideal(set_step=1.0), activity_limit=activity_limit)
    with CrossbarSimulator(network, config=config, progress_bar=False) as sim:
        for matrix in sim.matrices:
            if not matrix.learned:
                matrix.gain[:] = gain
        sim.run(0.3, progress_bar=False)
        (learning,) = sim._learnings
        learning.settle(sim._ledger.counts)
        return learning.chi.copy()


def test_neurons_as_described_learn_at_their_own_rate():
    np.testing.assert_array_equal(_chi(1.25), _chi(None))


def test_neurons_that_fire_far_too_much_learn_no_faster_than_the_limit_allows():
    """Encoders ten times too large: weights would change twice as fast, of neurons that fire more."""
    nominal, free, held = (np.abs(_chi(*x)).sum() for x in ((None,), (None, 10.0), (1.25, 10.0)))
    assert free > 2.0 * nominal
    assert held < 1.25 * nominal
