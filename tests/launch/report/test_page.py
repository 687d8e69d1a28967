from __future__ import annotations

import base64
import gzip
import json
import re
import shutil

import numpy as np
import plotly.graph_objects as go
import pyarrow.parquet as pq
import pytest

from spikearm.controller.ticklog import read_ticks
from spikearm.launch.compare import compare
from spikearm.launch.config import RunConfig
from spikearm.launch.display import LivePanel
from spikearm.launch.report.command import write_report
from spikearm.launch.report.conditions import alike, load_runs
from spikearm.launch.report.page import sections
from spikearm.launch.summary import column
from spikearm.launch.words import last_reaches, times_as_much

WILD_NM = 1000.0
"""What the neurons of the recovered run say in all that belongs to no reach."""
ALWAYS = {"tracking-error", "path-3d", "latency-stages", "latency-tail"}
ADAPTIVE = {"energy-terms", "missing-torque", "firing-rates"}


def figures(folders) -> dict:
    return {f.name: f for part in sections(load_runs(folders)) for f in part.figures}


def unpacked(page, name):
    """What the browser will inflate."""
    (text,) = re.findall(rf'<script type="application/gzip" id="{name}">([^<]*)</script>', page.read_text())
    return gzip.decompress(base64.b64decode(text)).decode()


@pytest.mark.parametrize("name", ["reference", "loihi", "crossbar", "osc", "all"])
def test_page_is_small_and_loads_nothing(pages, name):
    text = pages[name].read_text()
    assert len(text) < 5e6
    own = re.sub(r'<script type="application/gzip".*?</script>', "", text, flags=re.DOTALL)
    assert not re.search(r'(src|href)="(?!#|data:)', own)
    assert "http" not in own
    assert "$" not in own.replace("${error}", "")


@pytest.mark.parametrize("name", ["reference", "loihi", "crossbar", "osc"])
def test_run_has_the_figures_that_it_has_data_for(runs, name):
    found = set(figures([runs[name]]))
    substrate = {f for f in found if f.startswith(("cores-", "conductance-", "devices-"))}
    assert found - substrate == ALWAYS | (set() if name == "osc" else ADAPTIVE | {"spike-raster"})
    kinds = {"loihi": {"cores"}, "crossbar": {"conductance", "devices"}}
    assert {f.split("-")[0] for f in substrate} == kinds.get(name, set())


def test_several_runs_share_each_figure(runs):
    shown = figures(list(runs.values()))
    assert set(shown) >= ALWAYS | ADAPTIVE
    names = {trace["name"] for trace in shown["tracking-error"].data}
    assert names == {"without adaptation", *runs}
    assert {trace["name"] for trace in shown["missing-torque"].data} == {"reference", "loihi", "crossbar"}
    colours = {t["name"]: t["line"]["color"] for t in shown["tracking-error"].data}
    assert len(set(colours.values())) == 5
    for trace in shown["missing-torque"].data:
        assert trace["line"]["color"] == colours[trace["name"]]


@pytest.mark.parametrize("name", ["reference", "loihi", "crossbar", "all"])
def test_every_figure_is_valid_and_has_data(pages, name):
    for figure in json.loads(unpacked(pages[name], "figures")).values():
        for trace in figure["data"]:
            values = trace.get("z") if trace["type"] == "heatmap" else trace["x"]
            assert any(value is not None for value in values)
        go.Figure(with_colours(figure))


def with_colours(value):
    """Names of the style sheet's colours are replaced by the page; Plotly's own checks know only colours."""
    if isinstance(value, dict):
        return {k: with_colours(v) for k, v in value.items()}
    if isinstance(value, list):
        return [with_colours(v) for v in value]
    return "#123456" if isinstance(value, str) and value.startswith("--") else value


