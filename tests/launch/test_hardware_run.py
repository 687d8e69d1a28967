"""The same run across the wire: in lock step to the last bit, in real time to the same result."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from spikearm.controller.ticklog import column_matrix, read_ticks
from spikearm.envs.arms import ArmSpec, load_arm
from spikearm.envs.perturbation import Perturbation
from spikearm.errors import (
    AddressError,
    ConfigError,
    LinkError,
    NetworkLostError,
    NotFiniteError,
    ProtectiveStopError,
)
from spikearm.hardware.link.address import open_server_socket, parse_address
from spikearm.hardware.link.channel import DatagramChannel
from spikearm.hardware.link.faults import FaultPlan
from spikearm.hardware.link.limits import LimitRules
from spikearm.hardware.link.network_packets import MAX_PACKET_BYTES, spec_digest
from spikearm.hardware.link.program_server import ProgramServer
from spikearm.hardware.link.session import SessionRules
from spikearm.hardware.link.stops import describe
from spikearm.hardware.link.watchdog import WatchdogRules
from spikearm.hardware.link.wire import Mode, Stop, Trait
from spikearm.launch import hardware_run, served_arm
from spikearm.launch.compose import make_substrate, network_description, network_seed
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.hardware_run import LinkConfig, execute_on_robot
from spikearm.launch.link_words import stop_words
from spikearm.launch.report.run_data import read_runs
from spikearm.launch.robot import Robot, make_robot, robot_around
from spikearm.launch.robot_config import RobotConfig, robot_of
from spikearm.launch.robot_drives import make_arm
from spikearm.launch.run import execute
from spikearm.launch.spikes import Spikes

pytestmark = pytest.mark.usefixtures("alone")

NOISY = Perturbation(payload_kg=0.907, sensor_noise_q_rad=1e-4, sensor_noise_dq_rad_s=1e-3)
SHORT = RunConfig(
    trials=1,
    duration_s=0.25,
    distance_m=0.02,
    seed=5,
    perturbation=NOISY,
    network=NetworkConfig(n_neurons=200),
)
REPORTED = {
    *("success_rate", "success_rate_min_100", "robot_missed_commands", "robot_longest_run_of_misses"),
    *("round_trip_s", "period_error_s", "state_delay_s", "network_age_s", "torque_gap_nm_max"),
    *("states", "states_skipped", "states_refused", "stops", "ended"),
    *("robot", "lock_step", "monitor_only"),
}


@contextmanager
def served_network(run: RunConfig, n_steps: int) -> Iterator[None]:
    """A run's network in a thread, which dies after some steps."""
    address = parse_address(run.substrate_at)
    spec, dt_s = network_description(run, load_arm(run.arm))
    seed = network_seed(run.seed)
    program = make_substrate(run).compile(spec, dt_s=dt_s, seed=seed)
    channel = DatagramChannel(open_server_socket(address), max_bytes=MAX_PACKET_BYTES)
    digest = spec_digest(spec, dt_s=dt_s, seed=seed, substrate=run.backend)
    server = ProgramServer(program, spec, digest, channel, b"")
    done = threading.Event()
    thread = threading.Thread(
        target=server.run, args=(lambda: server.n_steps < n_steps and not done.is_set(),)
    )
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        program.close()
        channel.close()


def in_step(run: RunConfig, folder: Path, **changes) -> RobotConfig:
    base = RobotConfig(listen=f"unix:{folder}/arm.sock", lock_step=True)
    return dataclasses.replace(robot_of(run, base), **changes)


def link_to(robot: RobotConfig, **options) -> LinkConfig:
    # Both ends take turns in one interpreter: on a busy machine it takes a while until no tick is missed.
    return LinkConfig(**{"robot": robot.listen, "connect_s": 30.0} | options)


