"""A long run with every fault there is: nothing unhandled, nothing outside the limits, every stop explained.

``SPIKEARM_SOAK_S=600 pytest -m slow tests/launch/test_soak.py`` is the ten minutes of a release; without it
it takes half a minute. A run recovers from missed commands by itself; after any other stop somebody starts
the next one with ``--recover``, as this test does.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics

pytestmark = pytest.mark.usefixtures("alone")

SECONDS = float(os.environ.get("SPIKEARM_SOAK_S", "30"))
FAULTS = {
    "drop": 0.005,
    "duplicate": 0.005,
    "reorder": 0.005,
    "flip": 0.005,
    "replay": 0.005,
    "nan": 0.002,
    "sensor-nan": 1e-4 if SECONDS < 100 else 2e-5,
    "wire-delay-s": 0.0001,
    "wire-jitter-s": 0.0001,
    "freeze": 2e-4,
    "freeze-s": 0.03,  # beyond what the watchdog bears with: each one is a stop
    "faults-every-s": 4,
    "faults-for-s": 3,
    "fault-seed": 5,
}
REASONS = (
    "too many commands missed in a row",
    "too large a share of commands missed",
    "a sensor gave no number",
    "the robot's own program stood still for too long",
    "no state from the robot",
    "nobody answers",
    "did not become active",
)
LIMITS_NM = MujocoDynamics(ARMS["iiwa14"]).torque_limits


@pytest.mark.slow
def test_soak_with_every_fault(process, short_path):
    address = f"unix:{short_path}/arm.sock"
    options = [word for name, value in FAULTS.items() for word in (f"--{name}", value)]
    end_s = time.monotonic() + SECONDS
    with process("robot", "serve", "--listen", address, "--json", *options) as robot:
        for line in robot.stderr:
            if "ready" in line:
                break
        while (left_s := end_s - time.monotonic()) > 1.0:
            words = ("--robot", address, "--controller", "osc", "--duration-s", left_s, "--recover")
            words += ("--recoveries", 10_000, "--json", "--out", short_path / "runs")
            with process("hardware", "run", *words) as client:
                out, err = client.communicate(timeout=20 * SECONDS + 120)
            check_run(client.returncode, out, err)
        robot.send_signal(signal.SIGINT)
        out, err = robot.communicate(timeout=60)
    assert "Traceback" not in err
    assert robot.returncode == 0
    check_robot(json.loads(out))


def check_run(code: int, out: str, err: str) -> None:
    """A run ends well, or says why."""
    assert "Traceback" not in err
    if not out:
        assert code == 1  # not even connected, or not recovered
        assert any(reason in " ".join(err.split()) for reason in (*REASONS, "did not recover")), err
        return
    summary = json.loads(out)
    ended = summary["link"]["ended"]
    assert (code, ended) == (0, "done") or (code == 1 and any(reason in ended for reason in REASONS)), ended
    for stop in summary["link"]["stops"]:
        assert any(reason in stop["why"] for reason in REASONS), stop
    assert "not finite" not in summary["link"]["states_refused"]
    ticks = read_ticks(Path(summary["run_dir"]))
    assert ticks.num_rows == summary["n_ticks"]
    applied = column_matrix(ticks, "torque_applied", "nm")
    assert np.isfinite(applied).all()
    assert (np.abs(applied) <= LIMITS_NM).all()


def check_robot(served: dict) -> None:
    """What the robot says of every tick of its own, also of those that nobody logged."""
    assert set(served["faults_injected"]) == {
        *("drop", "duplicate", "reorder", "flip", "replay", "nan", "sensor_nan", "delay", "freeze")
    }
    assert served["packets_refused"]["not finite"] > 0
    for stop in served["stops"]:
        assert any(reason in stop["why"] for reason in REASONS), stop
    assert served["ticks"] > 800 * SECONDS  # stalls are counted, too
    assert (np.array(served["largest_torque_nm"]) <= LIMITS_NM).all()
    assert 0.0 < max(served["largest_torque_step_nm"]) <= 1.0 + 1e-9
