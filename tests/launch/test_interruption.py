"""Ctrl-C and SIGKILL in the middle of ``spikearm run``, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from spikearm.controller.journal import read_journal
from spikearm.controller.ticklog import JOURNAL_NAME, PARQUET_NAME, TickLog, read_ticks
from spikearm.errors import JournalError
from spikearm.launch import main
from spikearm.launch.run_folder import WITHOUT_ADAPTATION

LONG = ("run", "--trials", 20, "--duration-s", 16)
PATIENCE_S = 60.0


def n_recorded(folder: Path) -> int:
    """Ticks in the journal of a run that is going on."""
    try:
        return len(read_journal(folder / JOURNAL_NAME).sequence)
    except (JournalError, OSError):
        return 0


def wait_for_ticks(out: Path, n_ticks: int, inside: str = "") -> Path:
    """The run folder, once it holds so many ticks."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for folder in out.glob(f"*Z-*/{inside}" if inside else "*Z-*"):
            if n_recorded(folder) >= n_ticks:
                return folder
        time.sleep(0.02)
    raise AssertionError(f"no run with {n_ticks} ticks in {out} within {PATIENCE_S:g} s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_keeps_all_ticks_and_sums_them_up(process, tmp_path, number):
    with process(*LONG, "--controller", "osc", "--json", "--out", tmp_path) as running:
        folder = wait_for_ticks(tmp_path, 50)
        running.send_signal(number)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1
    assert "Traceback" not in err
    assert "interrupted" in err
    document = json.loads(out)
    assert document["interrupted"] is True
    assert document["n_ticks"] >= 50
    assert document == json.loads((folder / "summary.json").read_text())
    table = read_ticks(folder)
    assert table["tick"].to_pylist() == list(range(document["n_ticks"]))
    assert (folder / PARQUET_NAME).is_file()
    assert not (folder / JOURNAL_NAME).exists()


def test_interruption_of_the_reaches_without_adaptation_is_one_of_the_run(process, tmp_path):
    with process(*LONG, "--json", "--out", tmp_path) as running:
        folder = wait_for_ticks(tmp_path, 50, inside=WITHOUT_ADAPTATION)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1
    assert "Traceback" not in err
    document = json.loads(out)
    assert (document["interrupted"], document["run_dir"]) == (True, str(folder))
    assert read_ticks(folder).num_rows == document["n_ticks"] >= 50


@pytest.mark.slow
def test_interrupted_comparison_keeps_what_it_has(process, tmp_path):
    words = ("compare", "--trials", 10, "--duration-s", 8, "--json", "--out", tmp_path)
    with process(*words) as running:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and not any(
            n_recorded(path) > 50 for path in tmp_path.glob("*Z-compare/*Z-no-payload")
        ):
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1
    assert "Traceback" not in err
    document = json.loads(out)
    assert [run["label"] for run in document["runs"]] == ["no payload"]
    assert document["runs"][0]["interrupted"] is True
    assert document["normalised_error"] == {"no payload": None}


def test_killed_run_is_recovered_by_the_command(process, spikearm, tmp_path):
    with process(*LONG, "--controller", "osc", "--out", tmp_path) as running:
        folder = wait_for_ticks(tmp_path, 100)
        running.send_signal(signal.SIGKILL)
        running.wait(timeout=PATIENCE_S)
    left = n_recorded(folder)
    assert left >= 100
    ended = spikearm("logs", "recover", folder, "--json")
    assert ended.code == 0
    assert ended.document["n_ticks"] == left
    assert ended.document["n_missing"] == 0
    assert ended.document["path"] == str(folder / PARQUET_NAME)
    assert read_ticks(folder)["tick"].to_pylist() == list(range(left))
    assert spikearm("logs", "recover", folder, "--json").document["n_ticks"] == left


def test_log_of_a_run_that_goes_on_is_not_recovered(process, spikearm, tmp_path):
    with process(*LONG, "--controller", "osc", "--out", tmp_path) as running:
        folder = wait_for_ticks(tmp_path, 20)
        ended = spikearm("logs", "recover", folder)
        assert ended.code == 1
        assert "JournalError" in ended.err
        assert running.poll() is None


@pytest.mark.parametrize("controller", ["osc", "adaptive"])
def test_ctrl_c_while_the_log_is_closed_waits_for_it(spikearm, tmp_path, monkeypatch, controller):
    close = TickLog.__exit__

    def pressed(log, *error):
        os.kill(os.getpid(), signal.SIGINT)
        close(log, *error)

    monkeypatch.setattr(TickLog, "__exit__", pressed)
    words = ("--controller", controller, "--trials", 2, "--duration-s", 0.1, "--n-neurons", 100)
    ended = spikearm("run", *words, "--json", "--out", tmp_path)
    assert ended.code == 1
    assert "interrupted" in ended.err
    folder = Path(ended.document["run_dir"])
    assert (folder.name == WITHOUT_ADAPTATION) is (controller == "adaptive")
    assert json.loads((folder / "summary.json").read_text())["interrupted"] is True
    assert read_ticks(folder).num_rows == 100
    assert not (folder / JOURNAL_NAME).exists()


def test_ctrl_c_before_the_first_tick_ends_the_run(spikearm, tmp_path, monkeypatch):
    enter = TickLog.__enter__

    def pressed(log):
        os.kill(os.getpid(), signal.SIGINT)
        return enter(log)

    monkeypatch.setattr(TickLog, "__enter__", pressed)
    ended = spikearm("run", "--controller", "osc", "--trials", 2, "--duration-s", 0.1, "--out", tmp_path)
    assert ended.code == 1
    assert "interrupted" in ended.err


@pytest.mark.parametrize("words", [("run",), ("logs", "export")])
def test_ctrl_c_while_a_command_is_imported_needs_no_traceback(monkeypatch, capsys, words):
    def pressed(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(main.importlib, "import_module", pressed)
    assert main.main(words) == 1
    assert capsys.readouterr().err == "interrupted.\n"
