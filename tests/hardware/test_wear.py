from __future__ import annotations

import dataclasses
import json
import math

import pytest

from spikearm.hardware.registry import make_backend
from spikearm.hardware.wear import Ages, Wear, Wears
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.scaling import StateScaling

WEAR = Wear("a", 30, 2.0, 5, 0.5, 1e-3, 10, 0, 100, 36.0)
NETWORK = AdaptiveNetwork(2, StateScaling((0.0,) * 4, (1.5,) * 4), n_neurons=20)


@pytest.mark.parametrize(("backend", "ages"), [("reference", False), ("crossbar", True)])
def test_only_programs_with_devices_age_and_wear(backend, ages):
    program = make_backend(backend).compile(NETWORK, dt_s=0.001, seed=0)
    assert isinstance(program, Ages) == isinstance(program, Wears) == ages
    program.close()


def test_lifetime_is_what_the_rate_so_far_leaves_of_the_endurance():
    assert WEAR.lifetime_h == pytest.approx(36.0 / 3600.0 / 1e-3)
    assert dataclasses.replace(WEAR, endurance_used=0.0).lifetime_h == math.inf


def test_document_is_plain_json_also_for_devices_that_last_for_ever():
    document = dataclasses.replace(WEAR, endurance_used=0.0).document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["lifetime_h"] is None
    assert WEAR.document()["lifetime_h"] == pytest.approx(10.0)
    assert set(document) == {field.name for field in dataclasses.fields(Wear)} | {"lifetime_h"}
