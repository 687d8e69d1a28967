from __future__ import annotations

import io

import pytest
from rich.console import Console

from spikearm.launch import progress
from spikearm.launch.progress import StepProgress


@pytest.fixture
def at(monkeypatch):
    """Sets the clock."""
    now_s = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])

    def at(seconds):
        now_s[0] = seconds

    return at


def shown(steps, at, **terminal):
    file = io.StringIO()
    with StepProgress("training", 200, terminal=Console(file=file, width=80, **terminal)) as work:
        for seconds, n in steps:
            at(seconds)
            work.done(n, f"loss {1 / n:.2f}")
    return file.getvalue()


def test_elsewhere_than_on_a_terminal_a_line_says_what_is_left(at):
    lines = shown([(6.0, 1), (30.0, 20), (31.0, 40), (90.0, 60)], at).splitlines()
    assert lines == [
        "training, loss 0.05: 10 %, 4 min 30 s left",
        "training, loss 0.02: 30 %, 3 min 30 s left",
    ]


def test_work_that_is_soon_done_says_nothing(at):
    assert shown([(0.01 * n, n) for n in range(1, 201)], at).strip() == ""


def test_terminal_gets_a_bar_with_the_time_left(at):
    said = shown([(30.0, 20), (60.0, 200)], at, force_terminal=True)
    assert "100%" in said
    assert "0:00:" in said
