from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mcap.reader import make_reader

from spikearm.controller.ticklog import read_ticks
from spikearm.envs.arms import load_arm
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.launch import progress
from spikearm.launch.compose import adaptive_network
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.export import mcap
from spikearm.launch.run import execute


@pytest.fixture
def export(spikearm, short_run, tmp_path):
    """Exports the short run; returns the file."""

    def to(format_: str):
        path = tmp_path / f"run.{format_}"
        ended = spikearm("logs", "export", short_run.folder, "--to", format_, "--out", path, "--json")
        assert ended.code == 0
        assert ended.document == {"path": str(path), "format": format_, "n_ticks": 400}
        assert [p.name for p in tmp_path.iterdir()] == [path.name]
        return path

    return to


@pytest.mark.parametrize("words", [("logs", "export", "--to", "csv"), ("report",)])
def test_file_in_a_folder_that_is_not_there_is_explained(spikearm, short_run, tmp_path, words):
    path = tmp_path / "none" / "a.csv"
    ended = spikearm(*words, short_run.folder, "--out", path)
    assert (ended.code, ended.out) == (2, "")
    wanted = f"no folder {path.parent} to put a.csv in; make it first, or choose another place with --out."
    assert f"RunFolderError: {wanted}" in ended.complaint


@pytest.mark.parametrize("words", [("logs", "export", "--to", "csv"), ("report",)])
def test_file_in_a_folder_that_cannot_be_written_is_a_bad_argument(
    spikearm, short_run, tmp_path, locked, words
):
    path = tmp_path / "a.csv"
    locked(tmp_path)
    ended = spikearm(*words, short_run.folder, "--out", path)
    assert (ended.code, ended.out) == (2, "")
    wanted = f"{tmp_path} is not writable; choose another place for a.csv with --out."
    assert f"RunFolderError: {wanted}" in ended.complaint


