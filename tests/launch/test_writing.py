from __future__ import annotations

import dataclasses
import math

import pytest

from spikearm.hardware.wear import Wear
from spikearm.launch.writing import writing

WEAR = Wear("a", 30, 2.0, 5, 0.5, 1e-6, 10, 0, 100, 36.0)


def summary(*wear: Wear) -> dict:
    return {
        "wear": [w.document() for w in wear],
        "n_ticks": 50,
        "energy_model_j_per_tick": {"programming": 2e-9, "total": 1e-7},
    }


def test_matrices_are_taken_together():
    other = dataclasses.replace(WEAR, set_max=70, reset_max=0, endurance_used=1e-3, n_devices=300)
    found = writing(summary(WEAR, other))
    assert found is not None
    assert found.pulses_per_tick == pytest.approx(2.5 * 400 / 50)
    assert found.most_pulses == 70
    assert found.joules_per_tick == 2e-9
    assert found.stuck == 20 / 400
    assert found.lifetime_h == pytest.approx(10.0)


def test_devices_that_never_wear_out_last_for_ever():
    found = writing(summary(dataclasses.replace(WEAR, endurance_used=0.0)))
    assert found is not None
    assert found.lifetime_h == math.inf


def test_a_run_without_devices_has_written_nothing():
    assert writing(summary()) is None
    assert writing({"n_ticks": 50}) is None
