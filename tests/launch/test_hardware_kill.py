"""SIGKILL, SIGSTOP and Ctrl-C on either side of a link, in processes of their own."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from spikearm.controller.journal import read_journal
from spikearm.controller.ticklog import JOURNAL_NAME, read_ticks
from spikearm.envs.arms import load_arm
from spikearm.errors import JournalError, LinkError
from spikearm.launch.hardware_run import LinkConfig, connect

pytestmark = pytest.mark.usefixtures("alone")

PATIENCE_S = 60.0


def line(stream, containing: str) -> str:
    """The first line that contains a word."""
    for text in stream:
        if containing in text:
            return text
    raise AssertionError(f"the process ended without saying {containing!r}")


def n_recorded(out: Path) -> int:
    try:
        return sum(len(read_journal(folder / JOURNAL_NAME).sequence) for folder in out.glob("*Z-*"))
    except (JournalError, OSError):
        return 0


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} took longer than {PATIENCE_S:g} s"
        time.sleep(0.02)


class Pair:
    """A robot and a run on it, both going on."""

    def __init__(self, process, folder: Path, *, n_ticks: int = 100) -> None:
        address = self._address = f"unix:{folder}/arm.sock"
        self.out = folder / "runs"
        # On a busy machine a healthy client misses more than on an arm anybody would touch.
        patient = ("--max-share", 1, "--max-missed-s", 0.2, "--stale-s", 0.2)
        self._robot = process("robot", "serve", "--listen", address, "--json", *patient)
        self.robot = self._robot.__enter__()
        line(self.robot.stderr, "ready")
        words = ("--controller", "osc", "--trials", 40, "--duration-s", 40, "--json", "--out", self.out)
        self._client = process("hardware", "run", "--robot", address, *words)
        self.client = self._client.__enter__()
        if n_ticks:
            wait_until(lambda: n_recorded(self.out) > n_ticks, f"the run's first {n_ticks} ticks")
        else:
            wait_until(lambda: any(self.out.glob("*Z-*")), "the run's folder")

    def close(self) -> None:
        self._client.__exit__(None, None, None)
        self._robot.__exit__(None, None, None)

    def settle(self) -> None:
        """Wait until the robot lets somebody in, and most of the second in which it bears with a listener."""

        def settled() -> bool:
            with suppress(LinkError), connect(LinkConfig(robot=self._address), load_arm("iiwa14")) as plant:
                until_s = plant.read().t_s + 0.9
                while plant.read().t_s < until_s:
                    plant.next_state()
                return True
            return False

        wait_until(settled, "joining the robot and 0.9 s of its time")

    def end_client(self) -> tuple[int, dict, str]:
        out, err = self.client.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in err
        return self.client.returncode, json.loads(out), err

    def end_robot(self) -> dict:
        """The robot's account of itself."""
        self.robot.send_signal(signal.SIGINT)
        out, self.robot_said = self.robot.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in self.robot_said
        assert self.robot.returncode == 0
        return json.loads(out)


@pytest.fixture
def pair(process, short_path):
    pair = Pair(process, short_path)
    yield pair
    pair.close()


def assert_stopped(robot: dict) -> None:
    assert robot["mode"] in ("STOPPED", "IDLE")
    assert robot["speed_rad_s"] < 0.02


def test_killed_client_leaves_a_stopped_arm_and_every_tick(pair):
    pair.client.kill()
    pair.client.wait()
    line(pair.robot.stderr, "too many commands missed in a row")
    pair.settle()
    robot = pair.end_robot()
    assert robot["stops"][-1]["why"] == "too many commands missed in a row"
    assert_stopped(robot)
    (folder,) = pair.out.glob("*Z-*")
    left = n_recorded(pair.out)
    assert left > 100
    assert read_ticks(folder)["tick"].to_pylist() == list(range(left))


