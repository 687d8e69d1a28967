from __future__ import annotations

import math

import pytest

from spikearm.errors import ConfigError
from spikearm.models.osc_training_config import OscTrainingConfig


@pytest.mark.parametrize("field", ["n_hidden1", "n_hidden2", "n_modes", "n_per_diagonal", "n_steps", "batch"])
def test_counts_must_be_at_least_one(field):
    with pytest.raises(ConfigError, match=f"{field} must be at least 1, not 0"):
        OscTrainingConfig(**{field: 0})


@pytest.mark.parametrize("field", ["learning_rate", "decoder_noise"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_rates_and_ridge_must_be_positive(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be positive"):
        OscTrainingConfig(**{field: value})


@pytest.mark.parametrize("value", [-0.1, 1.0, math.nan])
def test_noise_of_spikes_is_below_the_activation(value):
    with pytest.raises(ConfigError, match=r"spike_noise must be in \[0, 1\)"):
        OscTrainingConfig(spike_noise=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_share_with_dead_time_is_a_share(value):
    with pytest.raises(ConfigError, match="dead_time_share must be from 0 to 1"):
        OscTrainingConfig(dead_time_share=value)


@pytest.mark.parametrize(("share", "n"), [(0.01, 0), (0.99, 16)])
def test_share_with_dead_time_does_not_round_to_none_or_all(share, n):
    with pytest.raises(ConfigError, match=f"{share} of a batch of 16 is {n} states; use 0, 1, or a share"):
        OscTrainingConfig(batch=16, dead_time_share=share)


@pytest.mark.parametrize(("share", "n"), [(0.0, 0), (0.3, 5), (0.5, 8), (1.0, 16)])
def test_share_with_dead_time_is_rounded_to_states(share, n):
    assert OscTrainingConfig(batch=16, dead_time_share=share).n_dead_time == n


def test_seed_must_not_be_negative():
    with pytest.raises(ConfigError, match="seed must be 0 or more, not -1"):
        OscTrainingConfig(seed=-1)
