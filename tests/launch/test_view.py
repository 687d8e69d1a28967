from __future__ import annotations

import sys

import numpy as np
import pytest
import rich

from spikearm.envs.arms import load_arm
from spikearm.launch import view
from spikearm.launch.config import RunConfig
from spikearm.launch.scene import ArmScene


@pytest.fixture
def no_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def test_scene_follows_the_arm_without_moving_it(tmp_path):
    scene = ArmScene(RunConfig())
    q = np.asarray(load_arm("iiwa14").home) + 0.1
    scene.pose(q)
    assert np.array_equal(scene.data.qpos, q)
    assert scene.data.time == 0.0
    scene.close()


def test_run_can_be_watched_in_a_browser(spikearm, no_display, monkeypatch, tmp_path):
    monkeypatch.setattr(view, "_PATIENCE_S", 0.0)
    shown = []
    pose = ArmScene.pose
    monkeypatch.setattr(ArmScene, "pose", lambda self, q: (shown.append(q.copy()), pose(self, q)))
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.3, "--view", "--json")
    ended = spikearm("run", *words, "--out", tmp_path)
    assert ended.code == 0
    assert ended.document["n_ticks"] == 300
    assert "view: open http://localhost:" in ended.complaint
    # At most thirty pictures a second, besides the first.
    assert 2 <= len(shown) <= 30


def test_what_the_server_says_after_the_run_is_not_for_stdout(no_display, monkeypatch, capsys):
    monkeypatch.setattr(view, "_PATIENCE_S", 0.0)
    with view.view(RunConfig(), lambda record: None):
        pass
    # viser says so through rich, from a thread that may end later than the run.
    rich.print("Server stopped")
    said = capsys.readouterr()
    assert said.out == ""
    assert "Server stopped" in said.err


def test_display_that_cannot_be_opened_gives_the_page(spikearm, no_display, monkeypatch, tmp_path):
    monkeypatch.setenv("DISPLAY", ":77")
    monkeypatch.setattr(view, "_PATIENCE_S", 0.0)
    monkeypatch.chdir(tmp_path)
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.3, "--view", "--json")
    ended = spikearm("run", *words)
    assert ended.code == 0
    assert ended.document["n_ticks"] == 300
    assert "view: no window can be opened on display :77." in ended.complaint
    assert "view: open http://localhost:" in ended.complaint
    assert "GLFW" not in ended.complaint
    # MuJoCo leaves a MUJOCO_LOG.TXT where it fails.
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_missing_packages_are_explained(spikearm, no_display, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mjviser", None)
    ended = spikearm("run", "--view", "--controller", "osc", "--out", tmp_path)
    assert ended.code == 2
    assert "pip install 'spikearm[view]'" in ended.complaint
    assert not list(tmp_path.iterdir())
