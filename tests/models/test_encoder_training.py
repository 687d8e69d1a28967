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

from spikearm.models.encoder_training import TaskSet, TrainedEncoder, train_encoder, weight_scatter

N_JOINTS = 2
CONFIG = TrainingConfig(
    n_features=4,
    n_hidden=24,
    n_neurons=64,
    n_steps=60,
    batch_tasks=20,
    learning_rate=5e-3,
    active_area=(0.35, 0.45, 0.55),
    gain_per_s=(30.0, 30.0),
    seed=3,
)
SCALING = StateScaling((0.0,) * 6, (1.0,) * 6)
GAINS = (150.0, 24.5)


def draw_tasks(seed: int, n_sessions: int = 40, n_samples: int = 48) -> TaskSet:
    """Six numbers of state that wander; only one product of them matters, with a size per perturbation."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0.0, 1.0, n_samples)[:, None]
    phase = rng.uniform(0.0, 2.0 * np.pi, (n_sessions, 1, 6))
    states = np.sin(2.0 * np.pi * np.arange(1, 7) * time + phase)
    shape = np.sin(3.0 * states[..., :1] * states[..., 1:2])[:, None]
    torques = 5.0 * rng.normal(size=(n_sessions, 2, 1, N_JOINTS)) * shape
    mobility = np.broadcast_to(np.eye(3, N_JOINTS), (n_sessions, n_samples, 3, N_JOINTS))
    return TaskSet(states, mobility, torques, 0.02)


def train(config: TrainingConfig = CONFIG, losses: list[float] | None = None) -> TrainedEncoder:
    return train_encoder(
        "toy",
        SCALING,
        draw_tasks(1),
        draw_tasks(2),
        config,
        torque_scale=10.0,
        max_rates_hz=(100.0, 200.0),
        gains=GAINS,
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
    assert np.mean(losses[-10:]) < 0.95 * np.mean(losses[:5])
    assert result.train_loss == pytest.approx(np.mean(losses[-6:]))


def test_validation_is_better_than_at_the_start(trained):
    start = train(dataclasses.replace(CONFIG, n_steps=1))
    assert trained.validation_loss < 0.95 * start.validation_loss


def test_encoder_has_the_sizes_asked_for(trained):
    encoder = trained.encoder
    assert encoder.arm == "toy"
    assert encoder.scaling == SCALING
    assert encoder.w1.shape == (24, 6)
    assert encoder.w2.shape == (24, 24)
    assert encoder.w3.shape == (4, 24)
    assert encoder.w1.dtype == np.float64


def test_features_lie_about_the_unit_sphere(trained):
    features = trained.encoder.features(draw_tasks(5).states)
    assert np.mean(np.abs(np.linalg.norm(features, axis=-1) - 1.0)) < 0.3


def test_encoder_starts_as_the_state_on_a_sphere():
    config = dataclasses.replace(CONFIG, n_features=None, n_hidden=13, n_steps=1, learning_rate=1e-12)
    states = draw_tasks(1).states
    features = train(config).encoder.features(states)
    assert features.shape[-1] == 7
    np.testing.assert_allclose(
        features[..., :6], 0.18 * states / states.std(axis=(0, 1)), rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(features[..., 6], np.sqrt(1 - 6 * 0.18**2), rtol=1e-5)


def test_encoder_carries_what_it_was_trained_for(trained):
    assert trained.encoder.active_area == CONFIG.active_area
    assert 1e-3 < trained.encoder.learning_rate < 10.0


def test_states_mobility_and_torques_must_belong_together():
    with pytest.raises(ConfigError, match="states, mobility and torques must be"):
        TaskSet(np.zeros((3, 4, 2)), np.zeros((3, 4, 3, 1)), np.zeros((3, 2, 5, 1)), 0.02)


def test_scatter_of_weights_is_that_of_devices_in_their_columns():
    weight = torch.full((3, 20_000), 0.5)
    weight[:, 0] = 1.0
    weight[1] *= 10.0
    scatter = weight_scatter(weight, (0.01, 0.08))[:, 1:]
    # Device of the weight: 0.01 + 0.08 x at x = 0.5; the other: half a Gaussian of 0.01 at 0.
    other = 0.01 * np.sqrt(0.5 - 0.5 / np.pi)
    expected = np.hypot(0.05, other) * np.array([1.0, 10.0, 1.0])
    np.testing.assert_allclose(scatter.std(dim=1).numpy(), expected, rtol=0.03)
    bias = -0.01 / np.sqrt(2 * np.pi)
    assert scatter[0].mean().item() == pytest.approx(bias, abs=0.002)


def test_devices_scatter_beyond_the_largest_weight_but_not_below_a_conductance_of_zero():
    largest = weight_scatter(torch.ones(1, 20_000), (0.1,), lowest=-0.05)
    # The carrier to both sides by 0.1; the other, at its smallest, down to -0.05 only.
    other = torch.randn(200_000, generator=torch.Generator().manual_seed(0)).mul(0.1).clamp(min=-0.05)
    assert largest.mean().item() == pytest.approx(-other.mean().item(), abs=3e-3)
    assert largest.std().item() == pytest.approx(float(np.hypot(0.1, other.std().item())), rel=0.03)


def test_scatter_leaves_columns_of_zeros_alone():
    assert not weight_scatter(torch.zeros(2, 5), (0.01, 0.08)).any()


def test_training_with_scatter_is_reproducible_and_judged_with_scatter(trained):
    config = dataclasses.replace(CONFIG, weight_noise=(0.02, 0.1))
    aware, again = train(config), train(config)
    np.testing.assert_array_equal(aware.encoder.w2, again.encoder.w2)
    assert not np.array_equal(aware.encoder.w2, trained.encoder.w2)
    assert aware.validation_loss > trained.validation_loss


def test_noise_floor_is_no_weight():
    with pytest.raises(ConfigError, match=r"weight_noise_floor must lie in \(-1, 0\], not 0.1"):
        TrainingConfig(weight_noise_floor=0.1)


def test_noise_must_be_finite():
    with pytest.raises(ConfigError, match="weight_noise must be finite"):
        TrainingConfig(weight_noise=(float("nan"),))
