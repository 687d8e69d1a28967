from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.host_cost import GPU_COST, HOST_COST
from spikearm.launch.benchmark import center_out
from spikearm.launch.benchmark.center_out import ANALYTIC, CenterOut, jobs, summarise, variants
from spikearm.launch.benchmark.measure import measure
from spikearm.launch.benchmark.rows import Variant
from spikearm.launch.compose import compose
from spikearm.launch.config import RunConfig
from spikearm.records import OpCounts

SMALL = CenterOut(sessions=4, stages=(), backends=())


def result(rms_m: float, *, counts: OpCounts | None = None) -> dict:
    names = ("mean_m", "rms_m", "max_m", "off_line_rms_m", "turn_rms_rad", "turn_max_rad")
    return {
        "trials": {name: [rms_m] * SMALL.trials for name in names},
        "tick_s": 1e-4,
        "latency_model_s_mean": None,
        "energy_model_j_per_tick": {"total": 1e-6},
        "energy_chip_j_per_tick": None,
        "energy_chip_scope": None,
        "energy_measured_j_per_tick": None,
        "saturated_ticks": 0,
        "counts_per_tick": (counts or OpCounts())._asdict(),
        "control_dt_s": 0.001,
    }


@pytest.fixture
def with_network(monkeypatch):
    """A second row: some network on the reference substrate."""
    monkeypatch.setattr(
        center_out,
        "variants",
        lambda settings, form: [
            *variants(settings, form),
            Variant("spiking", RunConfig(controller="adaptive", backend="reference")),
        ],
    )


def test_targets_are_eight_around_one_centre_with_a_turn_each():
    config = jobs(dataclasses.replace(SMALL, sessions=1))[0].config
    run = compose(config)
    ends = [run.control.schedule.targets[i * 1000 + 999].pose for i in range(16)]
    out, back = ends[::2], ends[1::2]
    centre = run.control.schedule.targets[0].pose.position
    np.testing.assert_allclose([pose.position for pose in back], np.tile(centre, (8, 1)), atol=1e-6)
    ways = np.array([pose.position - centre for pose in out])
    np.testing.assert_allclose(np.linalg.norm(ways, axis=1), 0.15, atol=1e-6)
    np.testing.assert_allclose(ways.sum(axis=0), 0.0, atol=1e-6)
    run.plant.close()


def test_sessions_turn_the_targets():
    first, second = (
        compose(job.config).control.schedule.targets[999].pose.position
        for job in jobs(dataclasses.replace(SMALL, sessions=2, forms=("published",)))
    )
    assert np.linalg.norm(first - second) > 1e-3


def test_forms_differ_in_the_feed_forward_alone():
    published, fed = (variants(SMALL, form)[0].config for form in ("published", "feedforward"))
    assert (published.feedforward, fed.feedforward) == (False, True)
    assert dataclasses.replace(published, feedforward=True) == fed


def test_rows_are_the_stages_and_the_substrates():
    labels = [variant.label for variant in variants(CenterOut(), "published")]
    assert labels == [ANALYTIC, "nodes", "rate", "spiking", "loihi", "crossbar", "crossbar, a day old"]


def test_devices_of_the_second_crossbar_were_written_a_day_before_and_are_else_the_same():
    *_, fresh, drifted = (variant.config for variant in variants(CenterOut(), "published"))
    assert drifted.crossbar.programmed_s == 86_400.0
    assert dataclasses.replace(drifted, crossbar=fresh.crossbar) == fresh


@pytest.mark.parametrize("label", [ANALYTIC, "nodes", "rate", "spiking"])
def test_every_row_on_the_reference_can_be_measured(label):
    settings = CenterOut(distance_m=0.01, turn_rad=0.02, reach_s=0.2)
    (row,) = (row for row in variants(settings, "feedforward") if row.label == label)
    measured = measure(dataclasses.replace(row.config, trials=1))
    assert measured["trials"]["rms_m"][0] < 1.5e-3


