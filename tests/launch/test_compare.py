from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.errors import CapacityError, UnknownNameError
from spikearm.hardware.registry import BACKENDS
from spikearm.launch import compare as comparing
from spikearm.launch import compose as composing
from spikearm.launch.compare import NO_ADAPTATION, NO_PAYLOAD, PID, compare, normalised_errors, variants
from spikearm.launch.compare_command import _table
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.device_variants import STANDARD, make_variant
from spikearm.launch.subject import SubjectFormatter, about


def runs(**errors: list[float]) -> list[dict]:
    return [
        {"label": label.replace("_", " "), "mean_error_m": sum(e) / len(e)} for label, e in errors.items()
    ]


def test_every_controller_and_substrate_has_its_label():
    assert [v.label for v in variants(RunConfig())] == [NO_PAYLOAD, NO_ADAPTATION, PID, *BACKENDS]


def test_variants_differ_in_nothing_but_what_is_compared():
    config = RunConfig(seed=3, trials=2)
    for _, label, variant in variants(config):
        same = dataclasses.replace(variant, controller=config.controller, backend=config.backend)
        if label == NO_PAYLOAD:
            assert variant.perturbation == NO_PERTURBATION
            same = dataclasses.replace(same, perturbation=config.perturbation)
        assert same == config


def test_controllers_are_those_the_labels_say():
    found = {label: (config.controller, config.backend) for _, label, config in variants(RunConfig())}
    assert (found[NO_PAYLOAD][0], found[NO_ADAPTATION][0], found[PID][0]) == ("osc", "osc", "pid")
    for backend in BACKENDS:
        assert found[backend] == ("adaptive", backend)


def test_kinds_of_crossbar_stand_beside_the_substrates():
    found = [v.label for v in variants(RunConfig(), STANDARD)]
    substrates = [backend for backend in BACKENDS if backend != "crossbar"]
    wanted = [make_variant(name).label for name in STANDARD]
    assert found == [NO_PAYLOAD, NO_ADAPTATION, PID, *substrates, *wanted]


def test_a_crossbar_of_ones_own_stands_beside_the_kinds_of_crossbar():
    config = RunConfig()
    config = dataclasses.replace(config, crossbar=dataclasses.replace(config.crossbar, adc_bits=6))
    plain = dataclasses.replace(make_variant("pcm").of(RunConfig()), crossbar=config.crossbar)
    labels = {v.label: v.config for v in variants(config, ("reram", "reram"))}
    assert labels["crossbar"] == plain
    assert labels[make_variant("reram").label].crossbar.adc_bits == 6


def test_every_network_is_compiled_once(monkeypatch, tmp_path):
    compiled = Counter()

    def make_backend(name, **options):
        backend = composing_make_backend(name, **options)

        def compile_(network, **settings):
            compiled[name] += 1
            return backend.compile(network, **settings)

        return SimpleNamespace(compile=compile_, cost_model=backend.cost_model)

    composing_make_backend = composing.make_backend
    monkeypatch.setattr(composing, "make_backend", make_backend)
    config = RunConfig(arm="planar2", trials=1, duration_s=0.01, network=NetworkConfig(n_neurons=20))
    compare(
        dataclasses.replace(config, out=tmp_path),
        ("reram",),
        panel=lambda label, config: nullcontext(SimpleNamespace(on_tick=lambda record: None)),
    )
    assert compiled == {"reference": 1, "loihi": 1, "crossbar": 2}


def test_unknown_kind_of_crossbar_is_refused_before_anything_is_composed(monkeypatch, tmp_path):
    monkeypatch.setattr(comparing, "compose", lambda config: pytest.fail("composed first"))
    refused = pytest.raises(
        UnknownNameError, match=r"no device variant named 'rerum'.*Did you mean 'reram'\?"
    )
    with refused:
        compare(RunConfig(out=tmp_path), ("rerum",), panel=lambda label, config: pytest.fail("begun"))
    assert list(tmp_path.iterdir()) == []


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


def table_row(errors_m):
    return {
        "label": "reference",
        "rmse_m": 5e-3,
        "rmse_m_by_trial": errors_m,
        "mean_error_m": 4e-3,
        "energy_model_j_per_tick": {"total": None},
        "energy_model_of_chip_scope_j_per_tick": None,
        "energy_chip_j_per_tick": None,
        "latency_measured_s": {"p50": 1e-3},
    }


def table_of(errors_m):
    return _table({"runs": [table_row(errors_m)], "normalised_error": {"reference": None}})


def test_errors_in_the_table_are_root_mean_squares():
    table = table_of([1e-3, 1e-3, 7e-3])
    assert [list(column.cells) for column in table.columns[1:3]] == [["5.00"], ["4.12"]]


@pytest.mark.parametrize(("n_reaches", "late"), [(1, 1), (2, 2), (3, 3), (7, 3)])
def test_table_says_which_reaches_it_averages(n_reaches, late):
    table = table_of([1e-3] * n_reaches)
    assert table.columns[2].header == f"last {late}"
    wanted = (
        f"all, last {late}: rms tracking error of all {n_reaches} reaches and of the last {late} of them."
    )
    assert str(table.caption).startswith(wanted)


def test_warning_names_the_run_that_it_is_about(tmp_path):
    """Of what is composed, and of what runs."""
    lines = []

    class Handler(logging.Handler):
        def emit(self, record):
            lines.append(SubjectFormatter().format(record))

    logger, handler = logging.getLogger("spikearm.hardware.crossbar.test"), Handler()
    logger.addHandler(handler)

    def panel(label, config):
        return nullcontext(
            SimpleNamespace(on_tick=lambda record: record.state.t_s or logger.warning("ticks"))
        )

    config = RunConfig(arm="planar2", trials=1, duration_s=0.01, network=NetworkConfig(n_neurons=20))
    try:
        compare(dataclasses.replace(config, out=tmp_path), ("reram",), panel=panel)
    finally:
        logger.removeHandler(handler)
    labels = [v.label for v in variants(config, ("reram",))]
    assert lines == [f"WARNING: {label}: ticks" for label in labels]


def test_error_names_the_run_that_it_is_about():
    with pytest.raises(CapacityError) as caught, about("PCM, fresh"):
        raise CapacityError("too large.")
    assert caught.value.__notes__ == ["This was about 'PCM, fresh'."]


def test_line_without_a_subject_is_plain():
    record = logging.LogRecord("x", logging.WARNING, "", 0, "late by %d ms", (3,), None)
    assert SubjectFormatter().format(record) == "WARNING: late by 3 ms"