@pytest.mark.parametrize("controller", ["adaptive", "pid"])
def test_lock_step_gives_the_torques_of_a_run_in_one_process(served, short_path, controller):
    run = dataclasses.replace(SHORT, controller=controller, out=short_path / "runs")
    here_folder = execute(run, baseline=False).folder
    here = read_ticks(here_folder)
    robot = in_step(run, short_path)
    with served(robot):
        summary, folder = execute_on_robot(run, link_to(robot))
    there = read_ticks(folder)
    assert here.num_rows == there.num_rows == 250
    for group, unit in (("torque_applied", "nm"), ("torque_adaptive", "nm"), ("q", "rad"), ("dq", "rad_s")):
        np.testing.assert_array_equal(
            column_matrix(there, group, unit), column_matrix(here, group, unit), err_msg=group
        )
    assert here["t_s"].to_pylist() == there["t_s"].to_pylist()
    assert summary["link"]["ended"] == "done"
    assert summary["link"]["lock_step"] is True
    assert set(summary["link"]) == REPORTED
    for times in ("round_trip_s", "period_error_s", "state_delay_s", "network_age_s"):
        assert set(summary["link"][times]) == {"p50", "p99", "p99_9", "max"}
    assert set(summary["latency_stages_s"]) == {"read", "law", "network", "write", "log"}
    assert summary["deadline_misses"] >= 0
    assert {path.name for path in folder.iterdir()} == {path.name for path in here_folder.iterdir()}
    if controller == "adaptive":
        np.testing.assert_array_equal(Spikes.load(folder).fired, Spikes.load(here_folder).fired)
    # Spikes jump by more than a robot lets through: the loop holds that back, so that the robot need not.
    jumps = np.abs(np.diff(column_matrix(there, "torque_commanded", "nm"), axis=0)).max()
    steps = np.abs(np.diff(column_matrix(there, "torque_applied", "nm"), axis=0)).max()
    assert steps <= 1.0 + 1e-12
    assert (jumps > 1.5) == (controller == "adaptive")


def test_lock_step_loses_nothing_on_a_bad_wire(served, short_path):
    """Lost, late, doubled, turned and repeated packets cost time, and not a single torque."""
    run = dataclasses.replace(
        SHORT, duration_s=0.1, distance_m=0.002, controller="osc", out=short_path / "runs"
    )
    here = read_ticks(execute(run, baseline=False).folder)
    faults = FaultPlan(drop=0.02, duplicate=0.05, flip=0.02, replay=0.05, nan=0.02)
    robot = in_step(run, short_path, faults=faults)
    with served(robot) as server:
        summary, folder = execute_on_robot(run, link_to(robot, state_s=5.0))
    there = read_ticks(folder)
    np.testing.assert_array_equal(
        column_matrix(there, "torque_applied", "nm"), column_matrix(here, "torque_applied", "nm")
    )
    assert sum(server.document()["faults_injected"].values()) > 5
    assert sum(summary["link"]["states_refused"].values()) > 0


def test_real_time_run_reports_its_link(served, short_path):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    patient = SessionRules(watchdog=WatchdogRules(max_missed_s=0.2, max_share=1.0), stale_s=0.2)
    robot = in_step(run, short_path, lock_step=False, session=patient)
    with served(robot):
        summary, folder = execute_on_robot(run, link_to(robot))
    link = summary["link"]
    assert (link["ended"], link["stops"], link["lock_step"]) == ("done", [], False)
    assert 0.0 < link["success_rate"] <= 1.0
    assert link["round_trip_s"]["p50"] > 0.0
    assert link["round_trip_s"]["p50"] <= link["round_trip_s"]["p99"] <= link["round_trip_s"]["max"]
    assert link["period_error_s"]["p50"] is not None
    assert 0.0 <= link["state_delay_s"]["p50"] <= link["state_delay_s"]["max"]
    assert summary["rmse_m"] < 0.03
    assert read_ticks(folder).num_rows == summary["n_ticks"]


def test_each_reach_is_told_when_it_ends(served, short_path, spikearm):
    run = dataclasses.replace(SHORT, controller="osc", trials=3, duration_s=0.3)
    words = ("--controller", "osc", "--trials", 3, "--duration-s", 0.3, "--distance-m", 0.02)
    with served(in_step(run, short_path)) as robot:
        options = ("--robot", robot.config.listen, "--out", short_path / "runs", "--json")
        began_s = time.monotonic()
        ended = spikearm("hardware", "run", *words, *options)
        took_s = math.ceil(time.monotonic() - began_s)
    assert ended.code == 0
    lines = [line for line in ended.err.splitlines() if ": reach " in line]
    expected = [
        f"osc on iiwa14: reach {i + 1}/3, rmse {1e3 * error:.2f} mm"
        for i, error in enumerate(ended.document["rmse_m_by_trial"])
    ]
    *going_on, last = lines
    assert last == expected[-1]  # nothing is left
    told = [re.fullmatch(r"(.*), (\d+) s left", line).groups() for line in going_on]
    assert [line for line, _ in told] == expected[:-1]
    most_s = (2.0 * took_s, took_s)  # of the mean reach, for those that are left
    assert all(int(left_s) <= most for (_, left_s), most in zip(told, most_s, strict=True))


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--payload-kg", 1.5), "--payload-kg"),
        (("--config", "payload-loihi", "--sensor-noise-q-rad", 1e-3), "--sensor-noise-q-rad"),
    ],
)
def test_what_the_robot_carries_is_not_said_at_this_end(spikearm, words, option):
    ended = spikearm("hardware", "run", *words)
    assert ended.code == 2
    assert f"give it to `spikearm robot serve {option} ...`" in ended.complaint
    assert option not in spikearm("hardware", "run", "--help-all").out
    assert option in spikearm("robot", "serve", "--help-all").out


