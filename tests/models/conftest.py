"""A small encoder and a network over it."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.models.encoder import StateEncoder
from spikearm.models.scaling import StateScaling

N_JOINTS = 2


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2024)


@pytest.fixture
def scaling() -> StateScaling:
    """Every figure of it is exact in single precision, in which weights are kept."""
    return StateScaling((0.5, -0.25, 0.0, 0.0), (1.0, 1.0, 2.0, 2.0))


@pytest.fixture
def encoder(rng: np.random.Generator, scaling: StateScaling) -> StateEncoder:
    """Random weights in the proportion of trained ones, rounded to single precision."""

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0.0, 1.0 / np.sqrt(shape[-1]), shape).astype(np.float32).astype(np.float64)

    return StateEncoder(
        arm="planar2",
        scaling=scaling,
        w1=draw(12, 4),
        b1=draw(12, 1)[:, 0],
        w2=draw(10, 12),
        b2=draw(10, 1)[:, 0],
        w3=draw(3, 10),
    )
