from __future__ import annotations

import dataclasses
from collections.abc import Callable

import nengo
import numpy as np
import pytest

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.node_perturbation import NodePerturbation
from spikearm.models.rules import LEARNING_RULES, Pes, learning_rule

N_JOINTS = 2
SCALE_NM = 10.0
DT_S = 0.001
STATE = np.array([0.4, 0.1, 0.3, -0.2])

Answer = Callable[[np.ndarray], np.ndarray]


class Loop:
    """A rule's part of a network, closed over an arm that gives a torque back after a leaky integral.

    The error is ``torque - missing``, filtered as the rule expects the law to answer.
    """

    def __init__(self, rule: NodePerturbation, missing: np.ndarray, *, trace_s: float | None = None) -> None:
        self.estimates: list[np.ndarray] = []
        tau_s = rule.trace_s if trace_s is None else trace_s
        decay = np.exp(-DT_S / tau_s)
        answered = np.zeros_like(missing)

        def answer(t: float, learned: np.ndarray) -> np.ndarray:
            answered[:] += (1.0 - decay) * (SCALE_NM * learned - answered)
            return answered - missing

        with nengo.Network(seed=0) as self.network:
            error = nengo.Node(answer, size_in=len(missing), size_out=len(missing))
            learned = nengo.Node(size_in=len(missing))
            nengo.Connection(learned, error, synapse=None)
            teacher = rule.teach(error, learned, scale=SCALE_NM)
            heard = nengo.Node(
                lambda t, x: self.estimates.append(np.copy(x)), size_in=len(missing), size_out=0
            )
            nengo.Connection(teacher, heard, synapse=None)

    def run(self, seconds: float) -> np.ndarray:
        """Estimates at every step, shape (n, n_joints)."""
        with nengo.Simulator(self.network, dt=DT_S, progress_bar=False) as simulator:
            simulator.run(seconds)
        return np.array(self.estimates[1:])


@pytest.fixture
def network(scaling) -> AdaptiveNetwork:
    return AdaptiveNetwork(N_JOINTS, scaling, torque_scale=SCALE_NM, n_neurons=100)


@pytest.fixture(params=sorted(LEARNING_RULES))
def rule(request):
    return LEARNING_RULES[request.param]


@pytest.mark.parametrize("missing", [[1.0, -0.5], [0.2, 0.0], [-1.5, 1.0, 0.4, 0.0, -0.3, 0.6, 0.1]])
def test_estimate_is_the_gradient_of_the_cost(missing):
    """The exact gradient of ``|error|^2 / 2`` by the torque is the error, here ``-missing``.

    Over whole periods of one second all products of different frequencies vanish, so that what is left is
    the step of the simulator: one step of delay is 0.07 rad at the lowest and 0.15 rad at the highest
    frequency, 1 % of the cosine, and the first step of the filter.
    """
    missing = np.array(missing)
    rule = NodePerturbation(limit=50.0)
    estimate = Loop(rule, missing).run(3.0)[-2000:].mean(axis=0)
    np.testing.assert_allclose(estimate, -missing, rtol=0.05, atol=0.02)


def test_estimate_has_no_bias_under_noise():
    """With a noisy cost the mean of many estimates lies within four standard errors of the gradient."""
    missing, rng = np.array([1.0, -0.5]), np.random.default_rng(3)
    rule = NodePerturbation(limit=50.0)
    loop = Loop(rule, missing)
    with loop.network:
        noise = nengo.Node(lambda t: rng.normal(0.0, 0.5))
        cost = next(node for node in loop.network.nodes if node.label == "cost change")
        nengo.Connection(noise, cost, synapse=None)
    seconds = loop.run(31.0)[999:].reshape(-1, 1000, 2)[:30].mean(axis=1)
    error = seconds.std(axis=0, ddof=1) / np.sqrt(len(seconds))
    assert (np.abs(seconds.mean(axis=0) + missing) < 4.0 * error + 0.02).all()
    assert (error > 0.0).all()


