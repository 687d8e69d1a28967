from __future__ import annotations

import signal
import threading

from spikearm.launch.teller import Teller


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