@pytest.mark.parametrize("words", [("logs", "export", "--to", "csv"), ("report",)])
def test_file_that_is_a_folder_is_a_bad_argument(spikearm, short_run, tmp_path, words):
    ended = spikearm(*words, short_run.folder, "--out", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert f"RunFolderError: {tmp_path} is a folder; name a file in it with --out." in ended.complaint
    assert list(tmp_path.iterdir()) == []


def test_one_line_reads_a_run_with_pandas_polars_and_duckdb(short_run):
    path = short_run.folder / "ticks.parquet"
    total = short_run.summary["spikes_per_tick"] * 400
    assert pd.read_parquet(path)["spikes"].sum() == pytest.approx(total)
    assert pl.read_parquet(path)["spikes"].sum() == pytest.approx(total)
    assert duckdb.read_parquet(str(path)).sum("spikes").fetchall() == [(pytest.approx(total),)]


def test_page_about_the_log_reads_a_run_in_one_line_each(short_run, monkeypatch, tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "logs.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "RUN").symlink_to(short_run.folder)
    monkeypatch.chdir(tmp_path)
    results: dict = {}
    lines = code.strip().splitlines()
    exec(lines[0], results)  # noqa: S102 - the page's own
    by_reach, energies, [(p99_s,)] = (eval(line, results) for line in lines[2:])  # noqa: S307
    assert len(by_reach) == 2
    terms = ("synapses", "neurons", "learning", "host")
    assert energies.columns == [f"energy_model_{term}_j" for term in terms]
    assert 0 < p99_s < 1


def test_parquet_is_the_same_table(export, short_run):
    assert pl.read_parquet(export("parquet")).equals(pl.from_arrow(read_ticks(short_run.folder)))


def test_csv_has_every_tick_and_column(export, short_run):
    shown, kept = pd.read_csv(export("csv")), read_ticks(short_run.folder)
    assert list(shown.columns) == kept.column_names
    assert shown["position_error_m"].to_numpy() == pytest.approx(kept["position_error_m"].to_numpy())
    assert shown["latency_log_s"].isna().sum() == 1


def test_mcap_replays_the_run(export, short_run):
    with export("mcap").open("rb") as file:
        messages = [
            (schema.name, channel.topic, message.log_time, json.loads(message.data))
            for schema, channel, message in make_reader(file).iter_messages()
        ]
    table = read_ticks(short_run.folder)
    topics = {topic for _, topic, _, _ in messages}
    states = [(time, data) for _, topic, time, data in messages if topic == "/joint_states"]
    assert topics == {
        *("/tick", "/joint_states", "/torque", "/target", "/end_effector", "/latency", "/energy", "/counts"),
        "/network",
    }
    assert len(states) == 400
    assert [data["q_rad"][3] for _, data in states] == table["q_3_rad"].to_pylist()
    assert states[100][0] == round(1e9 * table["t_s"][100].as_py())
    assert {(data["fallback"], data["network_age_s"]) for _, t, _, data in messages if t == "/network"} == {
        (0, 0)
    }
    poses = [data for name, topic, _, data in messages if topic == "/end_effector"]
    assert poses[7]["pose"]["position"]["z"] == table["ee_z_m"][7].as_py()
    assert {name for name, topic, _, _ in messages if topic == "/target"} == {"foxglove.PoseInFrame"}


def test_long_export_says_how_long_it_will_take(spikearm, short_run, tmp_path, monkeypatch):
    """A message per tick and topic takes a fifth of a millisecond: of an hour's run, ten minutes."""
    monkeypatch.setattr(mcap, "_BATCH", 100)
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
    said = spikearm(
        "logs", "export", short_run.folder, "--to", "mcap", "--out", tmp_path / "a.mcap"
    ).complaint
    assert re.findall(r"writing: (\d+) %, \d+ s left", said) == ["25", "50", "75", "100"]


def test_neurobench_metrics_follow_from_the_log(export, short_run):
    metrics = json.loads(export("neurobench").read_text())
    table = read_ticks(short_run.folder)
    spikes, updates = (np.mean(table[name].to_numpy()) for name in ("spikes", "neuron_updates"))
    assert metrics["ActivationSparsity"] == pytest.approx(1 - spikes / updates)
    assert metrics["MembraneUpdates"] == 1128
    assert metrics["NeuronOperations"]["Neuron Dense Ops"] == 4 * 1128
    operations = metrics["SynapticOperations"]
    assert operations["Effective_ACs"] == pytest.approx(short_run.summary["synaptic_ops_per_tick"])
    assert 0 < operations["Effective_MACs"] < operations["Dense"]
    assert metrics["MSE"] == pytest.approx(short_run.summary["rmse_m"] ** 2)
    encoder = adaptive_network(NetworkConfig(), load_arm("iiwa14")).encoder
    matrices = [np.asarray(w) for w in (encoder.w1, encoder.w2, encoder.w3)]
    # The encoder's neurons have one input each, the 1000 that learn one per feature and a decoder per joint.
    n_weights = sum(w.size for w in matrices) + 64 + 64 + 1000 * (len(encoder.w3) + 7)
    assert metrics["Footprint"] > 8 * n_weights
    assert metrics["ConnectionSparsity"] == sum(np.count_nonzero(w == 0) for w in matrices) / n_weights


def test_neurobench_metrics_are_of_the_reaches(spikearm, short_run, tmp_path):
    """What was counted on the way to a reach is no part of the task, as its error is none."""
    folder = tmp_path / "led"
    shutil.copytree(short_run.folder, folder)
    table = read_ticks(folder)
    way = {"reach": -1, "spikes": 1e6}
    led = table.slice(0, 50)
    for name, value in way.items():
        at = led.column_names.index(name)
        led = led.set_column(at, led.schema.field(at), pa.array([value] * 50, led.schema.field(at).type))
    pq.write_table(pa.concat_tables([led, table]), folder / "ticks.parquet")
    documents = []
    for run in (short_run.folder, folder):
        path = tmp_path / f"{run.name}.json"
        ended = spikearm("logs", "export", run, "--to", "neurobench", "--out", path, "--json")
        assert ended.document["n_ticks"] == table.num_rows
        documents.append(json.loads(path.read_text()))
    assert documents[0] == documents[1]


@pytest.fixture
def metrics(spikearm, tmp_path):
    """NeuroBench's metrics of a run made for it."""

    def of(**settings):
        run = execute(RunConfig(trials=1, duration_s=0.1, out=tmp_path, **settings), baseline=False)
        path = tmp_path / f"{run.folder.name}.json"
        assert spikearm("logs", "export", run.folder, "--to", "neurobench", "--out", path).code == 0
        return json.loads(path.read_text())

    return of


SMALL = NetworkConfig(n_neurons=60)


def test_neurobench_operations_are_of_weights_not_of_devices(metrics):
    one, four = (
        metrics(backend="crossbar", network=SMALL, crossbar=CrossbarConfig(devices_per_synapse=n))
        for n in (1, 4)
    )
    reference = metrics(network=SMALL)["SynapticOperations"]
    macs = one["SynapticOperations"]["Effective_MACs"]
    assert macs == four["SynapticOperations"]["Effective_MACs"]
    assert 0.9 * macs < reference["Effective_MACs"] <= macs  # at the very beginning some values are zero
    assert reference["Effective_ACs"] == pytest.approx(four["SynapticOperations"]["Effective_ACs"], rel=0.3)


def test_neurobench_has_no_multiplications_where_all_values_are_spikes(metrics):
    found = metrics(backend="loihi", network=SMALL)
    assert found["SynapticOperations"]["Effective_MACs"] == 0
    assert found["SynapticOperations"]["Effective_ACs"] > 0
    neurons = found["NeuronOperations"]
    assert 0 < neurons["Effective Neuron Ops"] < neurons["Neuron Dense Ops"] == 4 * found["MembraneUpdates"]


def test_neurobench_counts_executions_of_the_network_not_ticks(metrics):
    network = dataclasses.replace(SMALL, network_dt_s=0.0005)
    assert metrics(network=network)["MembraneUpdates"] == metrics(network=SMALL)["MembraneUpdates"] == 188


def test_run_without_network_has_nothing_for_neurobench(spikearm, tmp_path):
    run = execute(RunConfig(controller="osc", trials=1, duration_s=0.02, out=tmp_path)).folder
    ended = spikearm("logs", "export", run, "--to", "neurobench", "--out", tmp_path / "x.json")
    assert ended.code == 2
    assert "is a run of osc, without a network" in ended.complaint
    assert not (tmp_path / "x.json").exists()


def test_folder_that_is_not_there_is_explained(spikearm, tmp_path):
    ended = spikearm("logs", "export", tmp_path / "none", "--to", "csv")
    assert ended.code == 2
    assert "no run folder" in ended.complaint
    assert "`spikearm run` makes one" in ended.complaint
