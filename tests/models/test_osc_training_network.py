import importlib.util

import numpy as np
import pytest

from spikearm.models.osc_rates import HIDDEN_HZ, response
from spikearm.models.osc_training_config import OscTrainingConfig

if importlib.util.find_spec("torch") is None:
    pytest.skip("training is an extra; torch is not installed", allow_module_level=True)

import torch

from spikearm.models.osc_training_network import Perceptron

N_STATES = 64


@pytest.fixture
def states(rng):
    return torch.tensor(rng.standard_normal((N_STATES, 4)), dtype=torch.float32)


def perceptron(share):
    torch.manual_seed(0)
    config = OscTrainingConfig(
        n_hidden1=16, n_hidden2=12, batch=N_STATES, spike_noise=0.0, dead_time_share=share
    )
    return Perceptron(config, np.ones(4), np.ones(3))


def currents(layer, x):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def through(layer, x, neurons):
    """What these neurons make of a batch, each unit relative to its largest activation."""
    current = currents(layer, x)
    return relative(current, np.maximum(current.max(axis=0), 0.01), neurons)


def relative(current, largest, neurons="dead time"):
    return largest * response(current / largest, 0.0, HIDDEN_HZ, neurons)


@pytest.mark.parametrize(("share", "neurons"), [(0.0, "rates"), (1.0, "dead time")])
def test_hidden_layers_answer_as_the_neurons_do(states, share, neurons):
    network = perceptron(share)
    h2 = through(network.h2, through(network.h1, states.numpy(), neurons), neurons)
    np.testing.assert_allclose(network(states)[1].detach().numpy(), h2, atol=1e-6)


def test_each_kind_of_neurons_has_a_readout_of_its_own(states):
    network = perceptron(0.5)
    before = network(states)[0].detach()
    torch.nn.init.ones_(network.dead_time_out.bias)
    more = network(states)[0].detach() - before
    half = N_STATES // 2
    torch.testing.assert_close(more[:half], torch.ones(half, 3))
    torch.testing.assert_close(more[half:], torch.zeros(half, 3))


def test_what_was_largest_is_forgotten_slowly(states):
    network, small = perceptron(1.0), 0.1 * states
    network(states)
    h2 = network(small)[1].detach().numpy()
    before, x = states.numpy(), small.numpy()
    for layer in (network.h1, network.h2):
        was, current = currents(layer, before), currents(layer, x)
        first, second = was.max(axis=0).clip(0.0), current.max(axis=0).clip(0.0)
        before = relative(was, first.clip(0.01))
        x = relative(current, (0.99 * first + 0.01 * second).clip(0.01))
    np.testing.assert_allclose(h2, x, atol=1e-6)
    for _ in range(1000):
        network(small)
    alone = perceptron(1.0)(small)[1]
    torch.testing.assert_close(network(small)[1], alone, atol=1e-4, rtol=1e-3)