def test_monitoring_says_what_its_errors_are(served, short_path, spikearm):
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.02, "--distance-m", 0.02)
    robot = in_step(SHORT, short_path)
    with served(robot):
        options = ("--robot", robot.listen, "--out", short_path / "runs")
        looked, ran = (spikearm("hardware", "run", *words, *options, *more) for more in (("--monitor",), ()))
    said = "only looking: nothing is commanded, errors are from the path to an arm that stays."
    assert said in looked.err
    assert said not in ran.err


def test_monitoring_does_not_say_that_the_arm_is_led(served, short_path, spikearm, caplog):
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.02, "--distance-m", 0.02, "--monitor")
    robot = in_step(SHORT, short_path)
    with served(robot) as server:
        away(server, 0.05)
        before = server.plant.read().q
        looked = spikearm("hardware", "run", *words, "--robot", robot.listen, "--out", short_path / "runs")
        np.testing.assert_array_equal(server.plant.read().q, before)
    assert looked.code == 0
    assert "it would be led there first, in 1.0 s that belong to no reach" in caplog.text
    assert "is led" not in caplog.text + looked.complaint
    assert "led to" not in looked.complaint
    assert "way to the path 1000 ticks that belong to no reach" in looked.complaint


def test_monitor_only_moves_nothing(served, short_path):
    run = dataclasses.replace(SHORT, controller="osc", duration_s=0.1, out=short_path / "runs")
    robot = in_step(run, short_path)
    with served(robot) as server:
        summary, folder = execute_on_robot(run, link_to(robot, monitor=True))
        assert server.plant.read().t_s == 0.0
    assert summary["link"]["monitor_only"] is True
    ticks = read_ticks(folder)
    assert not np.array_equal(
        column_matrix(ticks, "torque_commanded", "nm"), column_matrix(ticks, "torque_applied", "nm")
    )


def test_stopped_robot_can_be_looked_at(served, short_path, caplog):
    run = dataclasses.replace(SHORT, controller="osc", duration_s=0.1, out=short_path / "runs")
    robot = in_step(run, short_path)
    with served(robot) as server:
        server.session.protect(Stop.CLIENT)
        summary, _ = execute_on_robot(run, link_to(robot, monitor=True))
        assert server.session.stop == Stop.CLIENT
    assert summary["link"]["ended"] == "done"
    assert summary["n_ticks"] >= 100
    assert f"the robot has stopped ({describe(Stop.CLIENT)}), and is looked at as it is." in caplog.text


def test_nothing_is_compiled_for_a_robot_that_has_stopped(served, short_path, monkeypatch):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot, composed = in_step(run, short_path), []
    monkeypatch.setattr(hardware_run, "compose_control", composed.append)
    with served(robot) as server:
        server.session.protect(Stop.CLIENT)
        with pytest.raises(ProtectiveStopError, match="the client told it to"):
            execute_on_robot(run, link_to(robot))
    assert composed == []


def test_run_says_that_it_recovered_its_robot(served, short_path):
    run = dataclasses.replace(SHORT, controller="osc", duration_s=0.05, out=short_path / "runs")
    robot, told = in_step(run, short_path), []
    with served(robot) as server:
        server.session.protect(Stop.CLIENT)
        execute_on_robot(run, link_to(robot, recover=True), tell=told.append)
        execute_on_robot(run, link_to(robot, recover=True), tell=told.append)
    said = f"the robot had stopped ({describe(Stop.CLIENT)}) and was recovered"
    assert (told.count(said), told[1]) == (1, said)


def test_nothing_is_planned_for_a_robot_that_stopped_meanwhile(served, short_path, monkeypatch):
    """Least of all is it said that its arm is led to the start of a path."""
    run = dataclasses.replace(SHORT, controller="osc", duration_s=0.1, out=short_path / "runs")
    planned, compose = [], hardware_run.compose_control
    monkeypatch.setattr(hardware_run, "led_up", lambda *_, **__: planned.append(1))
    robot = in_step(run, short_path)
    with served(robot) as server:

        def composed(config):
            server.session.protect(Stop.CLIENT)
            return compose(config)

        monkeypatch.setattr(hardware_run, "compose_control", composed)
        with pytest.raises(ProtectiveStopError, match="the client told it to"):
            execute_on_robot(run, link_to(robot))
    assert planned == []


