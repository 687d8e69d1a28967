from __future__ import annotations

import dataclasses

import pytest

from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.compare import NO_ADAPTATION, NO_PAYLOAD, PID, normalised_errors, variants
from spikearm.launch.config import RunConfig


def runs(**errors: list[float]) -> list[dict]:
    return [
        {"label": label.replace("_", " "), "mean_error_m": sum(e) / len(e)} for label, e in errors.items()
    ]


def test_every_controller_and_substrate_has_its_label():
    assert [label for label, _ in variants(RunConfig())] == [NO_PAYLOAD, NO_ADAPTATION, PID, *BACKENDS]


def test_variants_differ_in_nothing_but_what_is_compared():
    config = RunConfig(seed=3, trials=2)
    for label, variant in variants(config):
        same = dataclasses.replace(variant, controller=config.controller, backend=config.backend)
        if label == NO_PAYLOAD:
            assert variant.perturbation == NO_PERTURBATION
            same = dataclasses.replace(same, perturbation=config.perturbation)
        assert same == config


def test_controllers_are_those_the_labels_say():
    found = {label: (variant.controller, variant.backend) for label, variant in variants(RunConfig())}
    assert (found[NO_PAYLOAD][0], found[NO_ADAPTATION][0], found[PID][0]) == ("osc", "osc", "pid")
    for backend in BACKENDS:
        assert found[backend] == ("adaptive", backend)


def test_scale_runs_from_no_payload_to_no_adaptation():
    errors = normalised_errors(runs(no_payload=[1.0, 3.0], no_adaptation=[10.0, 14.0], loihi=[5.0, 3.0]))
    assert errors == {"no payload": 0.0, "no adaptation": 1.0, "loihi": pytest.approx(0.2)}


def test_run_may_be_worse_than_no_adaptation_or_better_than_no_payload():
    errors = normalised_errors(runs(no_payload=[2.0], no_adaptation=[4.0], pid=[8.0], loihi=[1.0]))
    assert (errors["pid"], errors["loihi"]) == (3.0, -0.5)


@pytest.mark.parametrize("one", [2.0, 1.0])
def test_payload_that_makes_no_difference_gives_no_scale(one):
    errors = normalised_errors(runs(no_payload=[2.0], no_adaptation=[one], loihi=[1.0]))
    assert set(errors.values()) == {None}


def test_missing_reference_gives_no_scale():
    assert normalised_errors(runs(no_payload=[2.0])) == {"no payload": None}
    assert normalised_errors(runs(no_adaptation=[2.0], pid=[1.0])) == {"no adaptation": None, "pid": None}
