"""The tables of published results are those of the results that are kept."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def results():
    spec = importlib.util.spec_from_file_location("results", DOCS / "results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["README.md", "docs/benchmarks.md"])
def test_tables_of_a_page_are_those_of_the_kept_results(results, page):
    text = (DOCS.parent / page).read_text(encoding="utf-8")
    assert "<!-- end of " in text
    assert results.with_tables(text) == text


def test_every_table_is_on_a_page(results):
    pages = "".join(page.read_text(encoding="utf-8") for page in results.PAGES)
    assert all(f"<!-- {mark} -->" in pages for mark in results.TABLES)


def names_in(value):
    if isinstance(value, dict):
        return set(value).union(*map(names_in, value.values()))
    return set().union(*map(names_in, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("benchmark", ["adaptive-payload", "center-out"])
def test_kept_results_hold_nothing_that_is_not_to_be_kept(results, benchmark):
    document = results.kept(benchmark)
    assert not names_in(document) & {*results.NOT_KEPT, "folder"}
    assert all(row["tick_s"] > 0.0 for block in document["blocks"] for row in block["rows"])


@pytest.mark.parametrize("flaw", [{"quick": True}, {"interrupted": True}, {"failures": {"a": "b"}}])
def test_results_that_are_not_whole_are_not_kept(results, tmp_path, flaw):
    whole = {
        "benchmark": "none",
        "quick": False,
        "interrupted": False,
        "failures": {},
        "blocks": [],
        "folder": "",
    }
    (tmp_path / "results.json").write_text(json.dumps(whole | flaw))
    with pytest.raises(SystemExit, match="some runs are missing, or it is a quick version"):
        results.keep(tmp_path / "results.json")
    assert not (results.KEPT / "none.json").exists()


@pytest.fixture(scope="module")
def added_mm(results):
    """What neurons add to the analytic controller fed forward, and what they are off by, by row [mm]."""
    forms = {block["form"]: block["rows"] for block in results.kept("center-out")["blocks"]}
    off = {row["label"]: 1e3 * row["rmse_m"] for row in forms["feedforward"]}
    return {label: mm - off["analytic"] for label, mm in off.items()}, off


@pytest.fixture(scope="module")
def left(results):
    """Normalised error of the last trials by perturbation and row."""
    return {
        block["perturbation"]: {row["label"]: row["normalised"]["last"] for row in block["rows"]}
        for block in results.kept("adaptive-payload")["blocks"]
    }


def prose(page):
    return " ".join((DOCS.parent / page).read_text(encoding="utf-8").split())


def test_prose_on_the_spiking_controller_has_the_figures_of_the_kept_results(added_mm):
    rows = ("spiking", "loihi", "crossbar", "crossbar, a day old")
    added, off = ([f"{of[row]:.2f} mm" for row in rows] for of in added_mm)
    limits = "{} on the reference, {} on Loihi, {} on a crossbar just written, {} on one written a day before"
    assert limits.format(*off) in prose("docs/limits.md")
    osc = (
        "neurons add {} on the reference, {} on Loihi, {} on a fresh crossbar, {} on one written a day before"
    )
    assert osc.format(*added) in prose("docs/osc.md")
    benchmarks = prose("docs/benchmarks.md")
    assert (
        "neurons add {} on the reference, {} on Loihi, {} on a crossbar just written".format(*added)
        in benchmarks
    )
    assert f"*A crossbar written a day before*, fed forward, adds {added[-1]}" in benchmarks
    assert f"{added_mm[0][rows[-2]]:.1f} mm on a fresh crossbar" in prose("README.md")
    assert f"One written a day before misses that limit with {added_mm[0][rows[-1]]:.1f} mm" in prose(
        "README.md"
    )


def test_prose_on_the_straight_line_has_the_figures_of_the_kept_results(results):
    published, _ = (block["rows"] for block in results.kept("center-out")["blocks"])
    off = {row["label"]: row["off_line_rms_m"] for row in published}
    rows = ("spiking", "loihi", "crossbar", "crossbar, a day old")
    benchmarks = prose("docs/benchmarks.md")
    for label in ("analytic", *rows):
        assert f"{1e3 * off[label]:.2f} mm" in benchmarks.partition("*The straight line*")[2][:300]
    more = [f"{100 * (off[label] / off['analytic'] - 1.0):.0f}" for label in rows]
    assert "{}, {}, {} and {} % more".format(*more) in benchmarks
    both = f"it is {1e3 * off['loihi']:.2f} mm on Loihi instead of {1e3 * off['analytic']:.2f}"
    assert both in prose("README.md")


def test_readme_owns_up_to_every_row_that_leaves_more_than_a_tenth(left):
    readme = prose("README.md").partition("What was aimed at and missed:")[2].partition("*Less than PID*")[0]
    missed = {
        (load, label): f"{rest['mean']:.3f}"
        for load, rows in left.items()
        for label, rest in rows.items()
        if rest["mean"] > 0.1 and not label.startswith(("PD", "PID", "node-perturbation"))
    }
    assert missed.keys() == {
        ("curl-field", "raw 1000 loihi"),
        ("curl-field", "encoded 1000 loihi"),
        ("curl-field", "encoded 1000 crossbar"),
        ("weight", "raw 1000 crossbar"),
    }
    assert all(f"({figure}" in readme for figure in missed.values())


def met_and_missed():
    return prose("docs/benchmarks.md").partition("#### Met and missed")[2].partition("#### Costs")[0]


def test_benchmarks_name_every_row_that_leaves_more_than_pid_or_a_twentieth(results, left):
    blocks = {block["perturbation"]: block["rows"] for block in results.kept("adaptive-payload")["blocks"]}
    behind = {
        row["label"]: f"(+{row['minus_pid']['mean']:.3f})"
        for row in blocks["weight"]
        if row["backend"] and row["minus_pid"]["high"] >= 0.0
    }
    assert behind.keys() == {"raw 1000 crossbar", "node-perturbation 1000"}
    assert (
        "all but raw on the crossbar {} and node perturbation {}".format(*behind.values()) in met_and_missed()
    )
    over = {
        load: {
            label: f"{rest['mean']:.3f}"
            for label, rest in left[load].items()
            if rest["mean"] > 0.05 and not label.startswith("P")
        }
        for load in ("weight", "gravity-tilt")
    }
    raw, encoded, node = "raw 1000 crossbar", "encoded 1000 crossbar", "node-perturbation 1000"
    assert over["weight"].keys() == over["gravity-tilt"].keys() == {raw, encoded, node}
    weight, tilt = over.values()
    assert (
        f"encoded: crossbar {weight[encoded]}; raw: crossbar {weight[raw]}; node perturbation {weight[node]}"
        in met_and_missed()
    )
    assert (
        f"all but raw ({tilt[raw]}) and encoded ({tilt[encoded]}) on the crossbar and node perturbation "
        f"({tilt[node]})" in met_and_missed()
    )


def test_prose_on_the_encoder_has_the_figures_of_the_kept_results(results):
    pairs = {
        (block["perturbation"], pair["label"]): pair
        for block in results.kept("adaptive-payload")["blocks"]
        for pair in block["encoder"]
    }

    def percent(load, state, of="percent_more"):
        names = (f"{state} 1000 {backend}" for backend in ("reference", "loihi", "crossbar"))
        return "{:+.0f}, {:+.0f}, {:+.0f} %".format(*(pairs[load, name][of]["mean"] for name in names))

    for load in ("curl-field", "gravity-tilt"):
        assert percent(load, "encoded") in met_and_missed()
        assert percent(load, "mixed") in met_and_missed()
    for state in ("encoded", "mixed"):
        assert f"in mm {percent('gravity-tilt', state, 'percent_more_m')}" in met_and_missed()
    small = [pair for (_, label), pair in pairs.items() if label == "raw 250 reference"]
    lowest, highest = (f(pair["percent_more_m"]["mean"] for pair in small) for f in (min, max))
    for page in ("README.md", "docs/benchmarks.md", "docs/learning.md"):
        assert f"{lowest:.0f} to {highest:.0f} % more" in prose(page)
    tilt = pairs["gravity-tilt", "encoded 1000 reference"]
    more = tilt["percent_more"]
    between = f"({-more['low']:.0f} to {-more['high']:.0f} %; in mm {-tilt['percent_more_m']['mean']:.0f} %"
    assert f"{-more['mean']:.0f} % less {between}" in prose("README.md")


def test_prose_on_ticks_has_the_figures_of_the_kept_results(results):
    published, _ = (block["rows"] for block in results.kept("center-out")["blocks"])
    tick_ms = {row["label"]: 1e3 * row["tick_s"] for row in published}
    assert tick_ms["spiking"] < 1.0 < tick_ms["loihi"] < tick_ms["crossbar"]
    emulator, simulated = f"{tick_ms['loihi']:.1f} ms", f"{tick_ms['crossbar']:.0f} ms"
    assert f"Loihi's emulator takes {emulator}, the simulated crossbar {simulated}" in prose("docs/limits.md")
    kept = f"reference {tick_ms['spiking']:.2f} ms; the emulator of Loihi ({emulator}) and the simulated"
    assert f"{kept} crossbar ({simulated}) do not keep it" in prose("docs/benchmarks.md")


def test_processor_time_of_the_prose_is_that_of_the_kept_results(results):
    payload, center = (
        results.kept(name)["processor_s"] / 60.0 for name in ("adaptive-payload", "center-out")
    )
    benchmarks = prose("docs/benchmarks.md")
    assert f"{payload:.0f} minutes of processor time (`processor_s`" in benchmarks
    assert f"{center:.0f} minutes of processor time for the 70 runs" in benchmarks


def test_benchmarks_tell_what_was_met_and_missed_in_figures_of_the_kept_results(left):
    table = met_and_missed()
    curl = [left["curl-field"][f"mixed 1000 {name}"] for name in ("reference", "loihi", "crossbar")]
    expected = "mixed: {:.3f}, {:.3f}, {:.3f}".format(*(rest["mean"] for rest in curl))
    highest = "up to {:.3f} and {:.3f}".format(*(rest["high"] for rest in curl[1:]))
    assert f"{expected}, the last two with intervals {highest}" in table
    for load in left:
        assert f"{left[load]['node-perturbation 1000']['mean']:.3f}" in table
