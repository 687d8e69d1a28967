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


def test_killed_process_fails_no_job_but_its_own(store, monkeypatch):
    """Killed before any job has ended, and again whenever one of them runs."""
    pools = []

    def run_in_pool(todo, store, outcome, *, n_processes, progress):
        pools.append(([job.key for job in todo], n_processes))
        if any(job.key == "a/hungry/1" for job in todo):
            return list(todo)
        outcome.results |= {job.key: {} for job in todo}
        return []

    monkeypatch.setattr(runner, "_run_in_pool", run_in_pool)
    jobs = [job(f"a/{name}/1") for name in ("b", "hungry", "c", "d")]
    outcome = run_jobs(jobs, store, n_processes=2, progress=(notes := Notes()))
    assert set(outcome.results) == {"a/b/1", "a/c/1", "a/d/1"}
    assert outcome.failures == {"a/hungry/1": "its process was killed from outside; out of memory?"}
    assert notes.reasons == outcome.failures
    assert [keys for keys, _ in pools[1:]] == [["a/b/1"], ["a/hungry/1"], ["a/c/1", "a/d/1"]]
    assert [n for _, n in pools] == [2, 1, 1, 2]


def test_ctrl_c_ends_jobs_that_run_alone(store, monkeypatch):
    def run_in_pool(todo, store, outcome, *, n_processes, progress):
        outcome.interrupted = n_processes == 1
        return list(todo) if n_processes > 1 else []

    monkeypatch.setattr(runner, "_run_in_pool", run_in_pool)
    outcome = run_jobs([job("a/a/1"), job("a/b/1")], store, n_processes=2, progress=Notes())
    assert outcome.interrupted
    assert not outcome.results
    assert not outcome.failures


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
