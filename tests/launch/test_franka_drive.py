"""A Franka arm, served like any other robot, at its own pace."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "hardware" / "adapters"))

from franka_library import Arm, stand_in

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.errors import ConfigError
from spikearm.hardware.adapters.franka_config import FrankaConfig
from spikearm.hardware.link.faults import FaultPlan
from spikearm.hardware.link.session import SessionRules
from spikearm.hardware.link.watchdog import WatchdogRules
from spikearm.launch.config import RunConfig
from spikearm.launch.hardware_run import LinkConfig, execute_on_robot
from spikearm.launch.robot import make_robot
from spikearm.launch.robot_config import RobotConfig

PERIOD_S = 0.004
"""The stand-in's cycle takes longer than a true one: two threads of one interpreter share its processor."""


@pytest.fixture
def arm(monkeypatch):
    arm = Arm(wait=lambda: time.sleep(PERIOD_S))
    monkeypatch.setitem(sys.modules, "pylibfranka", stand_in(arm))
    return arm


def settings(folder: Path, **changes) -> RobotConfig:
    patient = SessionRules(watchdog=WatchdogRules(max_missed_s=0.2, max_share=0.5), stale_s=0.2)
    base = RobotConfig(
        arm="fr3",
        drive="franka",
        franka=FrankaConfig(franka_host="arm.local"),
        listen=f"unix:{folder}/arm.sock",
        session=patient,
        acknowledge_real_arm=True,
    )
    return dataclasses.replace(base, **changes)


def test_run_drives_the_arm_at_the_arms_pace_and_gives_it_back(arm, served, short_path):
    config = settings(short_path)
    run = RunConfig(
        arm="fr3", controller="osc", trials=1, duration_s=0.4, distance_m=0.02, out=short_path / "runs"
    )
    link = LinkConfig(robot=config.listen, acknowledge_real_arm=True)
    began = time.monotonic()
    with served(config) as robot:
        summary, folder = execute_on_robot(run, link)
    took_s = time.monotonic() - began
    assert robot.session.tick_number <= arm.n_cycles <= robot.session.tick_number + 3
    assert summary["link"]["ended"] == "done"
    assert summary["link"]["stops"] == []
    assert took_s > 400 * PERIOD_S  # the arm's period, not the millisecond that it stands for
    assert summary["rmse_m"] < 5e-3
    assert arm.control is None
    assert arm.reflex == ""
    assert np.abs(np.diff(arm.desires, axis=0)).max() <= 1.0
    steps = np.abs(np.diff(column_matrix(read_ticks(folder), "torque_applied", "nm"), axis=0))
    assert steps.max() <= 2.0  # of the arm's 1 N m, and of gravity along the way


def test_arm_that_is_real_is_not_armed_without_a_word(arm, served, short_path):
    config = settings(short_path)
    run = RunConfig(arm="fr3", controller="osc", trials=1, duration_s=0.1, out=short_path / "runs")
    with served(config), pytest.raises(ConfigError, match="this robot is real"):
        execute_on_robot(run, LinkConfig(robot=config.listen))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arm": "planar3"}, "a Franka arm has 7 joints, but arm 'planar3' has 3"),
        ({"arm": "iiwa14"}, "arm 'iiwa14' is none of Franka's"),
        ({"control_dt_s": 0.002}, "has a clock of its own, of 0.001 s"),
        ({"lock_step": True}, "a real arm does not wait"),
        ({"faults": FaultPlan(drop=0.1)}, "faults are for simulated arms"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arm, short_path, change, said):
    with pytest.raises(ConfigError, match=said):
        make_robot(settings(short_path, **change))


def test_missing_library_is_said(short_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pylibfranka", None)
    with pytest.raises(ConfigError, match=r"needs Franka's library: pip install .spikearm\[franka\]"):
        make_robot(settings(short_path))
