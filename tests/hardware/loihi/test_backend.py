from __future__ import annotations

import logging

import nengo
import numpy as np
import pytest

from spikearm.errors import CapacityError, ConfigError, TimeStepError
from spikearm.hardware.loihi.backend import LoihiBackend
from spikearm.hardware.loihi.capacity import check_built_model
from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.models.network import PortedNetwork


class _Built:
    """A spec around a function that fills a network."""

    def __init__(self, fill):
        self.inputs, self.outputs, self._fill = {}, {}, fill

    def build(self, *, seed):
        with nengo.Network(label="test", seed=seed) as network:
            self._fill()
        return PortedNetwork(network, {}, {})


@pytest.mark.parametrize("dt_s", [0.002, 0.0005, 0.0, float("nan")])
def test_only_steps_of_one_millisecond_are_accepted(make_network, dt_s):
    with pytest.raises(TimeStepError, match=r"built for steps of 0.001 s.*set the network step to 0.001 s"):
        LoihiBackend().compile(make_network(), dt_s=dt_s, seed=0)


def test_an_ensemble_larger_than_a_core_is_spread_over_cores(make_network, compiled, drive):
    program = compiled(make_network(1100))
    counts = program.step(drive()).counts
    assert counts.neuron_updates == 1100 + 2 * 2
    assert counts.busiest_core_neuron_updates <= 1024


def test_a_connection_too_dense_for_the_cores_is_refused():
    def fill():
        a, b = nengo.Ensemble(1000, 1), nengo.Ensemble(600, 1)
        nengo.Connection(a.neurons, b.neurons, transform=np.full((600, 1000), 1e-4))

    with pytest.raises(CapacityError, match=r"Output axons \(\d+\) exceeded max \(4096\); use fewer neurons"):
        LoihiBackend().compile(_Built(fill), dt_s=0.001, seed=0)


def test_neurons_the_chip_does_not_have_are_refused():
    def fill():
        nengo.Ensemble(10, 1, neuron_type=nengo.AdaptiveLIF(), label="modern")

    with pytest.raises(ConfigError, match="ensemble 'modern' has AdaptiveLIF neurons; Loihi has LIF, "):
        LoihiBackend().compile(_Built(fill), dt_s=0.001, seed=0)


def test_weights_beyond_the_chips_integers_are_refused():
    def fill():
        a, b = nengo.Ensemble(10, 1), nengo.Ensemble(10, 1)
        nengo.Connection(a.neurons, b.neurons, transform=np.full((10, 10), 1e9))

    with pytest.raises(ConfigError, match="may lie too far apart for its integers"):
        LoihiBackend().compile(_Built(fill), dt_s=0.001, seed=0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            nengo.RLS(),
            "connection 'learned' learns by RLS; on Loihi a weight changes by an exponential trace",
        ),
        (nengo.PES(pre_synapse=nengo.Alpha(0.01)), "'learned' filters the activities that learn by Alpha"),
    ],
)
def test_learning_the_chip_does_not_have_is_refused(rule, message):
    def fill():
        a, b = nengo.Ensemble(10, 1), nengo.Node(size_in=1)
        learned = nengo.Connection(a, b, learning_rule_type=rule, label="learned")
        nengo.Connection(b, learned.learning_rule)

    with pytest.raises(ConfigError, match=message) as refused:
        LoihiBackend().compile(_Built(fill), dt_s=0.001, seed=0)
    assert "'node-perturbation' does, or use backend 'reference' or 'crossbar'" in str(refused.value)


def test_a_synapse_the_chip_does_not_have_is_refused():
    def fill():
        a, b = nengo.Ensemble(10, 1), nengo.Ensemble(10, 1)
        nengo.Connection(a, b, synapse=nengo.Alpha(0.01))

    with pytest.raises(ConfigError, match="nengo-loihi does not support"):
        LoihiBackend().compile(_Built(fill), dt_s=0.001, seed=0)


class _Block:
    label = "big"

    def utilization(self):
        return {"compartments": (2000, 1024)}


class _SmallBlock:
    label = "small"

    def utilization(self):
        return {"compartments": (1, 1024)}


