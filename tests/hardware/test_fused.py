from __future__ import annotations

import operator

import nengo
import numba
import numpy as np
import pytest

from spikearm.hardware import fused
from spikearm.hardware.fused import fused_steps
from spikearm.hardware.fused_lif import LifStep
from spikearm.models.network import InputPort, OutputPort
from spikearm.models.scaling import Scaled, StateScaling


def _network(seed, x, y):
    """Every operator that can be fused, some that cannot, and views, at random sizes."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    with nengo.Network(seed=seed) as network:
        source = nengo.Node(x, size_out=3)
        scaled = nengo.Node(Scaled(StateScaling((0.1, -0.2, 0.3), (0.5, 1.0, 2.0))), size_in=3, size_out=3)
        squared = nengo.Node(lambda t, v: v**2 + t, size_in=3)
        relay, sink = nengo.Node(size_in=n), nengo.Node(y, size_in=2)
        rectified = nengo.Ensemble(n, 1, neuron_type=nengo.SpikingRectifiedLinear(amplitude=0.7))
        leaky = nengo.Ensemble(20, 2)
        driven = nengo.Ensemble(30, 1, neuron_type=nengo.LIF(tau_ref=0.0013, min_voltage=-0.5, amplitude=0.3))
        learned, error = nengo.Node(size_in=2), nengo.Node(size_in=2)
        nengo.Connection(source, squared, synapse=None)
        nengo.Connection(source, scaled, synapse=None)
        nengo.Connection(scaled, relay[:1], synapse=None, transform=np.ones((1, 3)))
        nengo.Connection(
            squared,
            relay[:3] if n >= 3 else relay[0],
            synapse=0.005,
            transform=rng.normal(size=(3, 3) if n >= 3 else (1, 3)),
        )
        nengo.Connection(squared[0], relay[-1], synapse=nengo.Alpha(0.01), transform=-2.5)
        nengo.Connection(relay, rectified.neurons, synapse=None, transform=40.0)
        nengo.Connection(source[::2], leaky, synapse=0.003)
        nengo.Connection(rectified.neurons[:2], sink, synapse=nengo.Lowpass(0.01), transform=0.3)
        nengo.Connection(leaky, sink, synapse=0.02)
        nengo.Connection(source[1], sink[1], synapse=0.004)
        nengo.Connection(source[0], driven, synapse=None, transform=3.0)
        nengo.Connection(source[:2], error, synapse=None)
        taught = nengo.Connection(
            driven, learned, function=lambda x: [0, 0], learning_rule_type=nengo.PES(1e-2)
        )
        nengo.Connection(error, taught.learning_rule, synapse=None)
    return network


def _pair(seed):
    """The same network twice, with its ports."""
    made = []
    for _ in range(2):
        x, y = InputPort(3), OutputPort(2)
        made.append((nengo.Simulator(_network(seed, x, y), optimize=False, progress_bar=False), x, y))
    return made


def _learned(simulator):
    """Weights that started from zero."""
    return [simulator.signals[op.delta] for op in simulator.step_order if hasattr(op, "delta")]


def _function(step):
    return step if hasattr(step, "__qualname__") else type(step)


def test_every_kind_of_operator_is_carried_out_by_the_kernel():
    (simulator, *_), (other, *_) = _pair(0)
    kinds = {move.kind for step in fused_steps(simulator) for move in getattr(step, "_moves", ())}
    assert kinds == set(range(10))
    assert any(step.__qualname__.startswith("_product") for step in map(_function, fused_steps(other)))
    simulator.close()
    other.close()


def test_a_scaling_of_another_length_than_what_it_scales_is_left_to_nengo():
    """NumPy repeats the one range for all; the kernel would read beyond it."""
    with nengo.Network() as network:
        scaled = nengo.Node(Scaled(StateScaling((1.0,), (2.0,))), size_in=3, size_out=3)
        nengo.Connection(nengo.Node([0.0, 2.0, 9.0]), scaled, synapse=None)
    with nengo.Simulator(network, optimize=False, progress_bar=False) as simulator:
        steps = fused_steps(simulator)
        for step in 2 * steps:
            step()
        np.testing.assert_array_equal(simulator.signals[simulator.model.sig[scaled]["out"]], [-0.5, 0.5, 1.0])


@pytest.mark.parametrize("seed", range(8))
def test_every_signal_stays_the_same_bit_by_bit(seed):
    (ours, our_x, our_y), (theirs, their_x, their_y) = _pair(seed)
    steps = fused_steps(ours)
    assert sum(isinstance(step, LifStep) for step in steps) == 2
    assert len(steps) < 0.7 * len(theirs.step_order)
    rng = np.random.default_rng(seed)
    for _ in range(120):
        our_x.value[:] = their_x.value[:] = rng.normal(size=3)
        for step in steps:
            step()
        theirs.step()
        np.testing.assert_array_equal(our_y.value, their_y.value)
        for a, b in zip(ours.signals.values(), theirs.signals.values(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.abs(our_y.value).max() > 0
    assert max(np.abs(w).max() for w in _learned(ours)) > 0
    ours.close()
    theirs.close()


@pytest.mark.parametrize("dt_s", [1e-4, 1e-3, 3e-3])
def test_neurons_that_leak_are_nengos_bit_by_bit(dt_s):
    """Strongly and weakly driven, inhibited, shorter and longer at rest than a step; with J of 1 exactly."""
    rng = np.random.default_rng(int(1e4 * dt_s))
    neurons = nengo.LIF(tau_rc=0.02, tau_ref=0.002, min_voltage=-0.2, amplitude=0.7)
    n = 300
    ours, theirs = ([np.zeros(n), rng.uniform(size=n), np.zeros(n)] for _ in range(2))
    ours[1][:] = theirs[1]
    current = np.zeros(n)
    step = LifStep(neurons, current, *ours, dt_s=dt_s)
    fired = 0
    for _ in range(400):
        current[:] = rng.normal(2.0, 6.0, n)
        current[rng.integers(n)] = 1.0
        step()
        neurons.step(dt_s, current, *theirs)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)
        fired += np.count_nonzero(ours[0])
    assert fired > 500


def test_functions_that_are_not_ports_keep_their_checks():
    with nengo.Network() as network:
        nengo.Node(lambda t: np.nan if t > 0.002 else 0.0)
    with nengo.Simulator(network, optimize=False, progress_bar=False) as simulator:
        steps = fused_steps(simulator)
        for step in 2 * steps:
            step()
        with pytest.raises(nengo.exceptions.SimulationError, match="non-finite"):
            list(map(operator.call, steps))


def test_the_first_step_waits_for_no_compiler(monkeypatch):
    kernel = numba.njit(fused._carry_out.py_func)
    monkeypatch.setattr(fused, "_carry_out", kernel)
    (simulator, *_), (other, *_) = _pair(0)
    steps = fused_steps(simulator)
    compiled = list(kernel.signatures)
    assert compiled
    for step in steps:
        step()
    assert kernel.signatures == compiled
    simulator.close()
    other.close()
