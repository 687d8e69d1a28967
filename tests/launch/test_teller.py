from __future__ import annotations

import io
import os
import signal
import sys
import threading
from contextlib import contextmanager

import pytest

from spikearm.launch import hardware_command
from spikearm.launch.teller import Teller, tell_or_lose


def test_texts_are_said_in_their_order():
    said = []
    with Teller(lambda text, style: said.append((text, style))) as teller:
        teller.tell("ready")
        teller.tell("stopped", "red")
    assert said == [("ready", ""), ("stopped", "red")]


def test_reader_that_has_gone_does_not_matter():
    tried = []

    def say(text, style):
        tried.append(text)
        raise BrokenPipeError

    with Teller(say) as teller:
        teller.tell("one")
        teller.tell("two")
    assert tried == ["one", "two"]


def test_terminal_that_is_full_keeps_nobody_waiting():
    free = threading.Event()
    said = []

    def say(text, style):
        free.wait(60.0)
        said.append(text)

    with Teller(say, n_waiting=4) as teller:
        for number in range(100):
            teller.tell(str(number))
        assert said == []
        free.set()
    assert said[0] == "0"
    assert len(said) <= 5


def test_reader_that_has_gone_takes_no_other_output_along(monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    before = os.fstat(1)
    with io.TextIOWrapper(io.FileIO(writer, "w"), write_through=True) as gone:
        monkeypatch.setattr(sys, "stderr", gone)
        with pytest.raises(BrokenPipeError):
            tell_or_lose("one", "")
    assert os.fstat(1) == before


def test_words_of_a_run_are_said_by_a_thread_of_no_priority(spikearm, short_path, monkeypatch):
    """A thread inherits the scheduler of the one that starts it."""
    found = []

    @contextmanager
    def noted(priority):
        found.extend(thread.name for thread in threading.enumerate())
        yield []

    monkeypatch.setattr(hardware_command, "prioritised", noted)
    assert spikearm("hardware", "run", "--robot", f"unix:{short_path}/none.sock").code == 2
    assert "teller" in found


def test_robot_whose_terminal_is_closed_ends_as_by_ctrl_c(process, short_path):
    with process("robot", "serve", "--listen", f"unix:{short_path}/arm.sock", "--json") as robot:
        for line in robot.stderr:
            if "ready" in line:
                break
        robot.stderr.close()
        robot.send_signal(signal.SIGHUP)
        out, _ = robot.stdout.read(), robot.wait(60)
    assert robot.returncode == 0
    assert '"mode": "IDLE"' in out
