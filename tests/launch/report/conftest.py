"""Short runs on every substrate, for the pages about them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spikearm.controller.path import LEADING
from spikearm.controller.ticklog import read_ticks
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.report.command import write_report
from spikearm.launch.run import execute


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run folder for every backend, and one of a run without a network."""
    out = tmp_path_factory.mktemp("runs")
    network = NetworkConfig(n_neurons=200)
    shared = {"trials": 3, "duration_s": 0.6, "seed": 7, "out": out, "network": network}
    folders = {name: execute(RunConfig(backend=name, **shared)).folder for name in BACKENDS}
    return folders | {"osc": execute(RunConfig(controller="osc", **shared)).folder}


FAR_M, WILD_NM = 0.5, 1000.0
"""Where the arm is, and what the neurons say, in all that belongs to no reach."""


@pytest.fixture(scope="session")
def recovered(runs, tmp_path_factory) -> Path:
    """The run of three reaches as if it had stopped in its second, been led back, and done it again."""
    folder = tmp_path_factory.mktemp("recovered") / "run"
    shutil.copytree(runs["reference"], folder)
    ticks = read_ticks(folder)
    # On its way, the arm stands where the next reach begins.
    first, back = (_with(_wild(ticks.take([k] * 50)), reach=np.full(50, LEADING)) for k in (0, 200))
    cut = _wild(ticks.slice(200, 80))
    whole = pa.concat_tables([first, ticks.slice(0, 200), cut, back, ticks.slice(200)])
    n = whole.num_rows
    whole = _with(whole, tick=np.arange(n), t_s=1e-3 * np.arange(n))
    pq.write_table(whole.replace_schema_metadata(ticks.schema.metadata), folder / "ticks.parquet")
    (folder / "summary.json").unlink()
    spikes = dict(np.load(folder / "spikes.npz"))
    rows = np.concatenate([np.arange(n) for n in (50, 200, 80, 50, 400)])
    spikes["rows"] = spikes["rows"][rows]
    np.savez(folder / "spikes.npz", **spikes)
    return folder


def _wild(ticks: pa.Table) -> pa.Table:
    far = {f"ee_{axis}_m": ticks[f"ee_{axis}_m"].to_numpy() + FAR_M for axis in "xyz"}
    wild = [name for name in ticks.column_names if name.startswith("torque_adaptive_")]
    return _with(ticks, **far, **{name: np.full(ticks.num_rows, WILD_NM) for name in wild})


def _with(ticks: pa.Table, **columns: np.ndarray) -> pa.Table:
    for name, values in columns.items():
        at = ticks.column_names.index(name)
        ticks = ticks.set_column(at, ticks.schema.field(at), pa.array(values, ticks.schema.field(at).type))
    return ticks


@pytest.fixture(scope="session")
def pages(runs, recovered, tmp_path_factory) -> dict[str, Path]:
    """The page about each run, and one about all of them."""
    out = tmp_path_factory.mktemp("pages")
    pages = {name: write_report([folder], out / f"{name}.html") for name, folder in runs.items()}
    pages["recovered"] = write_report([recovered], out / "recovered.html")
    return pages | {"all": write_report(list(runs.values()), out / "all.html")}