def test_figures_show_what_the_log_says(runs):
    folder = runs["reference"]
    shown = figures([folder])
    summary = json.loads((folder / "summary.json").read_text())
    without, with_ = (trace["y"] for trace in shown["tracking-error"].data)
    before = summary["rmse_m_by_trial_without_adaptation"]
    assert with_ == pytest.approx([1e3 * e for e in summary["rmse_m_by_trial"]], rel=1e-3)
    assert without == pytest.approx([1e3 * e for e in before], rel=1e-3)
    table = read_ticks(folder)
    path = next(t for t in shown["path-3d"].data if t["name"] == "last two reaches")
    last = column(table, "reach") >= 1
    for axis in "xyz":
        ends = column(table, f"ee_{axis}_m")[last][[0, -1]]
        assert [path[axis][0], path[axis][-1]] == pytest.approx(list(ends), rel=1e-4)
    bars = {y: x for t in shown["energy-terms"].data for x, y in zip(t["x"], t["y"], strict=True)}
    model = summary["energy_model_j_per_tick"]
    assert bars["synapses"] == pytest.approx(model["synapses"], rel=1e-3)
    assert bars["sum of these"] == pytest.approx(model["total"], rel=1e-3)
    assert bars["chip-anchored"] == pytest.approx(summary["energy_chip_j_per_tick"], rel=1e-3)


def test_magnified_path_keeps_the_ideal_and_moves_the_rest_tenfold(runs):
    figure = figures([runs["reference"]])["path-3d"]
    true, magnified = (np.array(b["args"][0]["z"][1]) for b in figure.layout["updatemenus"][0]["buttons"])
    ideal_true, ideal_magnified = (b["args"][0]["z"][0] for b in figure.layout["updatemenus"][0]["buttons"])
    assert ideal_true == ideal_magnified
    table = read_ticks(runs["reference"] / "without-adaptation")
    last = column(table, "reach") >= 1
    wanted = column(table, "target_z_m")[last][-1]
    assert magnified[-1] - wanted == pytest.approx(10 * (true[-1] - wanted), abs=2e-4)


def test_tiers_of_energy_and_their_ratio_are_said_in_words(pages):
    text = pages["loihi"].read_text()
    assert re.search(r"The chip-anchored figure, [\d.]+ µJ, is \d+ times the bottom-up sum", text)
    assert "they are not to be added" in text


def test_page_of_a_comparison_has_its_runs_and_labels(tmp_path):
    config = RunConfig(trials=1, duration_s=0.05, out=tmp_path)
    folder = compare(config, panel=lambda label, named: LivePanel(named, label))["run_dir"]
    moved = tmp_path / "moved"
    shutil.move(folder, moved)
    runs = load_runs([moved])
    assert [run.label for run in runs] == [
        "no payload",
        "no adaptation",
        "pid",
        "reference",
        "loihi",
        "crossbar",
    ]
    assert len(sections(runs)) >= 5


@pytest.mark.parametrize(
    ("counts", "words"),
    [((1,), "last reach"), ((2, 2), "last two reaches"), ((3,), "last three reaches")],
)
def test_last_reaches_are_as_many_as_there_are(counts, words):
    assert last_reaches(counts) == words
    assert last_reaches((*counts, 3)) in {words, "last three reaches or fewer"}


@pytest.mark.parametrize(
    ("without_m", "with_m", "words"),
    [
        (0.016, 0.002, ", 8 times as much"),
        (0.002, 0.0025, ", 0.8 times as much"),
        (0.3001, 0.3, ", as much"),
        (12.0, 0.001, ", 12,000 times as much"),
        (0.3, 0.0, ""),
    ],
)
def test_error_without_adaptation_is_said_as_a_ratio(without_m, with_m, words):
    assert times_as_much(without_m, with_m) == words


LINK = {
    "monitor_only": False,
    "success_rate": 0.9978,
    "success_rate_min_100": 0.88,
    "robot_longest_run_of_misses": 1,
    "round_trip_s": {"p50": 2e-4, "p99_9": 4e-4},
    "period_error_s": {"p50": None},
    "state_delay_s": {"p50": 1e-5},
    "network_age_s": {"p50": 0.0},
    "states": 4225,
    "states_skipped": 1,
    "states_refused": {},
    "stops": [{"tick": 7, "why": "commands missed", "recovered": True}],
    "lock_step": False,
}


