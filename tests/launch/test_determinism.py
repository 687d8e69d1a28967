"""The same seed gives the same log, byte for byte apart from measured times."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from spikearm.controller.ticklog import read_ticks, stable_bytes
from spikearm.envs.perturbation import Perturbation
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute

NOISY = Perturbation(payload_kg=0.907, sensor_noise_q_rad=1e-4, sensor_noise_dq_rad_s=1e-3)


def log(out: Path, backend: str, seed: int) -> bytes:
    config = RunConfig(backend=backend, trials=1, duration_s=0.2, seed=seed, perturbation=NOISY, out=out)
    return stable_bytes(execute(config, baseline=False).folder)


@pytest.mark.parametrize("backend", BACKENDS)
def test_same_seed_same_log(tmp_path, backend):
    first = log(tmp_path, backend, 5)
    # What is drawn from anybody's global generator must not matter.
    np.random.seed(1)  # noqa: NPY002 - that is the point
    assert log(tmp_path, backend, 5) == first
    assert log(tmp_path, backend, 6) != first


@pytest.mark.parametrize("backend", BACKENDS)
def test_same_seed_same_log_in_another_process(process, tmp_path, backend):
    config = RunConfig(backend=backend, trials=1, duration_s=0.1, seed=5, out=tmp_path / "here")
    here = stable_bytes(execute(config, baseline=False).folder)
    words = ("run", "--backend", backend, "--trials", 1, "--duration-s", 0.1, "--seed", 5)
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    with process(*words, "--json", "--out", tmp_path / "there", env=environment) as running:
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    # No library, compiled or not, has written anything else to stdout.
    assert stable_bytes(Path(json.loads(out)["run_dir"])) == here


def test_path_depends_on_the_seed_alone(tmp_path):
    """Whatever the controller or the substrate, the arm is sent along the same way."""

    def targets(seed: int = 3, **settings: object) -> np.ndarray:
        config = RunConfig(trials=1, duration_s=0.02, seed=seed, out=tmp_path, **settings)  # type: ignore[arg-type]
        table = read_ticks(execute(config, baseline=False).folder)
        return np.column_stack([table[f"target_{axis}_m"].to_numpy() for axis in "xyz"])

    expected = targets(controller="osc")
    for settings in (
        {"controller": "pd"},
        {"controller": "pid"},
        *({"controller": "adaptive", "backend": backend} for backend in BACKENDS),
        {"controller": "osc", "perturbation": NOISY},
    ):
        np.testing.assert_array_equal(targets(**settings), expected)
    assert not np.array_equal(targets(seed=4, controller="osc"), expected)