def test_stop_ends_the_run_with_its_reason(served, short_path):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot = in_step(run, short_path, faults=FaultPlan(sensor_nan=1.0, faults_after_s=1.0))
    with served(robot) as server:
        server.server._move = _failing_after(server, 50, [], Stop.SENSOR)
        summary, folder = execute_on_robot(run, link_to(robot))
    assert "a sensor gave no number" in summary["link"]["ended"]
    assert summary["link"]["stops"][0]["tick"] == summary["n_ticks"] == read_ticks(folder).num_rows
    assert summary["interrupted"] is True


def test_stop_that_ends_a_run_is_told_once(served, short_path, spikearm):
    robot = in_step(SHORT, short_path)
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.25, "--distance-m", 0.02)
    with served(robot) as server:
        server.server._move = _failing_after(server, 50, [], Stop.SPEED_LIMIT)
        ended = spikearm("hardware", "run", *words, "--robot", robot.listen, "--out", short_path / "runs")
    assert ended.code == 1
    assert ended.err.count("a joint was faster than its limit") == 1
    assert (
        "ended early, after 49 ticks: ProtectiveStopError: the robot has stopped by itself" in ended.complaint
    )
    assert "osc on iiwa14: reach 1/1 was cut short after 0.049 s of 0.25 s" in ended.err


@pytest.mark.parametrize("recoveries", [1, 2])
def test_stops_of_the_same_kind_are_each_told_once(served, short_path, spikearm, recoveries):
    """Of two, the run survived the first; and both, if it could."""
    robot = in_step(SHORT, short_path)
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.25, "--distance-m", 0.02, "--json")
    options = ("--robot", robot.listen, "--out", short_path / "runs", "--recoveries", recoveries)
    with served(robot) as server:
        server.server._move = _failing_after(server, 50, [])
        server.server._move = _failing_after(server, 100, [])
        ended = spikearm("hardware", "run", *words, *options)
    first, second = ended.document["link"]["stops"]
    why = describe(Stop.MISSED_IN_A_ROW)
    assert (first["why"], first["recovered"]) == (why, True)
    assert second["recovered"] is (recoveries == 2)
    assert ended.code == (1 if recoveries == 1 else 0)
    assert ended.complaint.count(f"stop at tick {first['tick']}, recovered: {why}") == 1
    assert ended.complaint.count(f"stop at tick {second['tick']}, recovered: {why}") == recoveries - 1
    assert ended.complaint.count("stop at tick") == recoveries
    # What somebody has to do is said of a stop that is left to somebody.
    assert ended.complaint.count("Then recover it (--recover).") == 2 - recoveries


def test_robot_that_was_told_to_end_is_not_recovered(served, short_path, monkeypatch):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot = in_step(run, short_path)
    monkeypatch.setattr(hardware_run, "_recover", lambda *_: pytest.fail("it was tried"))
    with served(robot) as server:
        server.server._move = _failing_after(server, 50, [], Stop.ENDED)
        summary, _ = execute_on_robot(run, link_to(robot, recoveries=5))
    link = summary["link"]
    assert link["ended"] == f"RobotEndedError: {link['stops'][0]['why']}"
    assert "nothing is left to recover. Serve it again (`spikearm robot serve`)" in link["ended"]
    assert len(link["stops"]) == 1


def test_stop_that_is_found_when_it_is_to_be_recovered_says_what_is_next(served, short_path, monkeypatch):
    """The state that said so was lost: the run knows of a lost link only, until it asks again."""
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot = in_step(run, short_path)
    on_tick = hardware_run._Outcome.on_tick
    with served(robot) as server:

        def unplugged(outcome, record):
            on_tick(outcome, record)
            if outcome.n_ticks == 50:
                server.session.protect(Stop.ENDED)
                raise LinkError("no state")

        monkeypatch.setattr(hardware_run._Outcome, "on_tick", unplugged)
        summary, _ = execute_on_robot(run, link_to(robot, recoveries=5))
    assert "told to end). It brakes its arm, lets it go and ends: nothing is left" in summary["link"]["ended"]


