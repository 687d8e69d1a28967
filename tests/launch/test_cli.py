"""Every command from its arguments to exit code, stdout and run folder."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spikearm.controller.ticklog import read_ticks
from spikearm.envs.arms import ARMS
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.config import RunConfig, load_config
from spikearm.launch.device_variants import DEVICE_VARIANTS, STANDARD
from spikearm.launch.main import COMMANDS
from spikearm.version import __version__

SHORT = ("--trials", 1, "--duration-s", 0.1)


def numbers(value: object) -> list[float]:
    if isinstance(value, dict | list):
        return [n for v in (value.values() if isinstance(value, dict) else value) for n in numbers(v)]
    return [value] if isinstance(value, int | float) else []


@pytest.mark.parametrize("backend", BACKENDS)
def test_run_prints_one_json_document_and_keeps_it(spikearm, tmp_path, backend):
    ended = spikearm("run", *SHORT, "--backend", backend, "--out", tmp_path, "--json")
    assert ended.code == 0
    document = ended.document
    assert (document["backend"], document["n_ticks"], document["arm"]) == (backend, 100, "iiwa14")
    assert all(map(math.isfinite, numbers(document)))
    (folder,) = tmp_path.iterdir()
    assert document["run_dir"] == str(folder)
    assert json.loads((folder / "summary.json").read_text()) == document
    assert read_ticks(folder).num_rows == 100


def test_run_without_json_prints_nothing_on_stdout(spikearm, tmp_path):
    ended = spikearm("run", *SHORT, "--controller", "osc", "--out", tmp_path)
    assert (ended.code, ended.out) == (0, "")
    assert "tracking error" in ended.err


@pytest.mark.parametrize("controller", ["pd", "pid", "osc"])
@pytest.mark.parametrize("arm", ["iiwa14", "planar2", "planar3"])
def test_every_arm_runs_under_every_law(spikearm, tmp_path, arm, controller):
    # Slow enough for the rate at which torque may change.
    words = ("--trials", 1, "--duration-s", 0.3, "--distance-m", 0.02, "--payload-kg", 0)
    ended = spikearm("run", *words, "--arm", arm, "--controller", controller, "--out", tmp_path, "--json")
    assert ended.code == 0
    assert ended.document["rmse_m"] < 1e-3
    assert ended.document["spikes_per_tick"] == 0


@pytest.mark.parametrize("arm", ["planar2", "planar3"])
def test_planar_arms_adapt(spikearm, tmp_path, arm):
    ended = spikearm("run", *SHORT, "--arm", arm, "--n-neurons", 200, "--out", tmp_path, "--json")
    assert ended.code == 0
    assert ended.document["spikes_per_tick"] > 0


def test_arm_from_a_file_needs_no_encoder(spikearm, tmp_path):
    path = tmp_path / "mine.xml"
    path.write_text(ARMS["planar2"].path.read_text())
    ended = spikearm("run", *SHORT, "--arm", path, "--out", tmp_path / "runs", "--json")
    assert ended.code == 0
    assert ended.document["spikes_per_tick"] > 0


def test_run_of_a_single_tick_has_a_summary(spikearm, tmp_path):
    ended = spikearm("run", "--trials", 1, "--duration-s", 0.001, "--out", tmp_path, "--json")
    assert ended.code == 0
    assert ended.document["n_ticks"] == 1
    assert ended.document["latency_measured_s"] == {"p50": None, "p95": None, "p99": None, "max": None}
    assert ended.document["latency_stages_s"]["log"] is None


def test_folder_may_have_brackets_in_its_name(spikearm, tmp_path):
    """They are markup to the library that prints."""
    out = tmp_path / "[bold]a[" / "b]"
    ended = spikearm("run", *SHORT, "--controller", "osc", "--out", out, "--json")
    assert ended.code == 0
    assert f"figure: {ended.document['run_dir']}/tracking.png" in ended.err
    assert spikearm("logs", "recover", ended.document["run_dir"]).code == 0


def test_run_json_of_one_run_starts_the_same_again(spikearm, tmp_path):
    words = ("--seed", 5, "--controller", "osc", "--payload-kg", 0.3, "--out", tmp_path, "--json")
    first = spikearm("run", *SHORT, *words).document
    again = spikearm("run", "--config", f"{first['run_dir']}/run.json", "--json").document
    assert again["run_dir"] != first["run_dir"]
    for key in ("seed", "controller", "payload_kg", "rmse_m", "final_error_m"):
        assert again[key] == first[key]


def test_command_line_comes_on_top_of_the_file(spikearm, tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('controller = "osc"\nseed = 4\n[perturbation]\npayload_kg = 0.25\n')
    ended = spikearm("run", "--config", path, *SHORT, "--seed", 6, "--out", tmp_path / "runs", "--json")
    document = ended.document
    assert (document["controller"], document["payload_kg"], document["seed"]) == ("osc", 0.25, 6)
    ended = spikearm("run", *SHORT, "--seed", 6, f"--config={path}", "--out", tmp_path / "runs", "--json")
    assert (ended.document["controller"], ended.document["seed"]) == ("osc", 6)


def test_ready_made_experiment_is_run_by_name(spikearm, tmp_path):
    ended = spikearm("run", "--config", "payload-loihi", *SHORT, "--out", tmp_path, "--json")
    assert ended.document["backend"] == "loihi"
    (folder,) = tmp_path.iterdir()
    kept = load_config(str(folder / "run.json"), RunConfig())
    expected = load_config("payload-loihi", RunConfig(trials=1, duration_s=0.1, out=tmp_path))
    assert kept == dataclasses.replace(expected, name=kept.name)


def test_runs_of_one_second_do_not_disturb_one_another(spikearm, tmp_path):
    words = ("run", "--trials", 1, "--duration-s", 0.01, "--controller", "osc", "--out", tmp_path, "--json")
    folders = {spikearm(*words).document["run_dir"] for _ in range(3)}
    assert len(folders) == 3


def test_compare_puts_all_runs_side_by_side(spikearm, tmp_path):
    ended = spikearm("compare", "--trials", 1, "--duration-s", 0.05, "--out", tmp_path, "--json")
    assert ended.code == 0
    document = ended.document
    labels = [run["label"] for run in document["runs"]]
    assert labels == ["no payload", "no adaptation", "pid", *BACKENDS]
    assert list(document["normalised_error"]) == labels
    for run in document["runs"]:
        assert read_ticks(tmp_path / run["run_dir"]).num_rows == 50
    assert document["runs"][0]["payload_kg"] == 0.0
    (folder,) = tmp_path.iterdir()
    assert json.loads((folder / "compare.json").read_text()) == document
    assert re.search(rf"next: spikearm report {re.escape(str(folder))}(\s|$)", ended.complaint)
    assert "loihi (5 of 6)" in ended.complaint
    assert spikearm("report", folder, "--out", tmp_path / "report.html").code == 0
    assert (folder / "comparison.png").stat().st_size > 1000


def test_compare_goes_through_kinds_of_crossbar(spikearm, tmp_path):
    words = ("compare", "--trials", 2, "--duration-s", 0.04, "--arm", "planar2", "--n-neurons", 40)
    ended = spikearm(*words, "--devices", "--variants", "ideal", "mpes", "--out", tmp_path, "--json")
    assert ended.code == 0
    labels = [run["label"] for run in ended.document["runs"]]
    kinds = (*STANDARD, "ideal", "mpes")
    assert labels[-len(kinds) :] == [DEVICE_VARIANTS[name].label for name in kinds]
    folders = {Path(run["run_dir"]).name.partition("Z-")[2] for run in ended.document["runs"]}
    assert set(kinds) <= folders
    rows = [line for line in ended.err.splitlines() if line.startswith("│")]
    assert sum(line.startswith("│PCM, fresh ") for line in rows) == 2  # what it does, what it takes
    assert max(map(len, rows)) <= 100
    assert "…" not in "".join(rows)


def test_an_unknown_kind_of_crossbar_is_refused(spikearm, tmp_path):
    ended = spikearm("compare", "--variants", "pair-4", "--out", tmp_path)
    assert ended.code == 2
    assert "no device variant named 'pair-4'" in ended.err
    assert not list(tmp_path.iterdir())


def test_logs_recover_says_that_a_closed_log_needs_nothing(spikearm, short_run):
    ended = spikearm("logs", "recover", short_run.folder, "--json")
    assert ended.code == 0
    assert ended.document["n_ticks"] == 400
    assert "nothing to recover" in ended.document["reason"]


def test_doctor_prints_its_findings(spikearm):
    ended = spikearm("doctor", "--json")
    assert ended.code == 0
    findings = ended.document["findings"]
    assert {f["verdict"] for f in findings} <= {"good", "note"}
    subjects = [f["subject"] for f in findings]
    assert {"python", "numpy", "mujoco", "nengo", "nengo-loihi", "processors", "energy meter"} <= set(
        subjects
    )
    for finding in findings:
        assert finding["found"]
        assert finding["verdict"] == "good" or finding["remedy"] or "not visible" in finding["found"]


def test_help_of_run_lists_the_promised_options(spikearm):
    shown = spikearm("run", "--help").out
    for option in (
        *("backend", "arm", "controller", "payload-kg", "duration-s", "trials", "seed"),
        *("control-dt-s", "out", "config", "json"),
    ):
        assert f"--{option}" in shown


@pytest.mark.parametrize("words", [("--help",), ("-h",)])
def test_overview_lists_every_command(spikearm, words):
    ended = spikearm(*words)
    assert ended.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in ended.out


def test_version_is_printed(spikearm):
    ended = spikearm("--version")
    assert (ended.code, ended.out) == (0, f"spikearm {__version__}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_a_module_of_its_own(command):
    module = importlib.import_module(f"spikearm.launch.{COMMANDS[command][0]}")
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0


def test_module_runs_as_a_script(process):
    with process("--help", module="run_command") as running:
        out, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "usage: spikearm run" in out


def test_device_and_overrides_are_options(spikearm, tmp_path):
    overrides = '{"learned": {"devices_per_synapse": 4}}'
    words = ("--backend", "crossbar", "--device", "reram-gong2018", "--overrides", overrides)
    ended = spikearm("run", *SHORT, "--distance-m", 0.005, *words, "--out", tmp_path, "--json")
    assert ended.code == 0
    config = json.loads((next(tmp_path.iterdir()) / "run.json").read_text())["config"]["crossbar"]
    assert config["device"] == "reram-gong2018"
    assert config["overrides"] == {"learned": {"devices_per_synapse": 4}}
    (wear,) = ended.document["wear"]
    assert wear["n_devices"] == 1000 * 7 * 8
    assert wear["lifetime_h"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--device", "reram-gong"), "no crossbar device named 'reram-gong'"),
        (("--overrides", "{"), "'{' is not JSON"),
        (("--overrides", "[1]"), "'[1]' is no table"),
        (("--rest-s", "-1"), "rest_s must be 0 or a positive number of seconds, not -1.0"),
        (
            ("--rest-s", "60", "--trials", "1"),
            "rest_s = 60 passes half-way, between two reaches; set trials to 2",
        ),
        (("--rest-s", "1e10", "--trials", "2"), "the device is described from 0 s to 3.1536e+07 s after"),
        (
            ("--device", "nb-srtio3", "--rest-s", "86400", "--trials", "2"),
            "age is not modelled); choose a time",
        ),
        (("--committee", "2", "--encoder", "none"), "committee=2 is of encoders, and this network has none"),
    ],
)
def test_bad_substrate_is_explained(spikearm, tmp_path, words, message):
    ended = spikearm("run", *SHORT, "--backend", "crossbar", *words, "--out", tmp_path)
    assert ended.code == 2
    assert message in ended.complaint


def test_a_day_between_reaches_changes_what_comes_after(spikearm, tmp_path):
    errors = []
    for rest_s in (0, 86400):
        words = ("--backend", "crossbar", "--trials", 2, "--duration-s", 0.2, "--rest-s", rest_s)
        errors.append(spikearm("run", *words, "--out", tmp_path, "--json").document["rmse_m_by_trial"])
    assert errors[0][0] == errors[1][0]
    assert errors[0][1] != errors[1][1]


def test_reader_who_stops_reading_is_no_error():
    command = f"{sys.executable} -m spikearm.launch.main logs export --help | true"
    ended = subprocess.run(  # noqa: S602 - ours
        command, shell=True, capture_output=True, text=True, check=False
    )
    assert ended.stderr == ""
