from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from spikearm.controller.loop import LoopResult
from spikearm.controller.ticklog import TickLog, read_ticks
from spikearm.controller.tickschema import schema_for
from spikearm.errors import JournalError
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute
from spikearm.launch.run_folder import WITHOUT_ADAPTATION
from spikearm.launch.summary import (
    STAGES,
    SUMMARY_NAMES,
    in_reaches,
    reaches_done,
    rmse_by_trial,
    summarise,
    whole_ticks_s,
)

PROMISED = {
    *(
        "backend",
        "arm",
        "controller",
        "seed",
        "duration_s",
        "n_ticks",
        "control_dt_s",
        "payload_kg",
        "rmse_m",
    ),
    *("rmse_m_by_trial", "final_error_m", "latency_measured_s", "latency_stages_s", "latency_model_s_mean"),
    *("energy_model_j_per_tick", "energy_chip_j_per_tick", "energy_measured_j_per_tick", "spikes_per_tick"),
    *(
        "synaptic_ops_per_tick",
        "saturated_weights_per_tick",
        "overflows_per_tick",
        "utilisation",
        "deadline_misses",
        "lagging_ticks",
        "lead_in_ticks",
        "reach_ticks",
        "run_dir",
    ),
}


@pytest.fixture(scope="module")
def table(short_run) -> pa.Table:
    return read_ticks(short_run.folder)


def column(table: pa.Table, name: str) -> np.ndarray:
    return table[name].to_numpy().astype(float)


def test_summary_has_every_promised_name(short_run):
    assert set(short_run.summary) >= PROMISED
    assert set(short_run.summary["latency_measured_s"]) == {"p50", "p95", "p99", "max"}
    assert (
        set(short_run.summary["latency_stages_s"])
        == {"read", "law", "network", "write", "log"}
        == set(STAGES)
    )


def test_names_of_a_summary_are_known(short_run, table):
    result = LoopResult(table.num_rows, 0, 0, 0.0, interrupted=False)
    made = summarise(RunConfig(), short_run.folder, result, cost_model=None)
    assert {*made, "utilisation"} == SUMMARY_NAMES


def test_summary_repeats_what_was_asked_for(short_run):
    summary = short_run.summary
    assert (summary["backend"], summary["arm"], summary["controller"]) == ("reference", "iiwa14", "adaptive")
    assert (summary["seed"], summary["n_ticks"], summary["control_dt_s"]) == (7, 400, 0.001)
    assert summary["duration_s"] == pytest.approx(0.4)
    assert summary["payload_kg"] == 0.907
    assert summary["run_dir"] == str(short_run.folder)
    assert summary["interrupted"] is False


def test_summary_can_be_written_as_json(short_run):
    assert json.loads(json.dumps(short_run.summary, allow_nan=False)) == short_run.summary


def test_errors_are_those_between_hand_and_path(short_run, table):
    ee = np.column_stack([column(table, f"ee_{axis}_m") for axis in "xyz"])
    target = np.column_stack([column(table, f"target_{axis}_m") for axis in "xyz"])
    error = np.linalg.norm(ee - target, axis=1)
    summary = short_run.summary
    assert summary["rmse_m"] == pytest.approx(math.sqrt(np.mean(error**2)))
    assert summary["final_error_m"] == pytest.approx(error[-1])
    expected = [math.sqrt(np.mean(half**2)) for half in (error[:200], error[200:])]
    assert summary["rmse_m_by_trial"] == pytest.approx(expected)


def test_rmse_of_the_whole_follows_from_the_trials(short_run):
    """All reaches are equally long, so mean squares average."""
    squares = np.square(short_run.summary["rmse_m_by_trial"])
    assert short_run.summary["rmse_m"] == pytest.approx(math.sqrt(squares.mean()))


def test_error_is_counted_by_reach():
    table = pa.table({"reach": [0, 0, 1, 1], "position_error_m": [3.0, 4.0, 0.0, 2.0]})
    assert rmse_by_trial(table) == pytest.approx([math.sqrt(12.5), math.sqrt(2.0)])


def ways(reach: list[int], errors_m: list[float]) -> pa.Table:
    return pa.table({"reach": reach, "position_error_m": errors_m})


def test_way_to_the_first_reach_is_no_reach():
    table = ways([-1, -1, 0, 0, 1, 1], [9.0, 9.0, 3.0, 4.0, 0.0, 2.0])
    assert rmse_by_trial(table) == pytest.approx([math.sqrt(12.5), math.sqrt(2.0)])
    assert in_reaches(table).tolist() == [False, False, True, True, True, True]


def test_reach_that_was_done_again_counts_once():
    """A stop in the second reach, another one on the way back to it, and one in its second attempt."""
    reach = [0, 0, 1, -1, -1, 1, -1, 1, 1, 2]
    table = ways(reach, [3.0, 4.0, 9.0, 9.0, 9.0, 9.0, 9.0, 0.0, 2.0, 1.0])
    assert rmse_by_trial(table) == pytest.approx([math.sqrt(12.5), math.sqrt(2.0), 1.0])
    assert np.flatnonzero(in_reaches(table)).tolist() == [0, 1, 7, 8, 9]


