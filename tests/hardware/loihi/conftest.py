"""Networks and programs for the tests of the Loihi backend."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.hardware.loihi.backend import LoihiBackend
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.scaling import StateScaling

N_JOINTS = 2


@pytest.fixture(scope="session")
def make_network():
    def make(n_neurons=60, n_ensembles=1, **options):
        scaling = StateScaling((0.0,) * 2 * N_JOINTS, (1.5,) * 2 * N_JOINTS)
        options = {"learning_rate": 2e-3, **options}
        return AdaptiveNetwork(N_JOINTS, scaling, n_neurons=n_neurons, n_ensembles=n_ensembles, **options)

    return make


@pytest.fixture
def compiled():
    """Compiles for Loihi, and closes at the end of the test."""
    programs = []

    def compile_(network, config=None, seed=0):
        backend = LoihiBackend() if config is None else LoihiBackend(config)
        programs.append(backend.compile(network, dt_s=0.001, seed=seed))
        return programs[-1]

    yield compile_
    for program in programs:
        program.close()


@pytest.fixture
def drive():
    """Inputs of a step; no error unless given."""

    def inputs(step=0, error=(0.0, 0.0)):
        return {"state": np.sin(step / 300 + np.arange(2 * N_JOINTS)), "error": np.asarray(error, float)}

    return inputs