class _Model:
    def __init__(self, blocks):
        self.blocks = blocks


def test_a_block_larger_than_a_core_is_named():
    with pytest.raises(
        CapacityError, match=r"'big' needs 2000 compartments \(neurons\), a Loihi core has 1024"
    ):
        check_built_model(_Model([_SmallBlock(), _Block()]))


def test_more_neurons_than_a_chip_has_are_refused_before_they_are_built(make_network):
    with pytest.raises(CapacityError, match="has 131073 neurons, a Loihi chip has 131072 compartments; use"):
        LoihiBackend().compile(make_network(131_073), dt_s=0.001, seed=0)


def test_decoders_too_large_for_the_host_are_refused_in_our_words(make_network, monkeypatch):
    def build(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr("nengo.solvers.NoSolver.__call__", build)
    with pytest.raises(
        CapacityError, match=r"ensemble of 60 neurons take some 5.76e-05 GB of memory.*n_ensembles"
    ):
        LoihiBackend().compile(make_network(), dt_s=0.001, seed=0)


def test_more_blocks_than_cores_are_refused():
    with pytest.raises(CapacityError, match="needs 129 cores, a Loihi chip has 128"):
        check_built_model(_Model([_SmallBlock() for _ in range(129)]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pes_error_scale": 0.0}, r"pes_error_scale must be positive, not 0.0; try 254"),
        ({"pes_error_scale": float("nan")}, "pes_error_scale must be positive"),
        ({"pes_error_scale": "x"}, "pes_error_scale must be positive, not 'x'; try 254"),
        ({"host_io_s": "a"}, r"host_io_s must be in \[0, 1\) s, not 'a'"),
        ({"host_io_s": None}, r"host_io_s must be in \[0, 1\) s, not None"),
        ({"decode_tau_s": "b"}, r"decode_tau_s must be in \(0, 1\) s, not 'b'"),
        ({"pes_wgt_exp": 9}, r"pes_wgt_exp=9 is none of the chip's exponents, whole numbers from -6 to 7"),
        ({"pes_wgt_exp": 2.0}, r"pes_wgt_exp=2.0 is none of the chip's exponents"),
        ({"decode_tau_s": 0.0}, r"decode_tau_s must be in \(0, 1\) s"),
    ],
)
def test_config_is_checked(options, message):
    with pytest.raises(ConfigError, match=message):
        LoihiConfig(**options)


def test_config_reaches_the_chip(make_network, compiled):
    program = compiled(make_network(), LoihiConfig(pes_error_scale=50.0, pes_wgt_exp=4, decode_tau_s=0.01))
    model = program._simulator.model
    assert (model.pes_error_scale, model.pes_wgt_exp, model.decode_tau) == (50.0, 4, 0.01)
    assert program._simulator.sims["emulator"].synapses.pes_error_scale == 50.0


def test_compiling_changes_no_default_of_nengo(make_network, compiled):
    before = nengo.LIF.state["voltage"], nengo.Ensemble.max_rates.default
    compiled(make_network())
    assert (nengo.LIF.state["voltage"], nengo.Ensemble.max_rates.default) == before


def test_advice_on_saturated_errors_is_given_once(make_network, compiled, drive, caplog):
    program = compiled(make_network())
    with caplog.at_level(logging.WARNING, logger="spikearm.hardware.loihi"):
        for i in range(4):
            program.step(drive(i, error=((-1) ** i * 100.0, 0.0)))
    assert [record.getMessage().count("pes_error_scale") for record in caplog.records] == [1, 0]
    assert "less than chip min" in caplog.records[1].getMessage()


def test_saturated_errors_are_logged_once(make_network, compiled, drive, caplog):
    program = compiled(make_network())
    with caplog.at_level(logging.WARNING, logger="spikearm.hardware.loihi"):
        for i in range(20):
            program.step(drive(i, error=(100.0, 0.0)))  # 5 times the torque scale
    assert len(caplog.records) == 1
    assert "Received PES error greater than chip max" in caplog.text
    assert "learning is slower while they last, not wrong" in caplog.text
    assert "A smaller pes_error_scale (--pes-error-scale, LoihiConfig) takes larger errors" in caplog.text