def test_recovered_run_goes_on_and_does_all_its_reaches(served, short_path, caplog):
    run = dataclasses.replace(SHORT, trials=2, duration_s=0.3, out=short_path / "runs")
    robot = in_step(run, short_path)
    with served(robot) as server:
        applied = []
        server.server._move = _failing_after(server, 200, applied)
        summary, folder = execute_on_robot(run, link_to(robot, recoveries=1))
    assert summary["link"]["ended"] == "done"
    assert len(summary["link"]["stops"]) == 1
    assert summary["n_ticks"] > 1000 + 150  # the way back takes a second, the second reach was begun anew
    reach = read_ticks(folder)["reach"].to_numpy()
    cut = summary["link"]["stops"][0]["tick"] - 150
    np.testing.assert_array_equal(reach, np.repeat((0, 1, -1, 1), (150, cut, 1000, 150)))
    assert summary["lead_in_ticks"] == 1000
    error_m = read_ticks(folder)["position_error_m"].to_numpy()
    again = np.sqrt(np.mean(error_m[-150:] ** 2))
    assert summary["rmse_m_by_trial"][1] == pytest.approx(again)  # of the reach that was done to its end
    assert summary["reach_ticks"] == 300
    assert "is led back to the start of reach 2, in 1.0 s that belong to no reach" in caplog.text
    assert len(applied) > summary["n_ticks"]  # the robot's own hold as well
    assert np.abs(np.diff(applied, axis=0)).max() <= 1.0 + 1e-9


def test_interrupt_in_the_tick_of_a_stop_is_not_lost(served, short_path, monkeypatch):
    """What was asked while the loop ended by an error: the arm is neither recovered nor armed again."""
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot = in_step(run, short_path)
    on_tick = hardware_run._Outcome.on_tick

    def interrupted(outcome, record):
        on_tick(outcome, record)
        if outcome.n_ticks == 50:
            os.kill(os.getpid(), signal.SIGINT)
            raise LinkError("no state")

    monkeypatch.setattr(hardware_run._Outcome, "on_tick", interrupted)
    with served(robot):
        summary, folder = execute_on_robot(run, link_to(robot, recoveries=5))
    assert summary["link"]["ended"] == "interrupted"
    assert summary["interrupted"] is True
    assert summary["n_ticks"] == read_ticks(folder).num_rows == 50


@pytest.mark.parametrize("error", [NetworkLostError("no output"), NotFiniteError("nan")])
def test_run_that_ends_by_an_error_of_its_own_keeps_its_report(served, short_path, monkeypatch, error):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot = in_step(run, short_path)
    fail_in_tick_50(monkeypatch, error)
    with served(robot):
        summary, folder = execute_on_robot(run, link_to(robot, recoveries=5))
    assert summary["link"]["ended"] == f"{type(error).__name__}: {error}"
    assert summary["link"]["stops"] == []  # the arm did not stop, and is not recovered
    assert summary["n_ticks"] == read_ticks(folder).num_rows == 50


def test_robot_that_ended_is_a_reason_and_not_a_lost_report(served, short_path, monkeypatch):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot = in_step(run, short_path)

    def gone(*_):
        raise AddressError("nobody there")

    fail_in_tick_50(monkeypatch, LinkError("no state"))
    monkeypatch.setattr(hardware_run, "_recover", gone)
    with served(robot):
        summary, _ = execute_on_robot(run, link_to(robot, recoveries=5))
    assert summary["link"]["ended"] == "AddressError: nobody there"


def test_broken_link_that_was_mended_is_told_with_its_own_reason(served, short_path, monkeypatch):
    """The robot has not stopped, and has none."""
    run = dataclasses.replace(SHORT, controller="osc", duration_s=0.1, out=short_path / "runs")
    robot = in_step(run, short_path)
    fail_in_tick_50(monkeypatch, LinkError("no state"))
    with served(robot):
        summary, _ = execute_on_robot(run, link_to(robot, recoveries=1))
    assert summary["link"]["ended"] == "done"
    assert summary["link"]["stops"] == [{"tick": 50, "why": "no state", "recovered": True}]
    assert stop_words(summary["link"]) == ["stop at tick 50, recovered: no state"]


def test_real_arm_is_not_recovered_by_itself(served, short_path):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    patient = SessionRules(watchdog=WatchdogRules(max_missed_s=0.2, max_share=0.5), stale_s=0.2)
    config = in_step(run, short_path, lock_step=False, session=patient, acknowledge_real_arm=True)
    arm = load_arm(config.arm)
    robot = robot_around(make_arm(config, arm), arm, config, Trait.REAL)
    robot.server._move = _failing_after(robot, 150, [])
    with served(robot):
        summary, _ = execute_on_robot(run, link_to(config, recoveries=5, acknowledge_real_arm=True))
        assert robot.session.stop
    assert "a run recovers simulated arms only" in summary["link"]["ended"]


@pytest.mark.parametrize("why", [Stop.SENSOR, Stop.SPEED_LIMIT | Stop.MISSED_IN_A_ROW])
def test_run_recovers_from_missed_commands_only(served, short_path, why):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot = in_step(run, short_path)
    with served(robot) as server:
        server.server._move = _failing_after(server, 50, [], why)
        summary, _ = execute_on_robot(run, link_to(robot, recoveries=5))
        assert server.session.stop == why
    assert "and from missed commands: this one has stopped" in summary["link"]["ended"]


