"""Runs that are not alike are told apart, and not compared as if they were."""

from __future__ import annotations

import dataclasses
import re
import shutil

import pyarrow.parquet as pq
import pytest

from spikearm.controller.ticklog import read_ticks
from spikearm.envs.perturbation import Perturbation
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.report.command import write_report
from spikearm.launch.report.conditions import alike, load_runs, warning
from spikearm.launch.report.headline import notes, subtitle
from spikearm.launch.report.page import sections
from spikearm.launch.run import execute
from spikearm.launch.summary import column, late_rms_m
from spikearm.launch.words import mm


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    """Folders of short runs by what is special about them."""
    plain = RunConfig(
        trials=2,
        duration_s=0.2,
        network=NetworkConfig(encoder="none", n_neurons=50),
        out=tmp_path_factory.mktemp("unlike"),
    )
    changes = {
        "plain": {},
        "small": {"network": NetworkConfig(encoder="none", n_neurons=40)},
        "arm": {"arm": "planar2"},
        "payload": {"perturbation": Perturbation(payload_kg=0.5)},
        "seed": {"seed": 3},
        "slow": {"duration_s": 0.4},
        "more": {"trials": 3, "duration_s": 0.3},
        "coarse": {"control_dt_s": 0.002},
        "pace": {"realtime": True},
        "pid": {"controller": "pid"},
    }
    return {name: execute(dataclasses.replace(plain, **change)).folder for name, change in changes.items()}


def labels(unlike, *names):
    return [run.label for run in load_runs([unlike[name] for name in names])]


def figure(runs, name):
    return next(f for part in sections(runs) for f in part.figures if f.name == name)


@pytest.mark.parametrize(
    ("name", "plain", "other"),
    [
        ("arm", "reference, iiwa14", "reference, planar2"),
        ("payload", "reference, 0.907 kg", "reference, 0.5 kg"),
        ("seed", "reference, seed 0", "reference, seed 3"),
        ("slow", "reference, 2 × 0.1 s", "reference, 2 × 0.2 s"),
        ("more", "reference, 2 × 0.1 s", "reference, 3 × 0.1 s"),
        ("coarse", "reference, ticks of 1 ms", "reference, ticks of 2 ms"),
        ("pace", "reference, free-running", "reference, in real time"),
        ("small", "reference, n neurons 50", "reference, n neurons 40"),
        ("pid", "reference", "pid"),
    ],
)
def test_label_says_what_differs(unlike, name, plain, other):
    assert labels(unlike, "plain", name) == [plain, other]


def test_runs_that_differ_in_nothing_are_named_after_their_folders(unlike):
    name = unlike["plain"].name
    assert labels(unlike, "plain", "plain") == [f"reference ({name})"] * 2


def test_runs_of_one_task_need_no_warning(unlike):
    runs = load_runs([unlike[name] for name in ("plain", "small", "pid")])
    assert warning(runs) is None
    assert [len(group) for group in alike(runs)] == [3]


def test_page_of_unlike_runs_says_so(unlike, tmp_path):
    page = write_report([unlike["plain"], unlike["arm"]], tmp_path / "page.html").read_text()
    assert "These runs differ in arm (iiwa14; planar2). Errors are compared only between runs" in page
    assert "2 runs of iiwa14 and planar2" in page
    assert "Least in the last" not in page


def test_least_error_is_said_only_of_runs_of_the_same_task(unlike):
    runs = load_runs([unlike[name] for name in ("plain", "pid", "payload")])
    (lead,) = next(part for part in sections(runs) if part.name == "tracking").lead
    found = re.search(r"Least in the last [a-z ]+ of 2 runs of the same task: ([^:]*), [\d.]+ mm", lead)
    assert found is not None
    assert found[1] in {run.label for run in runs[:2]}


def test_errors_without_adaptation_are_those_of_each_task(unlike):
    shown = figure(load_runs([unlike["plain"], unlike["payload"]]), "tracking-error")
    without = {t["name"]: t["y"] for t in shown.data if t["name"].startswith("without adaptation")}
    assert list(without) == [
        "without adaptation (0.907 kg)",
        "without adaptation (0.5 kg)",
    ]
    first, second = without.values()
    assert first != second


@pytest.fixture
def cut(unlike, tmp_path):
    """The run of three reaches as if killed in its third."""
    folder = tmp_path / "cut"
    shutil.copytree(unlike["more"], folder)
    ticks = read_ticks(folder)
    pq.write_table(ticks.slice(0, 250), folder / "ticks.parquet")
    (folder / "summary.json").unlink()
    return folder


def test_killed_run_is_compared_with_the_same_reaches_without_adaptation(unlike, cut):
    (run,) = load_runs([cut])
    (whole,) = load_runs([unlike["more"]])
    assert run.without_adaptation_m == whole.without_adaptation_m[:2]
    without, _ = figure([run], "tracking-error").data
    assert len(without["y"]) == 2
    late = mm(late_rms_m(run.without_adaptation_m))
    (lead,) = next(part for part in sections([run]) if part.name == "tracking").lead
    assert f"against {late} in the same reaches" in lead


def test_killed_run_says_what_is_not_there(cut):
    folder = cut
    (folder / "spikes.npz").unlink()
    (run,) = load_runs([folder])
    note = notes([run])[0]  # others may follow, of a torque limit
    assert note.startswith("reference ended early: 250 of the 300 ticks of its reaches are there.")
    assert note.endswith("Spikes, and the state of devices, are kept by runs that end by themselves.")


def test_killed_run_is_not_ranked_among_whole_ones(unlike, cut):
    runs = load_runs([cut, unlike["more"]])
    assert [len(group) for group in alike(runs)] == [1, 1]


def test_every_path_has_its_own_ideal(unlike):
    shown = figure(load_runs([unlike["plain"], unlike["payload"], unlike["seed"]]), "path-3d")
    ideals = [t for t in shown.data if t["name"].startswith("ideal")]
    assert len(ideals) == 2  # a payload does not change the way
    for trace, name in zip(ideals, ("plain", "seed"), strict=True):
        wanted = column(read_ticks(unlike[name]), "target_z_m")
        assert trace["z"] == pytest.approx(list(wanted), rel=1e-4)


def test_each_length_of_a_tick_has_its_deadline(unlike):
    shown = figure(load_runs([unlike["plain"], unlike["coarse"]]), "latency-stages")
    assert [line["x0"] for line in shown.layout["shapes"]] == [1.0, 2.0]
    assert [note["text"] for note in shown.layout["annotations"]] == ["deadline, 1 ms", "deadline, 2 ms"]


def test_missed_deadlines_of_another_pace_are_not_to_be_compared(unlike):
    runs = load_runs([unlike["plain"], unlike["pace"]])
    assert "Times and missed deadlines of the one kind cannot be compared" in warning(runs)


def test_subtitle_has_the_first_beginning(unlike):
    runs = load_runs([unlike["pid"], unlike["plain"]])
    begun = min(run.about["started_utc"] for run in runs)
    assert begun[:16].replace("T", " ") in subtitle(runs)
