from __future__ import annotations

import nengo
import numpy as np
import pytest

from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.hardware.loihi.ranges import MARGIN, SPAN, exponent_for, pes_ranges, spikes_per_step


def ranges(spec, **options):
    return pes_ranges(spec.build(seed=0).network, LoihiConfig(**options))


def test_a_thousand_neurons_get_fine_weights_and_half_the_torque_scale(make_network):
    assert ranges(make_network(1000)) == (254.0, 3)


def test_tens_of_neurons_get_a_wide_range_of_weights(make_network):
    assert [ranges(make_network(n))[1] for n in (30, 60, 1000)] == [5, 4, 3]


def test_parts_of_an_ensemble_share_the_torque(make_network):
    assert ranges(make_network(1000, n_ensembles=20))[1] == 3


def test_what_the_configuration_sets_stays(make_network):
    assert ranges(make_network(20), pes_wgt_exp=2) == (254.0, 2)
    assert ranges(make_network(1000), pes_error_scale=50.0) == (50.0, 3)


def test_all_neurons_together_can_carry_the_output_with_a_margin_but_no_more():
    for spikes in (0.6, 1.0, 3.0, 5.8):
        exponent = exponent_for(spikes, 1.0)
        assert SPAN * 2**exponent * spikes >= MARGIN
        assert SPAN * 2 ** (exponent - 1) * spikes < MARGIN
    assert exponent_for(0.0, 1.0) == exponent_for(1e-9, 1.0) == 7
    assert exponent_for(1e9, 1.0) == 3


def test_a_learned_output_with_a_radius_spans_it():
    with nengo.Network(seed=0) as network:
        pre, post = nengo.Ensemble(60, 1), nengo.Ensemble(60, 1, radius=4)
        connection = nengo.Connection(pre, post, learning_rule_type=nengo.PES())
        nengo.Connection(post, connection.learning_rule)
    error_scale, exponent = pes_ranges(network, LoihiConfig())
    assert error_scale == 254.0 / 4
    assert exponent == exponent_for(spikes_per_step(pre), 4.0)


def test_a_network_that_does_not_learn_needs_no_ranges():
    with nengo.Network() as network:
        nengo.Ensemble(10, 1)
    assert pes_ranges(network, LoihiConfig()) == (254.0, 3)


@pytest.mark.parametrize("n_neurons", [60, 1000])
def test_expected_spikes_are_those_fired_on_the_chip(make_network, compiled, drive, n_neurons):
    network = make_network(n_neurons)
    program = compiled(network)
    fired = np.mean([program.step(drive(i)).counts.spikes for i in range(2000)])
    (ensemble,) = network.build(seed=0).network.ensembles
    assert spikes_per_step(ensemble) == pytest.approx(fired, rel=0.35)


def test_few_neurons_learn_the_torque_scale_by_themselves(make_network, compiled, drive):
    """With the exponent of large networks their weights would end at a third of it."""

    def learned(config):
        program = compiled(make_network(30), config)
        torque = np.zeros(2)
        for _ in range(6000):
            torque = program.step(drive(0, error=np.clip(torque - (20.0, -20.0), -9.0, 9.0))).outputs[
                "torque"
            ]
        return np.abs(torque).mean()

    assert learned(LoihiConfig()) > 17.0
    assert learned(LoihiConfig(pes_wgt_exp=2)) < 14.0