def test_arm_that_was_moved_before_it_is_armed_is_led_back(served, short_path, monkeypatch):
    """By hand, for instance, while the network was compiled: where it stands counts when it is armed."""
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    robot = in_step(run, short_path)
    make_folder = hardware_run.make_run_folder
    with served(robot) as server:

        def moved(*args):
            away(server, 0.1)
            return make_folder(*args)

        monkeypatch.setattr(hardware_run, "make_run_folder", moved)
        summary, folder = execute_on_robot(run, link_to(robot))
    assert summary["link"]["ended"] == "done"
    assert summary["n_ticks"] == 1000 + 250
    ticks = read_ticks(folder)
    assert ticks["position_error_m"].to_numpy()[0] < 2e-3  # the path begins where the arm is
    assert ticks["reach"].to_pylist() == [-1] * 1000 + [0] * 250
    assert summary["lead_in_ticks"] == 1000
    assert summary["duration_s"] == pytest.approx(0.25)
    in_reach = ticks["position_error_m"].to_numpy()[1000:]
    assert summary["rmse_m_by_trial"] == [pytest.approx(np.sqrt(np.mean(in_reach**2)))]
    assert summary["rmse_m"] == pytest.approx(summary["rmse_m_by_trial"][0])
    assert summary["final_error_m"] == in_reach[-1]
    assert summary["mean_error_m"] == pytest.approx(in_reach.mean())


def test_second_run_on_a_robot_is_led_to_its_start_and_that_is_no_reach(served, short_path, spikearm, caplog):
    """An odd number of reaches ends where none begins."""
    run = dataclasses.replace(SHORT, controller="osc", trials=3, duration_s=0.3)
    words = ("--controller", "osc", "--trials", 3, "--duration-s", 0.3, "--distance-m", 0.02)
    with served(in_step(run, short_path)) as robot:
        options = ("--robot", robot.config.listen, "--out", short_path / "runs", "--json")
        once = spikearm("hardware", "run", *words, *options)
        assert "led there" not in caplog.text
        again = spikearm("hardware", "run", *words, *options)
    assert re.search(
        r"the arm stands 0\.0\d\d m and .* it is led there first, in 1\.0 s that belong", caplog.text
    )
    assert (once.document["lead_in_ticks"], again.document["lead_in_ticks"]) == (0, 1000)
    assert once.document["duration_s"] == again.document["duration_s"] == pytest.approx(0.3)
    assert len(once.document["rmse_m_by_trial"]) == len(again.document["rmse_m_by_trial"]) == 3
    lines = [line for line in again.err.splitlines() if ": reach " in line]
    assert [line.split(",")[0] for line in lines] == [f"osc on iiwa14: reach {n}/3" for n in (1, 2, 3)]
    assert "over 300 ticks" in again.complaint
    assert "way to the path 1000 ticks that belong to no reach" in again.complaint


def test_page_of_a_run_that_was_led_to_its_start_counts_its_reaches_only(served, short_path, spikearm):
    run = dataclasses.replace(SHORT, trials=2, duration_s=0.3, out=short_path / "runs")
    robot = in_step(run, short_path)
    with served(robot) as server:
        away(server, 0.05)
        summary, folder = execute_on_robot(run, link_to(robot))
    assert summary["lead_in_ticks"] == 1000
    (shown,) = read_runs([folder])
    assert shown.n_reaches == 2
    assert spikearm("report", folder).code == 0
    assert "1,000 of the 1,300 ticks led the arm to its path" in (folder / "report.html").read_text()


def test_run_that_ends_on_its_way_to_the_start_has_ticks_and_no_reach(
    served, short_path, monkeypatch, spikearm
):
    robot = in_step(SHORT, short_path)
    words = ("--n-neurons", 200, "--trials", 1, "--duration-s", 0.25, "--out", short_path / "runs", "--json")
    on_tick = hardware_run._Outcome.on_tick

    def interrupted(outcome, record):
        on_tick(outcome, record)
        if outcome.n_ticks == 50:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(hardware_run._Outcome, "on_tick", interrupted)
    with served(robot) as server:
        away(server, 0.05)
        ended = spikearm("hardware", "run", *words, "--robot", robot.listen)
    assert ended.code == 1
    assert ": reach " not in ended.err
    assert "tracking error none: it ended before the first reach" in ended.complaint
    assert "ended early, after 50 ticks: interrupted; the arm is left to the robot's own hold" in ended.err
    summary = ended.document
    folder = Path(summary["run_dir"])
    assert (summary["n_ticks"], summary["lead_in_ticks"], summary["duration_s"]) == (50, 50, 0.0)
    assert (summary["rmse_m"], summary["rmse_m_by_trial"]) == (None, [])
    ended = spikearm("report", folder)
    assert ended.code == 1
    assert "ended while its arm was led to its first reach: there is nothing to report" in ended.complaint
    ended = spikearm("logs", "export", folder, "--to", "neurobench")
    assert ended.code == 1
    assert "ended before its first reach: there is no error to export" in ended.complaint