def test_wrong_idea_of_the_delay_shrinks_the_estimate_and_keeps_its_sign():
    missing = np.array([1.0, -0.5])
    estimate = Loop(NodePerturbation(limit=50.0), missing, trace_s=0.015).run(3.0)[-2000:].mean(axis=0)
    assert (np.sign(estimate) == -np.sign(missing)).all()


def test_perturbations_are_told_apart_by_frequency():
    """Orthogonal to each other, to all their products, and of zero mean over one second."""
    x = NodePerturbation().perturbation(7)
    wiggles = np.array([x(i * DT_S) for i in range(1000)])
    gram = wiggles.T @ wiggles / 1000
    np.testing.assert_allclose(gram, 0.5 * np.eye(7), atol=1e-9)
    products = np.einsum("ti,tj,tk->ijk", wiggles, wiggles, wiggles) / 1000
    np.testing.assert_allclose(products, 0.0, atol=1e-9)
    np.testing.assert_allclose(wiggles.mean(axis=0), 0.0, atol=1e-9)


def test_estimate_is_limited():
    rule = NodePerturbation(limit=0.1)
    assert np.abs(Loop(rule, np.array([5.0, -5.0])).run(1.0)).max() == pytest.approx(0.1 * SCALE_NM)


def _closed_loop(spec: AdaptiveNetwork, missing: np.ndarray, seconds: float) -> np.ndarray:
    """Torque at every step when the error is what is still missing."""
    ported = spec.build(seed=0)
    ported.inputs["state"].value[:] = STATE
    torque, error = ported.outputs["torque"].value, ported.inputs["error"].value
    torques, answered = [], np.zeros(len(missing))
    with nengo.Simulator(ported.network, dt=DT_S, progress_bar=False) as simulator:
        for _ in range(round(seconds / DT_S)):
            answered += (torque - answered) * DT_S / 0.045
            error[:] = answered - missing
            simulator.step()
            torques.append(torque.copy())
    return np.array(torques)


def test_every_rule_learns_a_constant(network, rule):
    missing = np.array([1.5, -1.0])
    fast = dataclasses.replace(network, rule=rule, learning_rate=4e-2 * min(1.0, 4.0 * rule.pace))
    left = _closed_loop(fast, missing, 6.0)[-1000:].mean(axis=0) - missing
    assert np.linalg.norm(left) < 0.15 * np.linalg.norm(missing)


def test_every_rule_learns_nothing_from_no_error(network, rule):
    ported = dataclasses.replace(network, rule=rule).build(seed=0)
    ported.inputs["state"].value[:] = STATE
    learned = next(c for c in ported.network.all_connections if c.label == "learned")
    with nengo.Simulator(ported.network, progress_bar=False) as simulator:
        simulator.run_steps(300)
        np.testing.assert_array_equal(simulator.signals[simulator.model.sig[learned]["weights"]], 0.0)


def test_every_rule_is_frozen_printable_and_compared_by_value(rule):
    assert dataclasses.replace(rule) == rule
    assert hash(dataclasses.replace(rule)) == hash(rule)
    assert type(rule).__name__ in repr(rule)
    assert rule.pace > 0


def test_pace_of_a_rule_is_part_of_the_rate(network, rule):
    assert dataclasses.replace(network, rule=rule).rate == pytest.approx(network.rate * rule.pace)
    assert dataclasses.replace(network, rule=rule, learning_rate=0.1).rate == 0.1


def test_rules_are_found_by_name():
    assert learning_rule("pes") == Pes()
    with pytest.raises(
        UnknownNameError, match=r"no learning rule named 'pse'. Known: 'node-perturbation', 'pes'. Did"
    ):
        learning_rule("pse")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amplitude": 0.0}, "amplitude must be a positive number, not 0.0"),
        ({"trace_s": float("nan")}, "trace_s must be a positive number, not nan"),
        ({"lowest_hz": 12}, "lowest_hz must be an odd whole number of hertz, not 12"),
    ],
)
def test_impossible_perturbations_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        NodePerturbation(**options)


def test_impossible_filter_is_refused():
    with pytest.raises(ConfigError, match=r"tau_s must be a positive number, not -1\.0"):
        Pes(tau_s=-1.0)