@pytest.fixture
def linked(runs, tmp_path):
    """A run as if it had been on an arm across a wire, led to its path in 50 ticks."""
    folder = tmp_path / "linked"
    shutil.copytree(runs["reference"], folder)
    summary = json.loads((folder / "summary.json").read_text())
    summary |= {"link": LINK, "n_ticks": summary["n_ticks"] + 50, "lead_in_ticks": 50}
    summary["deadline_misses"] = 1
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_page_of_a_hardware_run_has_its_link(linked, runs):
    parts = {part.name: part for part in sections(load_runs([linked]))}
    (table,) = parts["link"].tables
    rows = dict(table.rows)
    assert rows["commands in time"] == "99.78 %, 88 % in the worst 100"
    assert rows["longest run of misses"] == "1 tick"
    assert rows["round trip"] == "p50 0.200 ms, p99.9 0.400 ms"
    assert rows["period error"] == "-"
    assert "Stop at tick 7, recovered: commands missed" in parts["link"].lead
    assert parts["link"].lead[1].startswith("50 of the 650 ticks led the arm to its path")
    assert "they belong to no reach, and no tracking error counts them" in parts["link"].lead[1]
    assert rows["age of the network's output"] == "-"
    assert "link" not in {part.name for part in sections(load_runs([runs["reference"]]))}


def test_page_of_a_run_that_only_looked_does_not_say_that_the_arm_was_led(linked):
    summary = json.loads((linked / "summary.json").read_text())
    summary["link"]["monitor_only"] = True
    (linked / "summary.json").write_text(json.dumps(summary))
    parts = {part.name: part for part in sections(load_runs([linked]))}
    assert parts["link"].lead[1].startswith("50 of the 650 ticks would have led the arm to its path")


def test_page_of_a_hardware_run_says_how_to_repeat_it(linked):
    provenance = next(part for part in sections(load_runs([linked])) if part.name == "provenance")
    ((_, command),) = provenance.tables[0].rows
    assert command == f"spikearm hardware run --config {linked / 'run.json'}"
    assert "times decide" in provenance.lead[1]


@pytest.mark.parametrize(
    ("revision", "shown"), [({"git_revision": "1a2b3c-dirty"}, " (revision 1a2b3c-dirty)"), ({}, "")]
)
def test_page_says_which_revision_a_run_was_made_with(runs, tmp_path, revision, shown):
    folder = tmp_path / "run"
    shutil.copytree(runs["osc"], folder)
    about = json.loads((folder / "run.json").read_text())
    about.pop("git_revision", None)
    (folder / "run.json").write_text(json.dumps(about | revision))
    provenance = next(part for part in sections(load_runs([folder])) if part.name == "provenance")
    assert f"Made with spikearm {about['spikearm']}{shown}, python" in " ".join(provenance.lead)


def test_late_ticks_hold_up_a_simulated_arm_and_no_other(linked):
    def lead(folder):
        return next(part for part in sections(load_runs([folder])) if part.name == "latency").lead[0]

    waited = "The simulated arm waited for them"
    assert "Other programs on the computer can make ticks late, too." in lead(linked)
    assert waited not in lead(linked)
    summary = json.loads((linked / "summary.json").read_text())
    del summary["link"]
    (linked / "summary.json").write_text(json.dumps(summary))
    assert waited in lead(linked)


def test_axis_of_energies_has_few_decades_with_units(runs):
    for name in ("reference", "crossbar", "loihi"):
        axis = figures([runs[name]])["energy-terms"].layout["xaxis"]
        assert 1 <= len(axis["ticktext"]) <= 6
        assert all(re.fullmatch(r"10{0,2} [a-zµ]?J", text) for text in axis["ticktext"])


