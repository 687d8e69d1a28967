from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from spikearm.hardware.link.server import RobotServer
from spikearm.launch import doctor, realtime
from spikearm.launch.doctor import examine
from spikearm.launch.doctor_link import examine_link
from spikearm.launch.finding import Finding


def finding(subject: str) -> Finding:
    (found,) = (f for f in examine() if f.subject == subject)
    return found


def test_package_that_cannot_be_imported_is_bad_and_fails_the_command(spikearm, monkeypatch):
    def broken(module):
        raise ImportError("libnothing.so: cannot open shared object file")

    monkeypatch.setattr(doctor, "import_module", broken)
    ended = spikearm("doctor", "--json")
    assert ended.code == 1
    bad = [f for f in ended.document["findings"] if f["verdict"] == "bad"]
    assert {f["subject"] for f in bad} >= {"numpy", "mujoco", "nengo", "nengo-loihi"}
    assert "libnothing.so" in bad[0]["found"]
    assert bad[0]["remedy"] == f"pip install --force-reinstall {bad[0]['subject']}"


@pytest.mark.parametrize(("value", "verdict"), [("1", "good"), ("8", "note"), (None, "note")])
def test_threads_of_linear_algebra_are_noted(monkeypatch, value, verdict):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    if value is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert finding("threads").verdict == verdict


def test_busy_machine_is_noted(monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (1000.0, 0.0, 0.0), raising=False)
    assert finding("processors").verdict == "note"
    monkeypatch.setattr("os.getloadavg", lambda: (0.0, 0.0, 0.0), raising=False)
    assert finding("processors").verdict == "good"


def test_folder_that_cannot_be_written_is_noted(monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    found = finding("run folder")
    assert (found.verdict, found.remedy) == ("note", "give runs another place with --out")


def test_meter_is_named(monkeypatch):
    class Meter:
        name = "RAPL package-0"

    monkeypatch.setattr(doctor, "make_meter", Meter)
    assert finding("energy meter").found == "RAPL package-0"
    monkeypatch.setattr(doctor, "make_meter", lambda: None)
    assert "energy_measured stays empty" in finding("energy meter").found


def test_remedies_with_brackets_are_shown_whole(spikearm, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("a", "note", "x[1]", "pip install 'y[z]'")])
    assert "pip install 'y[z]'" in spikearm("doctor").err


def test_remedy_is_a_line_that_can_be_copied(spikearm, monkeypatch):
    remedy = "`sudo chmod a+r " + "/sys/class/powercap/intel-rapl:*/energy_uj " * 3 + "`"
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(doctor, "examine", lambda: [Finding("meter", "note", "none", remedy)])
    assert f"meter: {remedy}" in spikearm("doctor").err.splitlines()


def test_link_is_measured_on_a_robot_served_here():
    found = {f.subject: f for f in examine_link(n_ticks=250)}
    assert set(found) >= {"SCHED_FIFO", "mlockall", "cores for a link", "round trip", "period error"}
    for times in ("round trip", "period error"):
        assert re.fullmatch(r"p50 \d+ µs, p99 \d+ µs, p99\.9 \d+ µs, max \d+ µs", found[times].found)
    assert "of 300 commands at 1 kHz" in found["commands in time"].found
    assert all(f.verdict == "good" or f.remedy for f in found.values())


def test_what_is_not_permitted_is_said_with_its_remedy(monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(realtime.os, "sched_setscheduler", refused)
    with realtime.prioritised(50) as notes:
        pass
    assert any("SCHED_FIFO: Operation not permitted" in note and "ulimit -r 99" in note for note in notes)


def test_what_was_permitted_is_given_back():
    """Figures are drawn, and other programs are to be had, when a run is over."""
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    with realtime.prioritised(1) as notes:
        inside = os.sched_getscheduler(0)
        assert inside == (os.SCHED_FIFO if not any("SCHED_FIFO" in note for note in notes) else before[0])
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before


def test_processors_wait_awake_for_as_long_as_it_lasts(monkeypatch, tmp_path):
    request = tmp_path / "cpu_dma_latency"
    request.write_bytes(b"")
    monkeypatch.setattr(realtime, "_IDLE_LATENCY", request)
    opened = []
    open_ = Path.open

    def noted(path, *args, **kwargs):
        opened.append(open_(path, *args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(Path, "open", noted)
    with realtime.prioritised(1) as notes:
        assert request.read_bytes() == bytes(4)  # 0 us, as the kernel takes it
        assert not opened[0].closed  # the request ends with the file
    assert opened[0].closed
    assert not any("idle states" in note for note in notes)


@pytest.mark.parametrize("name", ["none", "."])
def test_request_that_is_refused_is_said_and_one_that_is_not_there_is_not(monkeypatch, tmp_path, name):
    monkeypatch.setattr(realtime, "_IDLE_LATENCY", tmp_path / name)
    with realtime.prioritised(1) as notes:
        said = [note for note in notes if note.startswith("idle states: ")]
    assert len(said) == (name == ".")
    assert all("Remedy: `sudo chmod a+w" in note for note in said)


@pytest.mark.parametrize("command", ["robot", "hardware"])
def test_command_warns_of_what_is_not_permitted(spikearm, monkeypatch, short_path, command):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(realtime.os, "sched_setscheduler", refused)
    address = f"unix:{short_path}/arm.sock"
    if command == "robot":
        monkeypatch.setattr(RobotServer, "run", lambda server, wanted: None)
        ended = spikearm("robot", "serve", "--arm", "planar2", "--listen", address)
        assert ended.code == 0
    else:
        ended = spikearm("hardware", "run", "--arm", "planar2", "--robot", address)
    assert "warning: SCHED_FIFO: Operation not permitted" in ended.complaint
