"""Training on a small invented problem: the torque depends on one direction of the state."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.models.scaling import StateScaling
from spikearm.models.training_config import TrainingConfig

if importlib.util.find_spec("torch") is None:
    pytest.skip("training is an extra; torch is not installed", allow_module_level=True)

import torch

from spikearm.models.encoder_training import TaskSet, TrainedEncoder, train_encoder

N_JOINTS = 2
CONFIG = TrainingConfig(n_features=2, n_hidden=16, n_neurons=64, n_steps=60, batch_tasks=8, seed=3)
SCALING = StateScaling((0.0,) * 6, (1.0,) * 6)


def draw_tasks(seed: int, n_tasks: int = 40, n_samples: int = 48) -> TaskSet:
    """Six numbers of state of which only one product matters, with a size per task."""
    rng = np.random.default_rng(seed)
    states = rng.uniform(-1, 1, (n_tasks, n_samples, 6))
    shape = np.sin(3.0 * states[..., :1] * states[..., 1:2])
    return TaskSet(states, 5.0 * rng.normal(size=(n_tasks, 1, N_JOINTS)) * shape)


def train(config: TrainingConfig = CONFIG, losses: list[float] | None = None) -> TrainedEncoder:
    return train_encoder(
        "toy",
        SCALING,
        draw_tasks(1),
        draw_tasks(2),
        config,
        torque_scale=10.0,
        active_area=(0.35, 0.45, 0.55),
        max_rates_hz=(100.0, 200.0),
        progress=None if losses is None else lambda step, loss: losses.append(loss),
    )


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained() -> TrainedEncoder:
    return train()


def test_same_seed_same_weights(trained):
    torch.rand(7)  # whatever happened to torch's own generator before
    again = train()
    for name in ("w1", "b1", "w2", "b2", "w3"):
        np.testing.assert_array_equal(getattr(again.encoder, name), getattr(trained.encoder, name))
    assert (again.train_loss, again.validation_loss) == (trained.train_loss, trained.validation_loss)


def test_another_seed_other_weights(trained):
    other = train(dataclasses.replace(CONFIG, seed=4, n_steps=1))
    assert not np.array_equal(other.encoder.w1, trained.encoder.w1)


def test_loss_falls():
    losses: list[float] = []
    result = train(losses=losses)
    assert len(losses) == CONFIG.n_steps
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:5])
    assert result.train_loss == pytest.approx(np.mean(losses[-6:]))


def test_validation_is_better_than_at_the_start(trained):
    start = train(dataclasses.replace(CONFIG, n_steps=1))
    assert trained.validation_loss < 0.95 * start.validation_loss


def test_encoder_beats_the_state_where_most_of_it_does_not_matter(trained):
    assert trained.validation_loss < trained.raw_state_loss


def test_encoder_has_the_sizes_asked_for(trained):
    encoder = trained.encoder
    assert encoder.arm == "toy"
    assert encoder.scaling == SCALING
    assert encoder.w1.shape == (16, 6)
    assert encoder.w2.shape == (16, 16)
    assert encoder.w3.shape == (2, 16)
    assert encoder.w1.dtype == np.float64


def test_features_stay_about_the_unit_ball(trained):
    features = trained.encoder.features(draw_tasks(5).states)
    assert np.percentile(np.linalg.norm(features, axis=-1), 90) < 1.5


def test_states_and_torques_must_belong_together():
    with pytest.raises(ConfigError, match=r"states and torques must both be \(n_tasks, n_samples, ...\)"):
        TaskSet(np.zeros((3, 4, 2)), np.zeros((3, 5, 2)))
