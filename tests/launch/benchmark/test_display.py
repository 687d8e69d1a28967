from __future__ import annotations

import io
import itertools

import pytest
from rich.console import Console

from spikearm.launch.benchmark import display
from spikearm.launch.benchmark.display import JobProgress
from spikearm.launch.benchmark.jobs import Job, JobStore
from spikearm.launch.config import RunConfig

JOBS = [Job(f"block/row/session-{i}", RunConfig(controller="osc", seed=i)) for i in range(4)]
RESULT = {"trials": {"mean_m": [1e-3, 3e-3]}, "seconds": 7.2}


@pytest.fixture
def clock(monkeypatch):
    """Every look at the clock is a minute after the last."""
    monkeypatch.setattr(display.time, "monotonic", map(float, itertools.count(0, 60)).__next__)


def plain(file: io.StringIO) -> Console:
    return Console(file=file, width=200, markup=False)


def shown(store: JobStore, *, n_done: int = 0, n_stale: int = 0, ended: int = 0) -> list[str]:
    file = io.StringIO()
    with JobProgress("adaptive-payload", store, terminal=plain(file)) as progress:
        progress.start(n_done, n_stale, JOBS)
        for job in JOBS[:ended]:
            progress.done(job, RESULT)
    return file.getvalue().splitlines()


def test_elsewhere_than_on_a_terminal_every_job_is_a_line(tmp_path, clock):
    begun, first, second, *_ = shown(JobStore(tmp_path), ended=4)
    assert begun == "adaptive-payload: 4 runs to do"
    assert first == "adaptive-payload 1/4: block/row/session-0: 2.00 mm on average, 7 s; 3 min 00 s left"
    assert second.endswith("session-1: 2.00 mm on average, 7 s; 2 min 00 s left")


def test_what_is_done_and_what_is_stale_is_said_first(tmp_path, clock):
    done, stale, _ = shown(JobStore(tmp_path), n_done=3, n_stale=2)
    assert done == f"3 of 7 runs are done already, in {tmp_path}"
    assert stale == f"2 results in {tmp_path} are of other settings, code or libraries: done again"


def test_failure_is_told_with_its_reason(tmp_path, clock):
    file = io.StringIO()
    with JobProgress("x", JobStore(tmp_path), terminal=plain(file)) as progress:
        progress.start(0, 0, JOBS)
        progress.failed(JOBS[0], "ConfigError: no [such] thing")
    assert "block/row/session-0: ConfigError: no [such] thing" in file.getvalue()


def test_terminal_gets_a_bar_and_no_lines(tmp_path):
    file = io.StringIO()
    terminal = Console(file=file, force_terminal=True, width=100)
    with JobProgress("adaptive-payload", JobStore(tmp_path), terminal=terminal) as progress:
        progress.start(0, 0, JOBS)
        progress.done(JOBS[0], RESULT)
    assert "1/4" in file.getvalue()
    assert "block/row" not in file.getvalue()
