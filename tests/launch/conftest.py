"""The command line, in this process and in others; and one short run that many tests read."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from spikearm.launch.config import RunConfig
from spikearm.launch.main import main
from spikearm.launch.robot import Robot, make_robot
from spikearm.launch.robot_config import RobotConfig
from spikearm.launch.run import Finished, execute


@pytest.fixture
def alone(tmp_path_factory):
    """One such test at a time: two loops with real-time priority on two cores starve each other."""
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with (shared / "alone.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """All of stdout as one JSON document."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def complaint(self) -> str:
        """Stderr without frames and line breaks."""
        return " ".join(self.err.replace("│", " ").split())


@pytest.fixture
def spikearm(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command in this process."""

    def call(*words: object) -> Ended:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return call


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Takes a folder away from its owner; a mode would not do, root may write everywhere."""
    allowed = os.access

    def lock(folder: Path) -> None:
        monkeypatch.setattr("os.access", lambda path, mode: Path(path) != folder and allowed(path, mode))

    return lock


@pytest.fixture
def process() -> Callable[..., Any]:
    """Starts a command in a process of its own, with its output in pipes; none outlives the test."""

    @contextmanager
    def start(*words: object, module: str = "main", **options: Any) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", f"spikearm.launch.{module}", *map(str, words)]
        with subprocess.Popen(  # noqa: S603 - ours
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        ) as popen:
            try:
                yield popen
            finally:
                popen.kill()

    return start


@contextmanager
def serving(robot: Robot) -> Iterator[Robot]:
    """A robot in a thread; closed at the end."""
    done = threading.Event()
    with robot:
        thread = threading.Thread(target=lambda: robot.serve(lambda: not done.is_set(), on_stop=id))
        thread.start()
        try:
            yield robot
        finally:
            done.set()
            thread.join()


@pytest.fixture
def served() -> Callable[[Robot | RobotConfig], AbstractContextManager[Robot]]:
    """Serves a robot, or what it is to be made from, in a thread."""
    return lambda robot: serving(make_robot(robot) if isinstance(robot, RobotConfig) else robot)


@pytest.fixture(scope="session")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Two short reaches on the reference substrate, with those without adaptation before them.

    Of 0.2 s each, and so near that the torque need not change faster than an arm lets it.
    """
    out = tmp_path_factory.mktemp("runs")
    return execute(RunConfig(trials=2, duration_s=0.4, distance_m=0.02, seed=7, out=out, name="short"))
