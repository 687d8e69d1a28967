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


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def states(rng):
    return torch.tensor(rng.standard_normal((N_STATES, 4)), dtype=torch.float32)


@pytest.fixture
def network():
    return perceptron()


def perceptron():
    torch.manual_seed(0)
    config = OscTrainingConfig(n_hidden1=16, n_hidden2=12, spike_noise=0.0)
    return Perceptron(config, np.ones(4), np.ones(3))


def bent(x, share=1.0):
    """The first of these states are seen by neurons with dead time."""
    return (torch.arange(len(x)) < share * len(x)).float()[:, None]


def currents(layer, x):
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def through(layer, x, neurons):
    """What these neurons make of a batch, each unit relative to its largest activation."""
    current = currents(layer, x)
    return relative(current, np.maximum(current.max(axis=0), 0.01), neurons)


def relative(current, largest, neurons="dead time"):
    return largest * response(current / largest, 0.0, HIDDEN_HZ, neurons)


@pytest.mark.parametrize(("share", "neurons"), [(0.0, "rates"), (1.0, "dead time")])
def test_hidden_layers_answer_as_the_neurons_do(network, states, share, neurons):
    h2 = through(network.h2, through(network.h1, states.numpy(), neurons), neurons)
    np.testing.assert_allclose(network(states, bent(states, share))[1].detach().numpy(), h2, atol=1e-6)


def test_each_kind_of_neurons_has_a_readout_of_its_own(network, states):
    half = bent(states, 0.5)
    before = network(states, half)[0].detach()
    torch.nn.init.ones_(network.dead_time_out.bias)
    torch.testing.assert_close(network(states, half)[0].detach() - before, half.expand(-1, 3))


def test_order_of_the_states_does_not_matter(network, states):
    half = bent(states, 0.5)
    torch.nn.init.ones_(network.dead_time_out.bias)
    torch.testing.assert_close(network(states.flip(0), half.flip(0))[0].flip(0), network(states, half)[0])


def test_what_was_largest_is_forgotten_slowly(network, states):
    small = 0.1 * states
    network(states, bent(states))
    h2 = network(small, bent(small))[1].detach().numpy()
    before, x = states.numpy(), small.numpy()
    for layer in (network.h1, network.h2):
        was, current = currents(layer, before), currents(layer, x)
        first, second = was.max(axis=0).clip(0.0), current.max(axis=0).clip(0.0)
        before = relative(was, first.clip(0.01))
        x = relative(current, (0.99 * first + 0.01 * second).clip(0.01))
    np.testing.assert_allclose(h2, x, atol=1e-6)
    for _ in range(1000):
        network(small, bent(small))
    alone = perceptron()(small, bent(small))[1]
    torch.testing.assert_close(network(small, bent(small))[1], alone, atol=1e-4, rtol=1e-3)
