"""Both benchmarks from their arguments to table, document and folder; killed, interrupted and resumed."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from pathlib import Path

import pytest

from spikearm.errors import ConfigError
from spikearm.launch.main import main

TINY = (
    *("benchmark", "adaptive-payload", "--sessions", 1, "--trials", 3, "--last", 2, "--reach-s", 0.1),
    *("--perturbations", "weight", "--backends", "reference", "--neurons", 100, "--processes", 1, "--json"),
)
N_JOBS = 7
PATIENCE_S = 120.0


def numbers(value: object) -> list[float]:
    if isinstance(value, dict | list):
        return [n for v in (value.values() if isinstance(value, dict) else value) for n in numbers(v)]
    return [value] if isinstance(value, int | float) else []


def outcome_of(document: dict) -> list[dict]:
    """Everything but measured times."""
    blocks = json.loads(json.dumps(document["blocks"]))
    for block in blocks:
        for row in block["rows"]:
            del row["tick_s"]
    return blocks


def wait_for_jobs(folder: Path, n_jobs: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if len(list(folder.rglob("session-*.json"))) >= n_jobs:
            return
        time.sleep(0.02)
    raise AssertionError(f"not {n_jobs} results in {folder} within {PATIENCE_S:g} s")


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and any(map(alive, pids)):
        time.sleep(0.02)
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Folder of a benchmark that ran to its end."""
    folder = tmp_path_factory.mktemp("finished")
    assert main([*map(str, TINY), "--out", str(folder)]) == 0
    return folder


def test_finished_benchmark_is_not_run_again(spikearm, finished):
    before = json.loads((finished / "results.json").read_text())
    again = spikearm(*TINY, "--out", finished)
    assert again.code == 0
    assert f"{N_JOBS} of {N_JOBS} runs are done already" in again.err
    assert again.document["blocks"] == before["blocks"]


def test_benchmark_prints_one_document_and_keeps_it(spikearm, finished):
    ended = spikearm(*TINY, "--out", finished)
    document = ended.document
    assert json.loads((finished / "results.json").read_text()) == document
    assert all(map(math.isfinite, numbers(document)))
    (block,) = document["blocks"]
    labels = [row["label"] for row in block["rows"]]
    adaptive = [*(f"{seen} 100 reference" for seen in ("raw", "encoded", "mixed")), "node-perturbation 100"]
    assert labels == ["PD, unperturbed", "PD", "PID", *adaptive]
    assert all(label in ended.err for label in labels)
    assert (finished / "learning.png").stat().st_size > 10_000
    assert document["settings"]["trials"] == 3
    assert document["processor_s"] > 0.0
    assert f"included: {document['processor_s'] / 60.0:.1f} min" in " ".join(ended.err.split())


def test_killed_benchmark_goes_on_to_the_same_table(process, spikearm, finished, tmp_path):
    with process(*TINY, "--out", tmp_path) as running:
        wait_for_jobs(tmp_path, 2)
        workers = children(running.pid)
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=PATIENCE_S)
    wait_until_gone(workers)
    kept = len(list(tmp_path.rglob("session-*.json")))
    resumed = spikearm(*TINY, "--out", tmp_path)
    assert resumed.code == 0
    assert f"{kept} of {N_JOBS} runs are done already" in resumed.err
    assert outcome_of(resumed.document) == outcome_of(json.loads((finished / "results.json").read_text()))


def test_killed_worker_costs_no_result(process, finished, tmp_path):
    with process(*TINY, "--out", tmp_path) as running:
        wait_for_jobs(tmp_path, 2)
        (worker,) = (pid for pid in children(running.pid) if "spawn_main" in command_of(pid))
        os.kill(worker, signal.SIGKILL)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 0, err
    assert outcome_of(json.loads(out)) == outcome_of(json.loads((finished / "results.json").read_text()))


def test_interrupted_benchmark_says_how_to_go_on(process, tmp_path):
    with process(*TINY, "--out", tmp_path) as running:
        wait_for_jobs(tmp_path, 1)
        workers = children(running.pid)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1
    assert "Traceback" not in err
    assert "The same command goes on from there" in " ".join(err.split())
    document = json.loads(out)
    assert document["interrupted"] is True
    assert 0 < len(document["blocks"][0]["rows"]) < N_JOBS
    wait_until_gone(workers)


def test_failure_of_one_run_is_told_and_counted(spikearm, tmp_path):
    words = ("benchmark", "center-out", "--sessions", 1, "--reach-s", 0.02, "--distance-m", 5, "--json")
    few = ("--forms", "published", "--stages", "--backends", "--processes", 1)
    ended = spikearm(*words, *few, "--out", tmp_path)
    assert ended.code == 1
    assert "cannot reach 5 m" in ended.complaint
    assert "1 of 1 runs failed" in ended.complaint
    assert ended.document["blocks"][0]["rows"] == []


def test_center_out_runs_both_forms(spikearm, tmp_path):
    words = (
        "benchmark",
        "center-out",
        "--sessions",
        1,
        "--reach-s",
        0.2,
        "--distance-m",
        0.01,
        "--turn-rad",
        0.02,
        "--json",
    )
    ended = spikearm(*words, "--stages", "spiking", "--backends", "--processes", 1, "--out", tmp_path)
    assert ended.code == 0
    published, fed = ended.document["blocks"]
    assert (published["form"], fed["form"]) == ("published", "feedforward")
    assert [row["label"] for row in fed["rows"]] == ["analytic", "spiking"]
    assert published["rows"][0]["rmse_m"] > 10 * fed["rows"][0]["rmse_m"]
    assert "analytic" in ended.err
    assert json.loads((tmp_path / "results.json").read_text()) == ended.document


def test_quick_version_takes_other_options_on_top(spikearm, monkeypatch):
    seen = []

    def stop(place, settings, *_):
        seen.append((place, settings))
        raise ConfigError("seen enough")

    monkeypatch.setattr("spikearm.launch.benchmark.adaptive_payload_command.conduct", stop)
    assert spikearm("benchmark", "adaptive-payload", "--quick", "--trials", 7).code == 2
    ((place, settings),) = seen
    assert (settings.trials, settings.sessions) == (7, 2)
    assert place.folder == Path("runs/benchmark-adaptive-payload-quick")


@pytest.mark.parametrize("name", ["adaptive-payload", "center-out"])
def test_bad_setting_is_a_bad_argument(spikearm, name):
    ended = spikearm("benchmark", name, "--processes", 0)
    assert ended.code == 2
    assert "processes must be at least 1, not 0; leave it out for all cores" in ended.complaint
    ended = spikearm("benchmark", name, "--sessions", 0)
    assert ended.code == 2
    assert "sessions must be at least 1, not 0" in ended.complaint


def test_benchmark_alone_lists_both(spikearm):
    ended = spikearm("benchmark", "--help")
    assert ended.code == 0
    assert "benchmark adaptive-payload" in ended.out
    assert "benchmark center-out" in ended.out
