"""A run from its configuration to its folder, and what is left of one that fails."""

from __future__ import annotations

import dataclasses
import gc
import json

import numpy as np
import pytest

from spikearm.controller.ticklog import log_description, read_ticks
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import SimulationDivergedError
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute
from spikearm.launch.run_folder import WITHOUT_ADAPTATION


@pytest.fixture
def config(tmp_path) -> RunConfig:
    return RunConfig(controller="osc", trials=1, duration_s=0.05, out=tmp_path / "runs")


@pytest.fixture
def failing_plant(monkeypatch):
    """An arm whose physics breaks in tick 20."""
    write = MujocoPlant.write
    written = []

    def break_down(self, torque):
        written.append(torque)
        if len(written) > 20:
            raise SimulationDivergedError("the arm came apart; lower the gains.")
        return write(self, torque)

    monkeypatch.setattr(MujocoPlant, "write", break_down)


def test_run_folder_holds_all_there_is_to_know(short_run):
    names = {path.name for path in short_run.folder.iterdir()}
    whole = {"run.json", "summary.json", "ledger.json", "ticks.parquet", "spikes.npz", WITHOUT_ADAPTATION}
    assert names == whole | {name for name in names if name.endswith(".png")}


def test_ledger_accounts_for_every_joule_of_the_summary(short_run):
    lines = json.loads((short_run.folder / "ledger.json").read_text())["lines"]
    for line in lines:
        assert line["joules_per_tick"] == pytest.approx(line["per_tick"] * line["joules_per_operation"])
        assert line["source"]
    model = short_run.summary["energy_model_j_per_tick"]
    for term, joules in model.items():
        booked = [
            li["joules_per_tick"]
            for li in lines
            if li["tier"] == "bottom-up" and term in (li["term"], "total")
        ]
        assert sum(booked) == pytest.approx(joules)
    chip = [line["joules_per_tick"] for line in lines if line["tier"] == "chip-anchored"]
    assert sum(chip) == pytest.approx(short_run.summary["energy_chip_j_per_tick"])


def test_pulses_on_the_devices_are_the_joules_of_programming(config):
    """From the devices' own counters, by the published energy of a pulse, to the ledger of a whole run."""
    settings = dataclasses.replace(config, controller="adaptive", arm="planar2", backend="crossbar", trials=4)
    finished = execute(settings, baseline=False)
    (wear,) = finished.summary["wear"]
    n_set, n_reset = (wear["n_devices"] * wear[name] for name in ("set_mean", "reset_mean"))
    assert n_set > 0
    lines = json.loads((finished.folder / "ledger.json").read_text())["lines"]
    n_ticks = finished.summary["n_ticks"]
    booked = {li["operation"]: n_ticks * li["joules_per_tick"] for li in lines if li["term"] == "programming"}
    n_verify = next(li["per_tick"] for li in lines if li["operation"] == "verify_reads") * n_ticks
    assert booked["set_pulses"] == pytest.approx(n_set * 22e-12)
    assert booked["reset_pulses"] == pytest.approx(n_reset * 12e-12, abs=1e-18)
    joules = n_set * 22e-12 + n_reset * 12e-12 + n_verify * 1.56e-12
    assert n_ticks * finished.summary["energy_model_j_per_tick"]["programming"] == pytest.approx(joules)


def test_chip_figure_stands_beside_what_the_model_has_for_the_same(config, short_run):
    model = short_run.summary["energy_model_j_per_tick"]
    assert short_run.summary["energy_model_of_chip_scope_j_per_tick"] == pytest.approx(model["total"])
    settings = dataclasses.replace(config, controller="adaptive", arm="planar2", backend="crossbar")
    summary = execute(settings, baseline=False).summary
    model = summary["energy_model_j_per_tick"]
    products = sum(model[term] for term in ("cell_read", "row_driver", "dac", "adc", "digital"))
    assert summary["energy_model_of_chip_scope_j_per_tick"] == pytest.approx(products)
    assert products < model["total"]


def test_default_name_says_what_ran(config):
    assert execute(config).folder.name.endswith("Z-osc-iiwa14")
    adaptive = dataclasses.replace(config, controller="adaptive", arm="planar2", backend="crossbar")
    assert execute(adaptive, baseline=False).folder.name.endswith("Z-adaptive-crossbar-planar2")


def test_log_carries_a_hash_of_the_settings_wherever_it_is_kept(config, tmp_path):
    def config_hash(settings: RunConfig) -> str:
        return log_description(read_ticks(execute(settings).folder))["config_hash"]

    moved = dataclasses.replace(config, out=tmp_path / "elsewhere", name="another")
    assert config_hash(config) == config_hash(moved)
    assert config_hash(config) != config_hash(dataclasses.replace(config, seed=1))


def test_every_tick_is_shown_after_it_was_recorded(config):
    shown = []
    execute(config, on_tick=lambda record: shown.append(record.state.t_s))
    np.testing.assert_allclose(shown, 0.001 * np.arange(50), atol=1e-9)


def test_run_that_fails_keeps_its_ticks(config, failing_plant):
    with pytest.raises(SimulationDivergedError, match="came apart"):
        execute(config)
    (folder,) = config.out.iterdir()
    assert read_ticks(folder).num_rows == 20
    assert (folder / "run.json").is_file()
    assert not (folder / "summary.json").exists()


def test_run_that_fails_says_so(spikearm, tmp_path, failing_plant):
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.05, "--out", tmp_path, "--json")
    ended = spikearm("run", *words)
    assert (ended.code, ended.out) == (1, "")
    assert "SimulationDivergedError: the arm came apart; lower the gains." in ended.err


def test_garbage_is_collected_again_after_a_run(config, failing_plant):
    assert gc.isenabled()
    with pytest.raises(SimulationDivergedError):
        execute(config)
    assert gc.isenabled()


def test_summary_of_the_folder_is_the_one_returned(short_run):
    assert json.loads((short_run.folder / "summary.json").read_text()) == short_run.summary


@pytest.mark.parametrize("backend", ["reference", "loihi", "crossbar"])
def test_modelled_latency_may_delay_the_torque(config, backend):
    settings = dataclasses.replace(config, controller="adaptive", backend=backend, actuation_delay="modelled")
    assert execute(settings, baseline=False).summary["n_ticks"] == 50


def test_real_time_keeps_pace_with_the_wall_clock(config):
    """Ticks are never begun early; how late they are is the machine's business."""
    table = read_ticks(execute(dataclasses.replace(config, realtime=True)).folder)
    assert (table["lateness_s"].to_numpy() >= 0).all()


def test_run_on_loihi_keeps_how_much_of_the_chip_it_takes_up(config):
    settings = dataclasses.replace(config, controller="adaptive", backend="loihi")
    finished = execute(settings, baseline=False)
    document = json.loads((finished.folder / "utilisation.json").read_text())
    assert document["used"] == len(document["parts"]) > 0
    assert document["limit"] == 128
    assert finished.summary["utilisation"].startswith(
        f"{document['used']} of 128 cores; at most compartments"
    )
    assert sum(part["compartments"]["used"] for part in document["parts"]) > 1000
