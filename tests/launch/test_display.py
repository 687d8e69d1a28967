from __future__ import annotations

import io
import itertools
import re
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from spikearm.launch import display
from spikearm.launch.config import RunConfig
from spikearm.launch.display import LivePanel, ReachLines, error_bars, say, show_summary
from spikearm.launch.run import execute
from spikearm.launch.summary import late_rms_m
from spikearm.launch.words import energy_term, si, three_digits
from spikearm.records import Pose


def terminal(is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=120)


def shown(console: Console) -> str:
    return console.file.getvalue()


@pytest.fixture
def config(tmp_path) -> RunConfig:
    return RunConfig(controller="osc", trials=3, duration_s=0.06, out=tmp_path)


def test_a_line_per_reach_where_there_is_no_terminal(config):
    console = terminal(False)
    with LivePanel(config, "title", terminal=console) as panel:
        finished = execute(config, on_tick=panel.on_tick)
    first, *lines = shown(console).splitlines()
    assert first == "title: 3 reaches of 0.02 s; preparing"
    expected = [
        f"title: reach {i + 1}/3, rmse {1e3 * error:.2f} mm"
        for i, error in enumerate(finished.summary["rmse_m_by_trial"])
    ]
    assert [re.sub(r", \d+ s left$", "", line) for line in lines] == expected
    assert [line.endswith(" left") for line in lines] == [True, True, False]
    assert "\x1b" not in shown(console)


def ticked(config: RunConfig, reaches: list[tuple[int, int]]) -> list[str]:
    """Lines of a run that had so many ticks of each reach, all of them 2 mm off, and then ended."""
    said: list[str] = []
    lines = ReachLines(config, "title", said.append)
    here, there = Pose(np.zeros(3), np.zeros(4)), Pose(np.array((0.002, 0.0, 0.0)), np.zeros(4))
    for reach, n_ticks in reaches:
        for _ in range(n_ticks):
            lines.on_tick(SimpleNamespace(reach=reach, ee=here, target=SimpleNamespace(pose=there)))
    lines.end_reach()
    return [re.sub(r", \d+ s left$", "", line) for line in said]


def test_reach_that_was_cut_short_says_so_and_after_how_long(config):
    assert ticked(config, [(0, 20), (1, 7)]) == [
        "title: reach 1/3, rmse 2.00 mm",
        "title: reach 2/3 was cut short after 0.007 s of 0.02 s, rmse 2.00 mm until then",
    ]


def test_time_of_a_reach_that_was_cut_short_is_not_rounded_to_the_whole(tmp_path):
    config = RunConfig(controller="osc", trials=1, duration_s=12.345, out=tmp_path)
    (said,) = ticked(config, [(0, 12340)])
    assert "was cut short after 12.34 s of 12.345 s, rmse" in said


def test_way_to_a_reach_has_no_line_and_the_reach_keeps_its_number(config):
    """Led to the start, stopped in the second reach, led back to it."""
    assert ticked(config, [(-1, 50), (0, 20), (1, 7), (-1, 50), (1, 20), (2, 20)]) == [
        "title: reach 1/3, rmse 2.00 mm",
        "title: reach 2/3 was cut short after 0.007 s of 0.02 s, rmse 2.00 mm until then",
        "title: reach 2/3, rmse 2.00 mm",
        "title: reach 3/3, rmse 2.00 mm",
    ]
    assert ticked(config, [(-1, 50)]) == []


def test_time_left_is_that_of_the_reaches(config, monkeypatch):
    """A tick takes a second here; the way to the start is done, and none of it is left."""
    now_s = itertools.count()
    monkeypatch.setattr(display.time, "monotonic", lambda: next(now_s))
    lines = ReachLines(config, "title", id)
    for reach in (-1,) * 50 + (0,) * 10:
        lines.on_tick(SimpleNamespace(reach=reach, ee=None))
    monkeypatch.setattr(display.time, "monotonic", lambda: 60)
    assert lines.left() == "50 s left"


def test_run_that_never_came_to_a_reach_has_no_error(short_run, capsys):
    none = {"rmse_m": None, "rmse_m_by_trial": [], "reaches_done": 0, "lead_in_ticks": 50, "n_ticks": 50}
    show_summary({**short_run.summary, **none})
    said = " ".join(capsys.readouterr().err.split())
    assert "without" not in said.split("energy, bottom-up")[0]
    assert "tracking error none: it ended before the first reach" in said
    assert "way to the path 50 ticks that belong to no reach" in said


def test_a_panel_on_a_terminal(config):
    console = terminal(True)
    with LivePanel(config, "title", terminal=console) as panel:
        execute(config, on_tick=panel.on_tick)
    assert "reach 1/3" in shown(console)
    assert "deadlines missed" in shown(console)


def test_panel_leaves_the_cursor_visible_when_a_run_fails(config):
    console = terminal(True)
    with pytest.raises(RuntimeError), LivePanel(config, "title", terminal=console):
        raise RuntimeError
    assert shown(console).endswith("\x1b[?25h") or "\x1b[?25h" in shown(console)


def test_bars_are_in_proportion_and_numbered():
    lines = error_bars([0.004, 0.002], [0.008, 0.008]).plain.splitlines()
    assert [line.count("█") for line in lines] == [15, 8]
    assert [line.count("█") + line.count("░") for line in lines] == [30, 30]
    assert "reach   1" in lines[0]
    assert "2.00 mm" in lines[1]


def test_bars_of_errors_of_zero_do_not_divide_by_it():
    assert "0.00 mm" in error_bars([0.0]).plain