def test_network_elsewhere_that_dies_is_held_faded_out_and_ends_the_run(served, short_path):
    """The whole ladder in real time, at the default settings: no tick waits for what does not come."""
    run = dataclasses.replace(
        SHORT, trials=1, duration_s=3.0, out=short_path / "runs", substrate_at=f"unix:{short_path}/net.sock"
    )
    patient = SessionRules(watchdog=WatchdogRules(max_missed_s=0.5, max_share=1.0), stale_s=0.5)
    robot = in_step(run, short_path, lock_step=False, session=patient)
    with served_network(run, n_steps=300), served(robot) as server:
        summary, folder = execute_on_robot(run, link_to(robot))
        assert server.session.mode in (Mode.IDLE, Mode.MONITOR)
    assert summary["link"]["ended"].startswith(
        "NetworkLostError: the network's output has been stale for 1 s"
    )
    assert summary["link"]["stops"] == []
    assert 0.0 < summary["link"]["network_age_s"]["p50"] <= summary["link"]["network_age_s"]["max"]
    ticks = read_ticks(folder)
    fallback, age_s = ticks["fallback"].to_numpy(), ticks["network_age_s"].to_numpy()
    last = int(np.flatnonzero(fallback == 0)[-1])
    assert (fallback[last + 1 : last + 21] == 1).all()
    assert (fallback[last + 21 :] == 2).all()
    assert len(fallback) - last - 1 == 1000
    # Answers that come too late still make it younger; the last 0.9 s had none.
    assert (np.diff(age_s[-900:]) > 0.0).all()
    assert (ticks["latency_tick_s"].to_numpy()[last + 1 :] < 0.1).all()


def away(robot: Robot, by_rad: float) -> None:
    """Somebody has moved the arm."""
    robot.plant._q0 = robot.plant._q0 + by_rad
    robot.server.reading = robot.plant.reset()
    robot.session.place(robot.server.reading)