def test_report_of_a_killed_run_says_that_it_ended_early(runs, tmp_path):
    folder = tmp_path / "cut"
    shutil.copytree(runs["reference"], folder)
    (folder / "spikes.npz").unlink()
    summary = json.loads((folder / "summary.json").read_text())
    summary.update(interrupted=True, n_ticks=123)
    (folder / "summary.json").write_text(json.dumps(summary))
    (run,) = load_runs([folder])
    assert not any(part.name == "spikes" for part in sections([run]))
    assert "spike-raster" not in figures([folder])


@pytest.mark.parametrize("duration_s", [0.001, 0.003])
def test_shortest_runs_have_a_page(spikearm, tmp_path, duration_s):
    assert spikearm("run", "--trials", 1, "--duration-s", duration_s, "--out", tmp_path).code == 0
    (folder,) = tmp_path.iterdir()
    ended = spikearm("report", folder, "--json")
    assert ended.code == 0
    assert ended.document["path"] == str(folder / "report.html")


def test_newest_run_is_reported_without_naming_it(spikearm, runs, tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    for i, name in enumerate(("loihi", "osc")):
        shutil.copytree(runs[name], tmp_path / "runs" / f"2026010{i}T000000Z-{name}")
    monkeypatch.chdir(tmp_path)
    ended = spikearm("report", "--json")
    assert ended.code == 0
    assert ended.document["runs"] == ["runs/20260101T000000Z-osc"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no run in .*; make one with `spikearm run`, or name its folder"),
        (("none",), "no run folder none; `spikearm run` makes one"),
        (("empty",), "empty holds no ticks: there is neither ticks.parquet nor ticks.journal in it"),
    ],
)
def test_nothing_to_report_is_explained(spikearm, tmp_path, monkeypatch, words, message):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    ended = spikearm("report", *words)
    assert ended.code == 2
    assert re.search(message, ended.complaint)


def test_page_of_several_runs_leaves_their_own_alone(spikearm, short_run, tmp_path):
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        shutil.copytree(short_run.folder, folder)
        (folder / "report.html").write_text("its own")
    assert spikearm("report", *folders, "--json").document["path"] == str(tmp_path / "side-by-side.html")
    assert all((folder / "report.html").read_text() == "its own" for folder in folders)


def test_ticks_in_which_learning_stood_still_are_on_top(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs["reference"], run)
    summary = json.loads((run / "summary.json").read_text())
    for n, said in ((0, False), (123, True)):
        (run / "summary.json").write_text(json.dumps(summary | {"lagging_ticks": n}))
        page = write_report([run], tmp_path / "page.html").read_text()
        words = (
            "in 123 of 600 ticks the torque lagged behind what was asked for, because no torque may change "
            "faster than 1000 N m/s, and learning stood still in them."
        )
        assert (words in page) == said
    assert "learning stood still" not in write_report([runs["osc"]], tmp_path / "osc.html").read_text()


def lines(figure):
    return {trace["name"]: trace for trace in figure.data}


def test_page_of_a_recovered_run_has_the_whole_reaches_alone(runs, recovered):
    """The attempt that was cut short and the ways to reaches are in no figure of the reaches."""
    before, after = figures([runs["reference"]]), figures([recovered])
    for name in ("tracking-error", "path-3d"):
        shown, wanted = lines(after[name]), lines(before[name])
        assert list(shown) == list(wanted)
        for line, trace in wanted.items():
            for axis in set("xyz") & set(trace):
                assert shown[line][axis] == pytest.approx(trace[axis], rel=1e-9), (name, line)