@pytest.mark.parametrize(
    ("reach", "n_errors", "n_done"),
    [
        ([0, 0, 1], 1, 1),  # in the second reach
        ([0, 0, 1, 1], 2, 2),  # between two reaches
        ([0, 0, -1, -1], 1, 1),  # on the way to the second, nothing of which was done
        ([0, 0, 1, -1, -1], 1, 1),  # on the way back to it
        ([0], 1, 0),  # part of a reach is better than nothing, and is no reach
    ],
)
def test_reaches_of_a_run_that_ended_early_count_if_they_were_done(reach, n_errors, n_done):
    table = ways(reach, [2.0] * len(reach))
    assert rmse_by_trial(table, 2) == [2.0] * n_errors
    assert reaches_done(table, 2) == n_done


def test_run_that_ended_on_its_way_to_the_first_reach_has_no_error():
    table = ways([-1, -1], [9.0, 9.0])
    assert rmse_by_trial(table, 2) == []
    assert not in_reaches(table).any()


def test_time_of_a_record_is_part_of_its_own_tick():
    """The log's time of a tick stands in the record after it; the last one's is not known."""
    table = pa.table(
        {
            "latency_tick_s": pa.array([1.0, 2.0, 3.0]),
            "latency_log_s": pa.array([None, 0.1, 0.2], pa.float64()),
        }
    )
    np.testing.assert_allclose(whole_ticks_s(table), [1.1, 2.2])


def test_latencies_are_ordered_and_cover_the_stages(short_run, table):
    measured = short_run.summary["latency_measured_s"]
    assert 0 < measured["p50"] <= measured["p95"] <= measured["p99"] <= measured["max"]
    assert measured["max"] == pytest.approx(np.nanmax(whole_ticks_s(table)))
    stages = short_run.summary["latency_stages_s"]
    assert all(seconds > 0 for seconds in stages.values())
    for stage in ("read", "law", "network", "write"):
        assert stages[stage] == pytest.approx(np.median(column(table, f"latency_{stage}_s")))


def test_energy_terms_add_up(short_run):
    energy = dict(short_run.summary["energy_model_j_per_tick"])
    total = energy.pop("total")
    assert total == pytest.approx(sum(energy.values()))
    assert total > 0


def test_counts_are_means_over_ticks(short_run, table):
    assert short_run.summary["spikes_per_tick"] == pytest.approx(column(table, "spikes").mean())
    assert short_run.summary["synaptic_ops_per_tick"] == pytest.approx(column(table, "synaptic_ops").mean())


def test_adaptive_run_brings_the_same_reaches_without(short_run):
    folder = short_run.folder / WITHOUT_ADAPTATION
    without = json.loads((folder / "summary.json").read_text())
    assert without == short_run.baseline
    assert without["controller"] == "osc"
    assert short_run.summary["rmse_m_by_trial_without_adaptation"] == without["rmse_m_by_trial"]
    with_, plain = read_ticks(short_run.folder), read_ticks(folder)
    for axis in "xyz":
        np.testing.assert_array_equal(column(with_, f"target_{axis}_m"), column(plain, f"target_{axis}_m"))


@pytest.fixture(scope="module", params=["osc", *BACKENDS])
def summary(request, tmp_path_factory):
    controller = "osc" if request.param == "osc" else "adaptive"
    backend = "reference" if request.param == "osc" else request.param
    out = tmp_path_factory.mktemp("runs")
    config = RunConfig(controller=controller, backend=backend, trials=1, duration_s=0.05, out=out)
    return execute(config, baseline=False).summary


def test_what_nothing_modelled_or_measured_is_null(summary):
    adaptive = summary["controller"] == "adaptive"
    modelled = adaptive and summary["backend"] != "reference"
    assert (summary["latency_model_s_mean"] is not None) == modelled
    assert (summary["energy_chip_j_per_tick"] is not None) == adaptive
    assert (summary["energy_chip_scope"] is not None) == adaptive
    assert (summary["energy_model_j_per_tick"]["total"] is not None) == adaptive
    assert (summary["spikes_per_tick"] > 0) == adaptive
    assert "rmse_m_by_trial_without_adaptation" not in summary


def test_energy_is_null_without_a_meter(monkeypatch, tmp_path):
    monkeypatch.setattr("spikearm.launch.run.make_meter", lambda: None)
    config = RunConfig(controller="osc", trials=1, duration_s=0.01, out=tmp_path)
    assert execute(config).summary["energy_measured_j_per_tick"] is None


class Meter:
    name = "a meter"

    def read_j(self) -> float:
        return 0.25


def test_energy_of_a_meter_is_the_mean_per_tick(monkeypatch, tmp_path):
    monkeypatch.setattr("spikearm.launch.run.make_meter", Meter)
    config = RunConfig(controller="osc", trials=1, duration_s=0.01, out=tmp_path)
    finished = execute(config)
    assert finished.summary["energy_measured_j_per_tick"] == 0.25
    assert json.loads((finished.folder / "run.json").read_text())["meter"] == "a meter"


def test_run_without_a_single_tick_has_no_summary(tmp_path):
    with TickLog(tmp_path, schema_for(7, None, control_dt_s=0.001, metered=False)):
        pass
    nothing = LoopResult(0, 0, 0, 0.0, interrupted=True)
    with pytest.raises(JournalError, match="has no ticks: the run was interrupted before the first"):
        summarise(RunConfig(), tmp_path, nothing, cost_model=None)
