"""Environments by a short name."""

import sys
from pathlib import Path

import gymnasium
import pytest

import spikearm.envs  # noqa: F401 (registers the environments)

# What the tests share lies beside them; importlib mode puts no folder on the path.
sys.path.append(str(Path(__file__).parent))


def pytest_collection_modifyitems(items):
    """Gymnasium's checks advise against unbounded observations, which physical units are."""
    for item in items:
        if "/envs/gym/" in str(item.path):
            item.add_marker(pytest.mark.filterwarnings("ignore:.*A Box observation space:UserWarning"))


@pytest.fixture
def make():
    """Makes environments by a short name, and closes them."""
    made = []

    def make(name="Reach", **arguments):
        env = gymnasium.make(f"spikearm/{name}-v0", **arguments)
        made.append(env)
        return env

    yield make
    for env in made:
        env.close()


@pytest.fixture
def vector():
    """Makes native vector environments of planar2 by a short name, and closes them."""
    made = []

    def make(name="Reach", n=3, **arguments):
        arguments = {"arm": "planar2", "action_mode": "torque", "n_threads": 2} | arguments
        made.append(gymnasium.make_vec(f"spikearm/{name}-v0", num_envs=n, **arguments))
        return made[-1]

    yield make
    for env in made:
        env.close()