def fail_in_tick_50(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A run whose fiftieth tick ends with an error, once."""
    on_tick = hardware_run._Outcome.on_tick

    def failing(outcome, record):
        on_tick(outcome, record)
        if outcome.n_ticks == 50:
            raise error

    monkeypatch.setattr(hardware_run._Outcome, "on_tick", failing)


def _failing_after(robot: Robot, n_moves: int, applied: list[np.ndarray], why: Stop = Stop.MISSED_IN_A_ROW):
    """A robot that stops once, after so many torques of a client; keeps every torque."""
    move, moved = robot.server._move, []

    def failing(torque):
        if robot.session.moved_by:
            moved.append(torque)
        move(torque)
        applied.append(robot.session.applied.copy())
        if robot.session.moved_by and len(moved) == n_moves:
            robot.session.protect(why)

    return failing


def test_arm_that_its_allowed_torque_cannot_carry_is_not_served(short_path):
    robot = in_step(SHORT, short_path, limits=LimitRules(torque_share=0.1))
    with pytest.raises(ConfigError, match=r"weight takes 0\.1.. of its torque limits.*torque-share above"):
        make_robot(robot)


def test_missing_robot_is_said_at_once(short_path):
    run = dataclasses.replace(SHORT, controller="osc", out=short_path / "runs")
    with pytest.raises(AddressError, match="start the other end first"):
        execute_on_robot(run, LinkConfig(robot=f"unix:{short_path}/none.sock"))
    assert not (short_path / "runs").exists()


def test_robot_with_other_joints_is_said(served, short_path):
    run = dataclasses.replace(SHORT, controller="osc", arm="planar2", out=short_path / "runs")
    robot = in_step(SHORT, short_path)
    said = (
        rf"the robot at {robot.listen} serves iiwa14, and this run is for planar2\. Give this end --arm "
        r"iiwa14, or serve the other arm there \(`spikearm robot serve --arm planar2`\)"
    )
    with served(robot), pytest.raises(LinkError, match=said):
        execute_on_robot(run, link_to(robot, connect_s=0.3))


def test_robot_that_is_gone_when_it_is_asked_for_its_arm_does_not_hide_the_reason(
    served, short_path, monkeypatch
):
    def gone(address):
        raise AddressError("cannot reach it")

    monkeypatch.setattr(served_arm, "dial", gone)
    robot = in_step(SHORT, short_path)
    said = "another arm than the one this run is for: another weight, other ranges or other torque limits"
    with served(robot), pytest.raises(LinkError, match=said):
        hardware_run.connect(link_to(robot), load_arm("gen3"))


def custom_arm(folder: Path, name: str, true: str = "planar2") -> ArmSpec:
    """A file that calls itself what it is not."""
    path = folder / f"{name}.xml"
    text = load_arm(true).path.read_text()
    path.write_text(text.replace('armature="', 'armature="1'))
    return load_arm(path)


def test_file_that_is_called_like_a_shipped_arm_is_not_taken_for_it(served, short_path):
    mine = custom_arm(short_path, "iiwa14")
    robot = in_step(SHORT, short_path)
    said = (
        rf"serves iiwa14, and this run is for {mine.path}\. Give this end --arm iiwa14, or serve the other "
        rf"arm there \(`spikearm robot serve --arm {mine.path}`\)"
    )
    with served(robot), pytest.raises(LinkError, match=said):
        hardware_run.connect(link_to(robot, connect_s=0.3), mine)


@pytest.mark.parametrize(
    ("believed", "said"),
    [
        ("planar2", r"nobody answers within 0\.5 s.*has it 2 joints"),
        (
            "planar3",
            "another arm than the one this run is for: another weight.*Give both ends the same --arm",
        ),
    ],
)
def test_robot_that_serves_an_arm_of_a_file_cannot_be_named(served, short_path, believed, said):
    arm = custom_arm(short_path, "mine", "planar3")
    config = RobotConfig(arm=str(arm.path), listen=f"unix:{short_path}/arm.sock")
    with served(robot_around(make_arm(config, arm), arm, config, Trait.RESETTABLE)):
        with pytest.raises(LinkError, match=said):
            hardware_run.connect(LinkConfig(robot=config.listen, connect_s=0.5), load_arm(believed))
        with hardware_run.connect(LinkConfig(robot=config.listen), arm) as plant:
            assert plant.mode is Mode.MONITOR


def test_robot_in_session_is_named_and_its_session_is_not_disturbed(served, short_path):
    robot = in_step(SHORT, short_path)
    link = link_to(robot, connect_s=0.3)
    with served(robot) as server, hardware_run.connect(link, load_arm("iiwa14")) as plant:
        session = server.session.number
        with pytest.raises(LinkError, match="serves iiwa14, and this run is for planar2"):
            hardware_run.connect(link, load_arm("planar2"))
        with pytest.raises(LinkError, match="another client is in session with this robot"):
            hardware_run.connect(link, load_arm("iiwa14"))
        plant.arm()
        plant.write(np.zeros(7))
        assert server.session.number == session


def test_nobody_who_answers_is_said(short_path):
    run = dataclasses.replace(SHORT, controller="osc", arm="planar2", out=short_path / "runs")
    said = r"nobody answers within 0\.1 s.*has it 2 joints"
    bound = make_robot(in_step(SHORT, short_path))  # and not served
    told = []
    with bound as robot, pytest.raises(LinkError, match=said):
        execute_on_robot(run, link_to(robot.config, connect_s=0.1), tell=told.append)
    assert told == []  # neither of a robot nor of ticks


def test_run_tells_that_its_robot_answers_and_when_it_begins(served, short_path):
    run = dataclasses.replace(SHORT, controller="osc", duration_s=0.05, out=short_path / "runs")
    robot, told = in_step(run, short_path), []
    with served(robot):
        execute_on_robot(run, link_to(robot), tell=told.append)
    assert told == [f"robot iiwa14 answers at {robot.listen}; preparing osc", "osc on iiwa14: 50 ticks"]


def test_address_others_can_reach_needs_a_key(spikearm):
    ended = spikearm("robot", "serve", "--listen", "udp://0.0.0.0:0")
    assert ended.code == 2
    assert "give a 32-byte key with --key-file" in ended.complaint
    ended = spikearm("hardware", "run", "--robot", "udp://192.168.1.7:1", "--controller", "osc")
    assert ended.code == 2


def test_key_is_made_by_the_command(spikearm, short_path):
    path = short_path / "link.key"
    assert spikearm("robot", "key", path, "--json").document == {"key_file": str(path)}
    assert (path.stat().st_size, path.stat().st_mode & 0o777) == (32, 0o600)
    ended = spikearm("robot", "key", path)
    assert ended.code == 1
    assert "never overwritten" in ended.complaint
