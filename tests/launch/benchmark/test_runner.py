"""Real jobs in real processes; one pool for most questions, because starting it takes seconds."""

from __future__ import annotations

import dataclasses
import os
import re

import pytest

from spikearm.launch.benchmark import runner
from spikearm.launch.benchmark.jobs import Job, JobStore
from spikearm.launch.benchmark.runner import run_jobs
from spikearm.launch.config import RunConfig

SHORT = RunConfig(controller="osc", trials=1, duration_s=0.02)


class Notes:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.begun: tuple[int, int, list[str]] | None = None
        self.ended: list[str] = []
        self.reasons: dict[str, str] = {}

    def start(self, n_done, n_stale, todo):
        self.begun = (n_done, n_stale, [job.key for job in todo])

    def done(self, job, result):
        self.ended.append(job.key)

    def failed(self, job, reason):
        self.reasons[job.key] = reason


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path)


def job(key: str, **changes) -> Job:
    return Job(key, dataclasses.replace(SHORT, **changes))


def test_failed_job_keeps_no_other_from_running_and_is_tried_again(store):
    jobs = [job("a/a/1"), job("a/far/1", distance_m=9.0), job("a/b/1", seed=1)]
    outcome = run_jobs(jobs, store, n_processes=2, progress=(first := Notes()))
    assert set(outcome.results) == {"a/a/1", "a/b/1"} == set(first.ended)
    assert "ConfigError: arm 'iiwa14' cannot reach 9 m" in outcome.failures["a/far/1"]
    assert first.reasons == outcome.failures
    assert first.begun == (0, 0, ["a/a/1", "a/far/1", "a/b/1"])
    assert not outcome.interrupted

    again = run_jobs([*jobs[:2], job("a/b/1", seed=2)], store, n_processes=1, progress=(second := Notes()))
    assert second.begun == (1, 1, ["a/far/1", "a/b/1"])
    assert second.ended == ["a/b/1"]
    assert again.results["a/a/1"] == outcome.results["a/a/1"]
    assert again.results["a/b/1"]["trials"] != outcome.results["a/b/1"]["trials"]


def test_mistake_of_our_own_fails_one_job_and_says_where(monkeypatch):
    monkeypatch.setattr(runner, "measure", lambda config: next(iter(())))
    result, reason = runner._work(SHORT)
    assert result is None
    assert re.fullmatch(r"StopIteration:  \(.*test_runner.py, line \d+\); please report this.", reason)


def test_nothing_to_do_starts_no_process(store, monkeypatch):
    store.save(job("a/a/1"), {"trials": {"mean_m": [1.0]}})
    monkeypatch.setattr(runner, "ProcessPoolExecutor", lambda *_, **__: pytest.fail("started"))
    outcome = run_jobs([job("a/a/1")], store, n_processes=2, progress=Notes())
    assert outcome.results == {"a/a/1": {"trials": {"mean_m": [1.0]}}}


def test_limits_on_threads_end_with_the_jobs(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with runner._one_thread_each():
        assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("1", "1")
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in os.environ
