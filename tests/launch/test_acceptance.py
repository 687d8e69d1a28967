"""The figures the project promises, on the 7-joint arm, with seeds that nothing was tuned on."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.run import execute

SEEDS = (101, 102, 103)
PAYLOAD = Perturbation(payload_kg=0.907)
TEN_REACHES = RunConfig(arm="iiwa14", trials=10, distance_m=0.2)

pytestmark = pytest.mark.slow


@cache
def rmse_m(
    controller: str, seed: int, payload: bool, backend: str = "reference", encoder: str = "shipped"
) -> tuple[float, float]:
    """Tracking error of ten reaches [m]: root mean square over all, and mean over the last three."""
    with TemporaryDirectory() as folder:
        config = dataclasses.replace(
            TEN_REACHES,
            controller=controller,
            seed=seed,
            backend=backend,
            perturbation=PAYLOAD if payload else NO_PERTURBATION,
            network=NetworkConfig(encoder=encoder),
            out=Path(folder),
        )
        summary = execute(config, baseline=False).summary
    assert summary["n_ticks"] == 8000
    return summary["rmse_m"], float(np.mean(summary["rmse_m_by_trial"][-3:]))


@pytest.mark.parametrize("seed", SEEDS)
def test_tracking_without_payload_is_within_3_mm(seed):
    whole, _ = rmse_m("osc", seed, False)
    assert whole < 3e-3


@pytest.mark.parametrize("seed", SEEDS)
def test_payload_at_least_triples_the_error(seed):
    assert rmse_m("osc", seed, True)[0] >= 3.0 * rmse_m("osc", seed, False)[0]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_adaptation_leaves_at_most_30_percent_of_the_error(backend, seed):
    _, adapted = rmse_m("adaptive", seed, True, backend)
    _, unadapted = rmse_m("osc", seed, True)
    assert adapted <= 0.3 * unadapted


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_adaptation_without_payload_does_little_harm(backend, seed):
    adapted, _ = rmse_m("adaptive", seed, False, backend)
    unadapted, _ = rmse_m("osc", seed, False)
    assert adapted <= unadapted + max(0.1 * unadapted, 0.5e-3)


def test_encoder_is_not_worse_than_the_state_itself():
    encoded = np.mean([rmse_m("adaptive", seed, True)[1] for seed in SEEDS])
    raw = np.mean([rmse_m("adaptive", seed, True, encoder="none")[1] for seed in SEEDS])
    assert encoded <= raw