@pytest.mark.parametrize(
    ("joules", "text"),
    [
        (2.0, "2 J"),
        (1.5e-3, "1.5 mJ"),
        (5.54e-4, "554 µJ"),
        (9.65e-8, "96.5 nJ"),
        (3e-12, "3 pJ"),
        (0.0, "0 J"),
    ],
)
def test_energies_get_the_prefix_that_keeps_them_readable(joules, text):
    assert si(joules, "J") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(15_876.0, "15,900"), (999.6, "1,000"), (2.5, "2.5"), (3e48, "3e+48"), (1e-9, "1e-09")],
)
def test_numbers_have_three_digits_and_never_fill_a_line(value, text):
    assert three_digits(value) == text


def test_summary_never_adds_the_two_kinds_of_energy(short_run, capsys):
    show_summary(short_run.summary)
    err = capsys.readouterr().err
    assert "energy, bottom-up model" in err
    assert "energy, chip-anchored" in err


def test_no_path_is_wrapped(short_run, capsys, monkeypatch):
    monkeypatch.setattr(display, "console", Console(stderr=True, markup=False, width=40))
    show_summary(short_run.summary)
    assert f"run folder: {short_run.folder}\n" in capsys.readouterr().err


def test_late_ticks_are_not_blamed_on_the_controller_alone(short_run, capsys):
    show_summary({**short_run.summary, "deadline_misses": 0})
    assert "doctor" not in capsys.readouterr().err
    show_summary({**short_run.summary, "deadline_misses": 3})
    said = " ".join(capsys.readouterr().err.split())
    assert "3 of 400; other programs on the computer can make ticks late, too (`spikearm doctor`)" in said


def test_limits_of_registers_are_shown_only_where_they_were_met(short_run, capsys):
    show_summary(short_run.summary)
    assert "weights cut" not in capsys.readouterr().err
    show_summary({**short_run.summary, "saturated_weights_per_tick": 1.5})
    err = capsys.readouterr().err
    assert "learned weights cut" in err
    assert "1.5 per tick" in err
    assert "overflows" not in err


def test_use_of_the_substrate_is_one_line_where_it_is_known(short_run, capsys):
    show_summary(short_run.summary)
    assert "substrate in use" not in capsys.readouterr().err
    show_summary({**short_run.summary, "utilisation": "9 of 128 cores"})
    assert "9 of 128 cores" in capsys.readouterr().err


def test_words_between_colons_are_no_pictures(capsys):
    say("osc on iiwa14 at local:robot: 10 ticks")
    assert capsys.readouterr().err == "osc on iiwa14 at local:robot: 10 ticks\n"


def test_error_without_adaptation_stands_beside_the_one_with_it(short_run, capsys):
    show_summary(short_run.summary)
    bars, _, table = capsys.readouterr().err.partition("tracking error")
    with_m = short_run.summary["rmse_m_by_trial"]
    without_m = short_run.summary["rmse_m_by_trial_without_adaptation"]
    rows = [line.split("reach")[1] for line in bars.splitlines() if " mm" in line]
    for row, one, other in zip(rows, with_m, without_m, strict=True):
        assert row.split("█")[-1].replace("░", "").split() == [
            f"{1e3 * one:.2f}",
            "mm",
            f"{1e3 * other:.2f}",
            "mm",
        ]
    late_m, without_late_m = late_rms_m(with_m), late_rms_m(without_m)
    said = " ".join(table.split())
    assert f"last two reaches {1e3 * late_m:.2f} mm with adaptation" in said
    times = f"{without_late_m / late_m:.3g} times as much"
    assert f"the same without {1e3 * without_late_m:.2f} mm, {times}" in said


def test_part_of_a_reach_is_not_compared_with_a_whole_one(short_run, capsys):
    part = {"rmse_m_by_trial": short_run.summary["rmse_m_by_trial"][:1], "reaches_done": 0}
    show_summary({**short_run.summary, **part, "interrupted": True})
    said = capsys.readouterr().err
    assert said.startswith("  reach   1 █")
    assert "without" not in said.split("energy, bottom-up")[0]


def test_run_without_a_baseline_says_nothing_of_one(short_run, capsys):
    summary = dict(short_run.summary)
    del summary["rmse_m_by_trial_without_adaptation"]
    show_summary(summary)
    assert "without" not in capsys.readouterr().err.split("energy, bottom-up")[0]


@pytest.mark.parametrize("is_terminal", [False, True])
def test_reaches_without_adaptation_are_followed_too(tmp_path, is_terminal):
    console = terminal(is_terminal)
    config = RunConfig(trials=1, duration_s=0.2, distance_m=0.01, out=tmp_path)
    with LivePanel(config, "title", terminal=console) as panel:
        execute(config, on_tick=panel.on_tick, on_first_tick=panel.on_first_tick)
    assert shown(console).count("first the same reaches without adaptation") >= 1
    if not is_terminal:
        assert shown(console).splitlines()[:2] == [
            "title: 1 reach of 0.2 s; preparing",
            "title: first the same reaches without adaptation",
        ]


def test_run_without_a_network_has_no_stage_of_it(config, short_run, capsys):
    show_summary(execute(config).summary)
    assert "network 0." not in capsys.readouterr().err
    show_summary(short_run.summary)
    assert "network 0." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("term", "words"), [("adc", "ADC"), ("row_driver", "row driver"), ("neurons", "neurons")]
)
def test_terms_of_energy_are_written_as_people_do(term, words):
    assert energy_term(term) == words
