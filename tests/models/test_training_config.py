from __future__ import annotations

import math

import pytest

from spikearm.errors import ConfigError
from spikearm.models.training_config import TrainingConfig


@pytest.mark.parametrize(
    "field", ["n_features", "n_hidden", "n_neurons", "n_steps", "batch_tasks", "n_repeats"]
)
def test_counts_must_be_at_least_one(field):
    with pytest.raises(ConfigError, match=f"{field} must be at least 1, not 0"):
        TrainingConfig(**{field: 0})


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_learning_rate_must_be_positive(value):
    with pytest.raises(ConfigError, match="learning_rate must be positive"):
        TrainingConfig(learning_rate=value)


@pytest.mark.parametrize("field", ["first_weight", "state_noise"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_weights_and_noise_must_not_be_negative(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be 0 or more and finite"):
        TrainingConfig(**{field: value})


@pytest.mark.parametrize("value", [(0.0, 0.1, 0.2), (0.2, 0.1, 0.3), (0.1, 0.1, 0.1), (0.1, 0.2, 1.0)])
def test_active_area_must_be_three_shares_in_order(value):
    with pytest.raises(ConfigError, match="active_area must be three shares in order"):
        TrainingConfig(active_area=value)


@pytest.mark.parametrize("value", [(0.0, 1.0), (2.0, 1.0), (1.0, math.inf)])
def test_speeds_of_learning_must_be_in_order(value):
    with pytest.raises(ConfigError, match="gain_per_s must be two positive numbers in order"):
        TrainingConfig(gain_per_s=value)


def test_seed_must_not_be_negative():
    with pytest.raises(ConfigError, match="seed must be 0 or more, not -1"):
        TrainingConfig(seed=-1)
