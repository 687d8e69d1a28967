from __future__ import annotations

import nengo
import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.host_counter import HostCounter


def _network():
    """Spikes of all, of every third and of the last neurons; from several spikes in a step to none."""
    with nengo.Network(seed=3) as network:
        source = nengo.Node(lambda t: (np.sin(90 * t), 0.0, np.cos(50 * t)))
        many = nengo.Ensemble(
            40,
            1,
            neuron_type=nengo.SpikingRectifiedLinear(amplitude=0.2),
            max_rates=nengo.dists.Choice([1500]),
        )
        leaky = nengo.Ensemble(30, 3)
        sink = nengo.Node(size_in=2)
        nengo.Connection(source, leaky, synapse=None)
        nengo.Connection(source[::2], sink, transform=[[1.0, 2.0], [3.0, 4.0]], synapse=None)
        nengo.Connection(source[0], many, synapse=None)
        nengo.Connection(many.neurons[::3], sink, transform=np.ones((2, 14)))
        nengo.Connection(many.neurons[35:], leaky.neurons[::2], transform=np.ones((15, 5)))
        nengo.Connection(leaky, sink, function=lambda x: x[:2])
    return network, many, leaky


def test_spikes_and_what_they_reach_by_slow_arithmetic():
    network, many, leaky = _network()
    with nengo.Simulator(network, optimize=False, progress_bar=False) as simulator:
        counter = HostCounter(simulator)
        out = {e: simulator.signals[simulator.model.sig[e.neurons]["out"]] for e in (many, leaky)}
        spikes = 0.0
        for _ in range(200):
            simulator.step()
            counts = counter.count()
            of_many, of_leaky = np.rint(0.001 * out[many] / 0.2), np.rint(0.001 * out[leaky])
            assert counts.spikes == of_many.sum() + of_leaky.sum()
            reached = 2 * of_many[::3].sum() + 15 * of_many[35:].sum() + 2 * of_leaky.sum()
            assert counts.synaptic_ops == reached
            sine, cosine = np.sin(90 * simulator.time), np.cos(50 * simulator.time)
            # Three encoders of 30 neurons, 2 outputs each of two inputs, and 40 neurons of one dimension.
            real = (30 + 2) * (np.count_nonzero(sine) + np.count_nonzero(cosine)) + 40 * np.count_nonzero(
                sine
            )
            assert counts.active_macs == reached + real
            spikes += counts.spikes
        assert spikes > 1000


def test_a_node_that_adds_spikes_to_real_values_carries_real_values():
    with nengo.Network(seed=1) as network:
        fires = nengo.Ensemble(
            2, 1, neuron_type=nengo.SpikingRectifiedLinear(), gain=np.ones(2), bias=np.full(2, 1000.0)
        )
        relay, sink = nengo.Node(size_in=2), nengo.Node(size_in=3)
        nengo.Connection(nengo.Node([0.5, 0.25]), relay, synapse=None)
        nengo.Connection(fires.neurons, relay, synapse=None)
        nengo.Connection(relay, sink, transform=np.ones((3, 2)), synapse=None)
    with nengo.Simulator(network, optimize=False, progress_bar=False) as simulator:
        counter = HostCounter(simulator)
        for _ in range(3):
            simulator.step()
        counts = counter.count()
    assert (counts.spikes, counts.synaptic_ops, counts.active_macs) == (2.0, 0.0, 6.0)


def test_single_precision_is_refused(monkeypatch):
    monkeypatch.setitem(nengo.rc["precision"], "bits", "32")
    network, *_ = _network()
    with (
        nengo.Simulator(network, optimize=False, progress_bar=False) as simulator,
        pytest.raises(ConfigError, match="double precision, and Nengo is set to float32"),
    ):
        HostCounter(simulator)
