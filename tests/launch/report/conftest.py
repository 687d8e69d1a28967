"""Short runs on every substrate, for the pages about them."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def pages(runs, tmp_path_factory) -> dict[str, Path]:
    """The page about each run, and one about all of them."""
    out = tmp_path_factory.mktemp("pages")
    pages = {name: write_report([folder], out / f"{name}.html") for name, folder in runs.items()}
    return pages | {"all": write_report(list(runs.values()), out / "all.html")}