@pytest.mark.slow
@pytest.mark.parametrize("form", ["published", "feedforward"])
@pytest.mark.parametrize("label", ["loihi", "crossbar", "crossbar, a day old"])
def test_every_row_on_a_chip_can_be_measured_and_priced(label, form):
    settings = CenterOut(distance_m=0.01, turn_rad=0.02, reach_s=0.2)
    (row,) = (row for row in variants(settings, form) if row.label == label)
    measured = measure(dataclasses.replace(row.config, trials=1))
    assert measured["trials"]["rms_m"][0] < 5e-3
    assert measured["latency_model_s_mean"] > 0.0
    assert measured["energy_model_j_per_tick"]["total"] > measured["energy_model_j_per_tick"]["host"] > 0.0
    assert measured["energy_chip_j_per_tick"] > 0.0


@pytest.mark.parametrize("setting", ["stages", "backends"])
def test_unknown_rows_are_refused(setting):
    with pytest.raises(UnknownNameError, match="spikes"):
        CenterOut(**{setting: ("spikes",)})


def test_analytic_controller_is_not_worse_than_itself():
    results = {job.key: result(2e-3) for job in jobs(SMALL)}
    for block in summarise(SMALL, results):
        (row,) = block["rows"]
        assert (row["label"], row["rmse_m"]) == (ANALYTIC, pytest.approx(2e-3))
        assert row["more_percent"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
        assert row["more_percent_by_session"] == [0.0] * 4
        assert block["processors"] == []


def test_network_is_compared_reach_by_reach_and_priced_on_processors(with_network):
    counts = OpCounts(synaptic_ops_dense=1000.0, neuron_updates=100.0)
    results = {
        job.key: result(3e-3, counts=counts) if "spiking" in job.key else result(2e-3) for job in jobs(SMALL)
    }
    for block in summarise(SMALL, results):
        spiking = block["rows"][1]
        assert spiking["more_percent"] == pytest.approx({"mean": 50.0, "low": 50.0, "high": 50.0})
        cpu, gpu = block["processors"]
        assert cpu == {"label": HOST_COST.name, "energy_model_j": pytest.approx(1100 * 8.6e-9)}
        assert gpu == {"label": GPU_COST.name, "energy_model_j": pytest.approx(1100 * 0.3e-9)}


def test_interval_is_over_sessions_however_alike_their_reaches_are(with_network):
    """Networks and devices are drawn by session: no number of reaches in one tells of another."""
    more = {1: 1.00, 2: 1.02, 3: 0.98, 4: 1.08}
    results = {
        job.key: result(2e-3 * more[int(job.key[-1])] if "spiking" in job.key else 2e-3)
        for job in jobs(SMALL)
    }
    row = summarise(SMALL, results)[0]["rows"][1]
    assert row["more_percent_by_session"] == pytest.approx([0.0, 2.0, -2.0, 8.0])
    assert row["more_percent"]["low"] < 0.0 < 4.0 < row["more_percent"]["high"]


def test_stage_of_functions_has_no_price():
    settings = dataclasses.replace(SMALL, stages=("nodes", "rate"), forms=("published",))
    counts = OpCounts(synaptic_ops_dense=1000.0, neuron_updates=100.0)
    block = summarise(settings, {job.key: result(2e-3, counts=counts) for job in jobs(settings)})[0]
    _, nodes, rate = block["rows"]
    assert (nodes["energy_model_j"], nodes["neurons_in_all"]) == (None, None)
    assert (rate["energy_model_j"], rate["neurons_in_all"]) == (1e-6, 100.0)
    assert [row["energy_model_j"] for row in block["processors"]] == [
        pytest.approx(1100 * 8.6e-9),
        pytest.approx(1100 * 0.3e-9),
    ]


def test_row_without_its_baseline_has_no_percentage(with_network):
    results = {job.key: result(3e-3) for job in jobs(SMALL) if "spiking" in job.key}
    for block in summarise(SMALL, results):
        assert [row["more_percent"] for row in block["rows"]] == [None]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sessions": 0}, "sessions must be at least 1, not 0"),
        ({"reach_s": -1.0}, "reach_s must be a positive number"),
        ({"forms": ()}, "forms needs at least one of published, feedforward"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        CenterOut(**settings)


def test_unknown_form_is_refused():
    with pytest.raises(
        UnknownNameError, match=r"no form of the law named 'publisht'.*Did you mean 'published'"
    ):
        CenterOut(forms=("publisht",))
