from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spikearm.controller.orientation import from_rotation_vector, multiply
from spikearm.controller.ticklog import read_ticks
from spikearm.errors import ConfigError
from spikearm.launch.benchmark.measure import distance_from_line, measure, rotation_angles, trial_errors
from spikearm.launch.config import RunConfig

SHORT = RunConfig(controller="osc", trials=2, duration_s=0.2)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-3, 0.5, 3.0])
def test_rotation_angle_is_exact_whatever_the_sign_of_the_quaternion(rng, angle):
    axis = rng.standard_normal(3)
    turn = from_rotation_vector(angle * axis / np.linalg.norm(axis))
    start = from_rotation_vector(rng.standard_normal(3))
    pair = np.stack([start, start]), np.stack([multiply(turn, start), -multiply(turn, start)])
    np.testing.assert_allclose(rotation_angles(*pair), angle, rtol=1e-6, atol=1e-15)


def test_distance_from_a_line_forgets_the_way_along_it():
    a, b = np.array([1.0, 1.0, 0.0]), np.array([3.0, 1.0, 0.0])
    points = np.array([[2.0, 1.0, 0.0], [9.0, 1.0, 0.5], [-4.0, 4.0, 4.0]])
    np.testing.assert_allclose(distance_from_line(points, a, b), [0.0, 0.5, 5.0])


def test_line_of_no_length_is_its_point():
    a = np.ones(3)
    np.testing.assert_allclose(distance_from_line(np.array([[1.0, 4.0, 5.0]]), a, a), [5.0])


def test_errors_of_trials_agree_with_the_summary(short_run):
    errors = trial_errors(read_ticks(short_run.folder))
    assert errors["rms_m"] == pytest.approx(short_run.summary["rmse_m_by_trial"])
    assert np.mean(errors["mean_m"]) == pytest.approx(short_run.summary["mean_error_m"])
    for i in range(2):
        assert errors["mean_m"][i] <= errors["rms_m"][i] <= errors["max_m"][i]
        assert errors["off_line_rms_m"][i] <= errors["rms_m"][i]
        assert 0.0 < errors["turn_rms_rad"][i] <= errors["turn_max_rad"][i] < 0.1


def test_measured_run_leaves_nothing_behind(tmp_path):
    result = measure(dataclasses.replace(SHORT, out=tmp_path))
    assert result is not None
    assert list(tmp_path.iterdir()) == []
    assert len(result["trials"]["mean_m"]) == 2
    assert result["energy_model_j_per_tick"]["total"] is None
    assert result["tick_s"] > 0


def test_measured_run_is_determined_by_its_seed():
    first, second = (measure(SHORT) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first["trials"] == second["trials"]


def test_run_that_cannot_be_composed_says_why():
    with pytest.raises(ConfigError, match="cannot reach 9 m"):
        measure(dataclasses.replace(SHORT, distance_m=9.0))
