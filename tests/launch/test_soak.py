"""A long run with every fault there is: nothing unhandled, nothing outside the limits, every stop explained.

``SPIKEARM_SOAK_S=600 pytest -m slow tests/launch/test_soak.py`` is the ten minutes of a release; without it
it takes half a minute.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.envs.arms import ARMS
from spikearm.envs.dynamics import MujocoDynamics

SECONDS = float(os.environ.get("SPIKEARM_SOAK_S", "30"))
FAULTS = {
    "drop": 0.005,
    "duplicate": 0.005,
    "reorder": 0.005,
    "flip": 0.005,
    "replay": 0.005,
    "nan": 0.002,
    "sensor-nan": 1e-4,
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
)


@pytest.mark.slow
def test_soak_with_every_fault(process, short_path):
    address = f"unix:{short_path}/arm.sock"
    options = [word for name, value in FAULTS.items() for word in (f"--{name}", value)]
    with process("robot", "serve", "--listen", address, "--json", *options) as robot:
        for line in robot.stderr:
            if "ready" in line:
                break
        words = ("--duration-s", SECONDS, "--recoveries", 10_000, "--json", "--out", short_path / "runs")
        with process("hardware", "run", "--robot", address, "--controller", "osc", *words) as client:
            out, err = client.communicate(timeout=20 * SECONDS + 120)
        robot.send_signal(signal.SIGINT)
        robot_out, robot_err = robot.communicate(timeout=60)
    assert "Traceback" not in err + robot_err
    assert (client.returncode, robot.returncode) == (0, 0)
    summary, served = json.loads(out), json.loads(robot_out)
    assert summary["link"]["ended"] == "done"
    for stop in summary["link"]["stops"]:
        assert any(reason in stop["why"] for reason in REASONS), stop
    kinds = {"drop", "duplicate", "reorder", "flip", "replay", "nan", "freeze", "sensor_nan", "delay"}
    assert set(served["faults_injected"]) == kinds
    assert all(served["faults_injected"][kind] > 0 for kind in kinds)
    for stop in served["stops"]:
        assert any(reason in stop["why"] for reason in REASONS), stop
    assert served["packets_refused"]["not finite"] > 0
    assert "not finite" not in summary["link"]["states_refused"]
    limits = MujocoDynamics(ARMS["iiwa14"]).torque_limits
    applied = column_matrix(read_ticks(Path(summary["run_dir"])), "torque_applied", "nm")
    assert np.isfinite(applied).all()
    assert (np.abs(applied) <= limits).all()
    # What the robot gave its arm, in every tick of its own: also while nobody logged.
    assert (np.array(served["largest_torque_nm"]) <= limits).all()
    assert max(served["largest_torque_step_nm"]) <= 1.0 + 1e-9
