"""Small networks: a state encoder, and a spiking operational-space controller."""

from __future__ import annotations

import numpy as np
import pytest

from spikearm.models.encoder import StateEncoder
from spikearm.models.osc_weights import NEURONS, OscWeights, readout_name
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


@pytest.fixture
def osc_weights(rng: np.random.Generator) -> OscWeights:
    """Random weights in the proportion of trained ones, for two joints, rounded to single precision."""

    def draw(*shape: int, size: float = 1.0) -> np.ndarray:
        return rng.normal(0.0, size / np.sqrt(shape[-1]), shape).astype(np.float32).astype(np.float64)

    names = [readout_name(kind, feedforward=form) for form in (False, True) for kind in NEURONS]
    return OscWeights(
        arm="planar2",
        kp=100.0,
        damping=20.0,
        center=np.array((0.5, 0.0, 0.25, 1.0, 0.0, 0.0, 0.0)),
        scaling=StateScaling((0.5, -0.25, 0.0, 0.0), (1.0, 1.0, 2.0, 2.0)),
        command_range=np.full(6, 32.0),
        w1=draw(12, 4),
        b1=draw(12, 1)[:, 0],
        w2=draw(20, 12),
        b2=draw(20, 1)[:, 0],
        skip=draw(6, 4),
        reduce_bias=draw(9, 1)[:, 0],
        encoders=draw(14, 9),
        product_bias=draw(14, 1)[:, 0],
        task_matrix=draw(2, 6),
        task_modes=draw(3, 2, 6),
        reductions={kind: draw(9, 20) for kind in NEURONS},
        readouts={name: draw(2, 35, size=5.0) for name in names},
    )
