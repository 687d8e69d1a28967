"""A disk that is full: control goes on, and what could not be kept is said."""

from __future__ import annotations

import json
import resource

import pytest

from spikearm.controller.ticklog import JOURNAL_NAME, read_ticks
from spikearm.launch import run
from spikearm.launch.config import RunConfig

N_TICKS = 800
PATIENCE_S = 120


def limit_files_to(n_bytes):
    """Files of the process cannot grow beyond this; Python ignores the signal, so writing fails."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


@pytest.fixture
def run_on_full_disk(process, tmp_path):
    """Runs until the disk is full and beyond; summary, folder and complaints."""

    def call(n_bytes, *words):
        words = (
            "run",
            "--realtime",
            "--controller",
            "osc",
            "--trials",
            1,
            "--duration-s",
            0.8,
            "--json",
            *words,
        )
        with process(*words, "--out", tmp_path, preexec_fn=limit_files_to(n_bytes)) as running:
            out, err = running.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in err
        (folder,) = tmp_path.iterdir()
        return json.loads(out), folder, " ".join(err.split())

    return call


def test_control_goes_on_when_the_log_is_full(run_on_full_disk):
    summary, folder, err = run_on_full_disk(200_000)
    kept = read_ticks(folder).num_rows
    assert summary["n_ticks"] == N_TICKS
    assert 100 < kept < N_TICKS
    assert summary["unrecorded_ticks"] == N_TICKS - kept
    assert "a record could not be written" in err
    assert "control goes on" in err
    assert f"{N_TICKS - kept} records could not be written" in err
    assert f"{N_TICKS - kept} of {N_TICKS} ticks are not in the log; errors, energies and times are of" in err


def test_journal_stays_when_there_is_no_room_for_the_table(run_on_full_disk, spikearm):
    # Large enough for the journal's first ticks, too small for the table's columns.
    summary, folder, err = run_on_full_disk(40_000)
    assert summary["n_ticks"] == N_TICKS
    assert (folder / JOURNAL_NAME).exists()
    assert "the ticks are safe in" in err
    # Later, on a disk with room again:
    ended = spikearm("logs", "recover", folder, "--json")
    assert ended.code == 0
    assert ended.document["n_ticks"] == N_TICKS - summary["unrecorded_ticks"]


def test_result_is_shown_even_if_nothing_else_can_be_saved(tmp_path, monkeypatch, caplog):
    def full(path, document):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(run, "write_json", full)
    finished = run.execute(RunConfig(controller="osc", trials=1, duration_s=0.05, out=tmp_path))
    assert finished.summary["n_ticks"] == 50
    assert "not everything about this run could be saved: No space left on device" in caplog.text
