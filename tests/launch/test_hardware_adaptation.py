"""The arm learns across the wire, in real time, what it learns in one process."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute

pytestmark = pytest.mark.usefixtures("alone")


def at_the_end(rmse_m_by_trial: list[float]) -> float:
    """Tracking error of the last three reaches [m]."""
    return float(np.mean(rmse_m_by_trial[-3:]))


@pytest.mark.slow
def test_real_time_run_adapts_like_the_run_in_one_process(process, short_path):
    address = f"unix:{short_path}/arm.sock"
    # On a busy machine a healthy client misses more than on an arm anybody would touch.
    patient = ("--max-share", 1, "--max-missed-s", 0.2, "--stale-s", 0.2)
    with process("robot", "serve", "--listen", address, *patient) as robot:
        assert any("ready" in text for text in robot.stderr)
        with process("hardware", "run", "--robot", address, "--json", "--out", short_path / "runs") as client:
            out, err = client.communicate(timeout=180)
    assert client.returncode == 0, err
    there = json.loads(out)
    here = execute(RunConfig(out=short_path / "runs"))
    assert (there["link"]["lock_step"], there["n_ticks"]) == (False, here.summary["n_ticks"])
    learned, expected = at_the_end(there["rmse_m_by_trial"]), at_the_end(here.summary["rmse_m_by_trial"])
    assert learned < 1.5 * expected
    assert learned < 0.2 * at_the_end(here.baseline["rmse_m_by_trial"])
