"""The closed form of learning in the loop against the loop itself, simulated step by step."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from scipy.signal import cont2discrete

if importlib.util.find_spec("torch") is None:
    pytest.skip("training is an extra; torch is not installed", allow_module_level=True)

import torch

from spikearm.models.online_training import LearningLoop

KP, KD, DT_S = 150.0, 24.5, 0.02
N_SAMPLES, N_NEURONS, N_JOINTS = 60, 9, 2


@pytest.fixture
def motion() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Activities, missing torque and mobility along a motion."""
    rng = np.random.default_rng(5)
    activity = np.abs(np.cumsum(rng.normal(size=(N_SAMPLES, N_NEURONS)), axis=0)) / 8.0
    missing = np.cumsum(rng.normal(size=(N_SAMPLES, N_JOINTS)), axis=0)
    return activity, missing, rng.normal(size=(N_SAMPLES, 3, N_JOINTS))


def loop(n_repeats: int, gain: float, motion) -> tuple[float, float, float]:
    activity, missing, mobility = (torch.tensor(x[None], dtype=torch.float32) for x in motion)
    result = LearningLoop(N_SAMPLES, DT_S, kp=KP, kd=KD).errors(
        activity, missing, mobility, torch.tensor([gain]), n_repeats
    )
    first, last, without = (float(x) for x in result)
    return first, last, without


def simulate(n_repeats: int, gain: float, motion) -> list[float]:
    """Decoders updated at every step; law and arm as recursions, at rest before every repetition."""
    activity, missing, mobility = motion
    rate = gain * DT_S / np.mean(np.sum(activity**2, axis=1))
    law = cont2discrete(([KD, KP], [1.0, KD, KP]), DT_S, "zoh")
    (_, b1, b2), (_, a1, a2) = law[0][0], law[1]
    (_, g1, g2) = cont2discrete(([1.0], [1.0, KD, KP]), DT_S, "zoh")[0][0]
    decoders, distances = np.zeros((N_NEURONS, N_JOINTS)), []
    for _ in range(n_repeats):
        left, task = np.zeros((2, N_JOINTS)), np.zeros((2, N_JOINTS))
        pushed, way = np.zeros((2, 3)), np.zeros((2, 3))
        distance = []
        for k in range(N_SAMPLES):
            u = b1 * left[0] + b2 * left[1] - a1 * task[0] - a2 * task[1]
            decoders += rate * np.outer(activity[k], u)
            rest = missing[k] - activity[k] @ decoders
            x = g1 * pushed[0] + g2 * pushed[1] - a1 * way[0] - a2 * way[1]
            distance.append(np.linalg.norm(x))
            left, task = np.stack((rest, left[0])), np.stack((u, task[0]))
            pushed, way = np.stack((mobility[k] @ rest, pushed[0])), np.stack((x, way[0]))
        distances.append(float(np.mean(distance)))
    return distances


def test_closed_form_is_the_loop_step_by_step(motion):
    simulated = simulate(4, 30.0, motion)
    first, last, _ = loop(4, 30.0, motion)
    assert first == pytest.approx(simulated[0], rel=1e-4)
    assert last == pytest.approx(simulated[-1], rel=1e-4)


def test_without_learning_nothing_changes(motion):
    first, last, without = loop(3, 1e-9, motion)
    assert first == pytest.approx(without, rel=1e-4)
    assert last == pytest.approx(without, rel=1e-4)


def test_faster_learning_leaves_less_in_the_first_repetition(motion):
    assert loop(1, 30.0, motion)[0] < loop(1, 10.0, motion)[0] < loop(1, 3.0, motion)[0]


def test_size_of_the_activity_does_not_matter(motion):
    activity, missing, mobility = motion
    np.testing.assert_allclose(
        loop(3, 20.0, (7.0 * activity, missing, mobility)), loop(3, 20.0, motion), rtol=1e-4
    )
