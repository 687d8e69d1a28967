"""Small networks that every test of this folder can afford to compile."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.scaling import StateScaling

N_JOINTS = 2


@pytest.fixture(scope="session")
def small_network() -> AdaptiveNetwork:
    scaling = StateScaling((0.0,) * 2 * N_JOINTS, (1.5,) * 2 * N_JOINTS)
    return AdaptiveNetwork(N_JOINTS, scaling, n_neurons=60, learning_rate=2e-3)


@pytest.fixture
def inputs() -> dict[str, np.ndarray]:
    return {"state": np.array([0.3, -0.5, 0.2, 0.1]), "error": np.array([-2.0, 1.0])}
