"""Carries out the jobs of a benchmark on all cores; what was done before is not done again."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from spikearm.errors import SpikearmError
from spikearm.launch.benchmark.jobs import Job, JobStore
from spikearm.launch.benchmark.measure import measure
from spikearm.launch.config import RunConfig

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Each process is one core's worth: libraries that start threads of their own are held to one."""


class Progress(Protocol):
    """Is told how the jobs come along."""

    def start(self, n_done: int, n_stale: int, todo: Sequence[Job]) -> None:
        """What is there already, what of it cannot be used, and what remains to be done."""
        ...

    def done(self, job: Job, result: Mapping[str, Any]) -> None:
        """A job has ended well."""
        ...

    def failed(self, job: Job, reason: str) -> None:
        """A job has ended with an error."""
        ...


@dataclass
class Outcome:
    """How the jobs of a benchmark ended.

    Attributes:
        results: By key, those of earlier calls included.
        failures: Reason by key.
        interrupted: Whether Ctrl-C ended it before all jobs were done.
    """

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False


def run_jobs(jobs: Sequence[Job], store: JobStore, *, n_processes: int, progress: Progress) -> Outcome:
    """Run what the store does not have yet; each result is kept as soon as it is there.

    Args:
        jobs: The runs; keys must differ.
        store: Where results are kept.
        n_processes: Runs at a time, one thread each.
        progress: Told of every job.

    Returns:
        All results. A job that failed does not keep the others from running.

    Raises:
        RunFolderError: Another process is at work in the folder.
    """
    with store.lock():
        outcome = Outcome()
        todo = []
        for job in jobs:
            result = store.load(job)
            if result is None:
                todo.append(job)
            else:
                outcome.results[job.key] = result
        n_stale = sum(map(store.has_other, todo))
        progress.start(len(outcome.results), n_stale, todo)
        if todo:
            _run_all(todo, store, outcome, n_processes=n_processes, progress=progress)
        return outcome


def _run_all(
    todo: Sequence[Job], store: JobStore, outcome: Outcome, *, n_processes: int, progress: Progress
) -> None:
    """All jobs. If a process is killed, what it took with it is begun again.

    Where none ended before that, one of those at work may be what kills: each of them gets a process of its
    own, one after another, and the one that does not come back is named.
    """
    with _one_thread_each():
        while todo and not outcome.interrupted:
            lost = _run_in_pool(todo, store, outcome, n_processes=n_processes, progress=progress)
            if len(lost) == len(todo):
                at_work, lost = todo[:n_processes], list(todo[n_processes:])
                _run_alone(at_work, store, outcome, progress=progress)
            todo = lost


def _run_alone(jobs: Sequence[Job], store: JobStore, outcome: Outcome, *, progress: Progress) -> None:
    for job in jobs:
        if outcome.interrupted:
            return
        if _run_in_pool([job], store, outcome, n_processes=1, progress=progress):
            _fail(job, "its process was killed from outside; out of memory?", outcome, progress)


def _run_in_pool(
    todo: Sequence[Job], store: JobStore, outcome: Outcome, *, n_processes: int, progress: Progress
) -> list[Job]:
    """Jobs until all have ended, or one process is killed, which ends the others; returns those lost."""
    lost: list[Job] = []
    with _pool(min(n_processes, len(todo))) as pool:
        try:
            futures = {pool.submit(_work, job.config): job for job in todo}
            for future in as_completed(futures):
                job = futures[future]
                try:
                    result, reason = future.result()
                except BrokenProcessPool:
                    lost.append(job)
                    continue
                if result is None:
                    _fail(job, reason, outcome, progress)
                else:
                    store.save(job, result)
                    outcome.results[job.key] = result
                    progress.done(job, result)
        except KeyboardInterrupt:
            outcome.interrupted = True
            _stop(pool)
    return lost


def _fail(job: Job, reason: str, outcome: Outcome, progress: Progress) -> None:
    outcome.failures[job.key] = reason
    progress.failed(job, reason)


def _work(config: RunConfig) -> tuple[dict[str, Any] | None, str]:
    """One job, in its own process; errors travel as text, whatever their class needs to be made.

    Not even a mistake in our own code may take the results of other jobs with it; it says where it happened.
    """
    try:
        result = measure(config)
    except (SpikearmError, OSError) as error:
        return None, f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001
        at = traceback.extract_tb(error.__traceback__)[-1]
        return None, f"{type(error).__name__}: {error} ({at.filename}, line {at.lineno}); please report this."
    return result, "interrupted" if result is None else ""


@contextmanager
def _pool(n_processes: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh interpreters: a fork would copy threads and random states of this process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_processes, mp_context=context, initializer=_prepare) as pool:
        yield pool


def _prepare() -> None:
    """Ctrl-C is the parent's business; a worker never outlives it, and writes nothing into its display."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a substrate warns of, cut weights above all, is counted in every tick and kept with the result.
    logging.basicConfig(level=logging.ERROR)
    warnings.simplefilter("ignore")
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End all work now: results are written whole or not at all, and only by the parent."""
    pool.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.kill()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """The limits have to be in the environment before a process loads its libraries."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
