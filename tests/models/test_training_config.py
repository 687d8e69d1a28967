from __future__ import annotations

import math

import pytest

from spikearm.errors import ConfigError
from spikearm.models.training_config import TrainingConfig


@pytest.mark.parametrize("field", ["n_features", "n_hidden", "n_neurons", "n_steps", "batch_tasks"])
def test_counts_must_be_at_least_one(field):
    with pytest.raises(ConfigError, match=f"{field} must be at least 1, not 0"):
        TrainingConfig(**{field: 0})


@pytest.mark.parametrize("field", ["learning_rate", "ridge"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_rates_must_be_positive(field, value):
    with pytest.raises(ConfigError, match="learning_rate and ridge must be positive"):
        TrainingConfig(**{field: value})


def test_seed_must_not_be_negative():
    with pytest.raises(ConfigError, match="seed must be 0 or more, not -1"):
        TrainingConfig(seed=-1)
