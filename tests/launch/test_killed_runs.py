"""``spikearm run`` killed at random moments, fifty times: every tick is kept, every run gives a report."""

from __future__ import annotations

import signal
import time

import numpy as np
import pytest

from spikearm.controller.journal import read_journal
from spikearm.controller.ticklog import JOURNAL_NAME, PARQUET_NAME, has_ticks, read_ticks
from spikearm.errors import JournalError
from spikearm.launch.recovery import recover_run
from spikearm.launch.report.command import write_report
from spikearm.launch.run_folder import WITHOUT_ADAPTATION

N_KILLS = 50
PATIENCE_S = 60.0
RUN = ("run", "--trials", 2, "--duration-s", 1.2, "--n-neurons", 100)


def journals(out):
    """Ticks that any reader can see now, by the folder of their log."""
    seen = {}
    for path in out.rglob(JOURNAL_NAME):
        try:
            seen[path.parent] = len(read_journal(path).sequence)
        except (JournalError, OSError):
            continue
    return seen


def kill_at(process, out, delay_s):
    """Kill a run some time after its first tick; ticks that were there just before."""
    with process(*RUN, "--out", out) as running:
        deadline = time.monotonic() + PATIENCE_S
        while not any(journals(out).values()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        kill_s = time.monotonic() + delay_s
        seen = journals(out)
        while time.monotonic() < kill_s and running.poll() is None:
            seen |= journals(out)
        running.send_signal(signal.SIGKILL)
        running.wait()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(N_KILLS))
def test_killed_run_keeps_every_tick_and_gives_a_report(process, tmp_path, kill):
    delay_s = float(np.random.default_rng(kill).uniform(0.0, 2.5))
    seen = kill_at(process, tmp_path, delay_s)
    (run,) = tmp_path.iterdir()
    recovered = recover_run(run)
    assert recovered.folder == (run if has_ticks(run) else run / WITHOUT_ADAPTATION)
    assert not journals(tmp_path)
    for folder in (folder for folder, n_ticks in seen.items() if n_ticks):
        table = read_ticks(folder)
        assert table.num_rows >= seen[folder]
        assert table["tick"].to_pylist() == list(range(table.num_rows))
        assert (folder / PARQUET_NAME).exists()
    # Killed after the first tick of all, be it one of the reaches without adaptation.
    assert recovered.summary is not None
    assert write_report([run], tmp_path / "report.html").stat().st_size > 1e6