def test_missing_torque_of_a_recovered_run_is_that_in_reaches(runs, recovered):
    shown = figures([recovered])["missing-torque"]
    for trace in shown.data:
        seen = np.array([np.nan if y is None else y for y in trace["y"]])
        assert np.nanmax(np.abs(seen)) < 0.5 * WILD_NM
        assert np.isnan(seen).mean() == pytest.approx(180 / 780, abs=0.01)
    words = [
        next(part for part in sections(load_runs([run])) if part.name == "torque").lead[0]
        for run in (runs["reference"], recovered)
    ]
    assert words[0] == words[1]
    left = lines(figures([runs["osc"], recovered, runs["reference"]])["missing-torque"])
    (twice, once) = (trace["y"] for trace in left.values())
    assert twice == pytest.approx(once, rel=0.02)


def test_raster_of_a_recovered_run_is_of_whole_reaches(recovered):
    times_s = [t for trace in figures([recovered])["spike-raster"].data for t in trace["x"]]
    assert min(times_s) >= 0.38


def test_summary_of_a_recovered_run_is_of_its_reaches(runs, recovered):
    (run,) = load_runs([recovered])
    whole = json.loads((runs["reference"] / "summary.json").read_text())
    assert run.summary["rmse_m_by_trial"] == pytest.approx(whole["rmse_m_by_trial"])
    assert run.summary["duration_s"] == pytest.approx(0.6)
    counted = ("n_ticks", "lead_in_ticks", "reach_ticks", "reaches_done", "interrupted")
    assert [run.summary[name] for name in counted] == [780, 100, 600, 3, False]


@pytest.fixture
def begun(runs, tmp_path):
    """The run as if it had been killed in its first reach."""
    folder = tmp_path / "begun"
    shutil.copytree(runs["reference"], folder)
    pq.write_table(read_ticks(folder).slice(0, 150), folder / "ticks.parquet")
    (folder / "summary.json").unlink()
    return folder


def test_part_of_a_reach_is_not_compared_with_a_whole_one(begun, runs):
    page = write_report([begun], begun / "page.html").read_text()
    assert "times as much" not in page
    assert "before the end of its first reach" in page
    (trace,) = figures([begun])["tracking-error"].data
    assert len(trace["y"]) == 1
    short = [begun, runs["reference"]]
    assert len(alike(load_runs(short))) == 2


def test_summary_of_an_older_version_is_completed_from_the_ticks(linked, spikearm):
    path = linked / "summary.json"
    summary = json.loads(path.read_text())
    for name in ("lead_in_ticks", "reach_ticks", "reaches_done", "lagging_ticks"):
        del summary[name]
    path.write_text(json.dumps(summary))
    assert spikearm("report", linked).code == 0
    (run,) = load_runs([linked])
    assert run.summary["link"] == LINK
    assert run.summary["reaches_done"] == 3
    assert run.summary["lead_in_ticks"] == 0


@pytest.mark.parametrize(
    ("least_m", "type_"), [(1e-4, "log"), (1e-2, None), (0.0, None), (float("nan"), None)]
)
def test_errors_that_lie_far_apart_have_a_logarithmic_axis(runs, tmp_path, least_m, type_):
    folders = []
    for name, error_m in (("osc", 0.02), ("reference", least_m)):
        folders.append(tmp_path / name)
        shutil.copytree(runs[name], folders[-1])
        path = folders[-1] / "summary.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"rmse_m_by_trial": [error_m] * 3}))
        shutil.rmtree(folders[-1] / "without-adaptation", ignore_errors=True)
    axis = figures(folders)["tracking-error"].layout["yaxis"]
    assert axis.get("type") == type_
    assert ("logarithmic" in axis["title"]["text"]) == (type_ == "log")
    assert axis.get("ticktext") == (["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50"] if type_ else None)


def test_run_without_a_network_spends_no_time_on_one(runs):
    stages = figures([runs["osc"]])["latency-stages"].layout["yaxis"]["ticktext"]
    assert stages == ["read", "law", "write", "log", "whole tick"]
    shown = figures([runs["osc"], runs["reference"]])["latency-stages"]
    row = shown.layout["yaxis"]["ticktext"].index("network")
    assert {t["name"] for t in shown.data if round(t["y"][0]) == row} == {"reference"}
