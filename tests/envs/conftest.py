"""Arms and states that the tests of this folder share."""

import numpy as np
import pytest

from spikearm.envs.arms import ARMS


@pytest.fixture(params=list(ARMS))
def arm(request):
    return ARMS[request.param]


@pytest.fixture
def rng():
    return np.random.default_rng(12345)


@pytest.fixture
def state(arm, rng):
    """A moving state away from home, well within the joint ranges: q [rad], dq [rad/s]."""
    q = np.array(arm.home) + rng.uniform(-0.4, 0.4, arm.n_joints)
    return q, rng.uniform(-1.5, 1.5, arm.n_joints)