def test_interrupted_client_ends_with_torque_off_and_no_stop(pair):
    pair.client.send_signal(signal.SIGINT)
    code, summary, _ = pair.end_client()
    assert (code, summary["link"]["ended"]) == (1, "interrupted")
    assert read_ticks(Path(summary["run_dir"])).num_rows == summary["n_ticks"] > 100
    pair.settle()
    robot = pair.end_robot()
    assert robot["stops"] == []
    assert robot["mode"] == "IDLE"
    assert "cut off" not in pair.robot_said
    assert_stopped(robot)


def test_killed_robot_ends_the_run_with_every_tick(pair):
    pair.robot.kill()
    code, summary, err = pair.end_client()
    assert code == 1
    assert "LinkError" in err
    assert "LinkError: no state from the robot" in summary["link"]["ended"]
    assert read_ticks(Path(summary["run_dir"])).num_rows == summary["n_ticks"] > 100


@pytest.mark.slow
def test_frozen_client_finds_the_robot_stopped(pair):
    pair.client.send_signal(signal.SIGSTOP)
    line(pair.robot.stderr, "too many commands missed in a row")
    pair.client.send_signal(signal.SIGCONT)
    code, summary, _ = pair.end_client()
    assert code == 1
    assert "ProtectiveStopError" in summary["link"]["ended"] or "LinkError" in summary["link"]["ended"]
    pair.settle()
    assert_stopped(pair.end_robot())


@pytest.mark.slow
def test_frozen_robot_ends_the_run_and_stops_when_it_wakes(pair):
    pair.robot.send_signal(signal.SIGSTOP)
    code, summary, _ = pair.end_client()
    assert code == 1
    assert "LinkError" in summary["link"]["ended"]
    pair.robot.send_signal(signal.SIGCONT)
    pair.settle()
    robot = pair.end_robot()
    assert "stood still for too long" in robot["stops"][-1]["why"]
    assert_stopped(robot)


@pytest.mark.slow
def test_interrupted_robot_ends_the_run(pair):
    robot = pair.end_robot()
    assert robot["commands_accepted"] > 100
    assert robot["stops"][-1]["why"] == "the robot's own program was told to end"
    assert robot["mode"] in ("STOPPED", "IDLE")
    assert robot["speed_rad_s"] < 0.05  # it brakes until then, two steps of a servo's reading, and ends
    code, summary, _ = pair.end_client()
    assert code == 1
    assert "told to end" in summary["link"]["ended"]
    assert "nothing is left to recover. Serve it again" in summary["link"]["ended"]
    assert "told to end while a client commanded: that run is cut off" in pair.robot_said
    assert "the arm was let go at rest." in pair.robot_said


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.013, 0.2, 0.7])
@pytest.mark.parametrize("victim", ["client", "robot"])
def test_killed_at_any_moment_no_tick_is_lost(process, short_path, victim, after_s):
    pair = Pair(process, short_path)
    try:
        time.sleep(after_s)
        getattr(pair, victim).kill()
        getattr(pair, victim).wait()
        (folder,) = pair.out.glob("*Z-*")
        if victim == "robot":
            code, summary, _ = pair.end_client()
            assert code == 1
        n_ticks = n_recorded(pair.out) if victim == "client" else summary["n_ticks"]
        assert read_ticks(folder)["tick"].to_pylist() == list(range(n_ticks))
    finally:
        pair.close()


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.03])
@pytest.mark.parametrize("what", [signal.SIGKILL, signal.SIGSTOP])
def test_client_that_ends_while_it_arms_leaves_the_arm_on_hold(process, short_path, what, after_s):
    pair = Pair(process, short_path, n_ticks=0)
    try:
        time.sleep(after_s)
        pair.client.send_signal(what)
        pair.settle()
        robot = pair.end_robot()
        assert_stopped(robot)
        assert [stop["why"] for stop in robot["stops"]] in ([], ["too many commands missed in a row"])
    finally:
        pair.client.kill()
        pair.close()
