from __future__ import annotations

import imageio_ffmpeg
import numpy as np
import pytest

from spikearm.launch import video
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute


@pytest.fixture
def run(tmp_path):
    return execute(RunConfig(controller="osc", trials=1, duration_s=0.1, out=tmp_path)).folder


# imageio-ffmpeg's reader, which only this test uses, leaves its pipes to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_film_shows_an_arm_that_moves(spikearm, run, tmp_path):
    path = tmp_path / "film.mp4"
    ended = spikearm("video", run, "--out", path, "--json")
    assert ended.code == 0
    assert ended.document["path"] == str(path)
    frames = imageio_ffmpeg.read_frames(str(path))
    about = next(frames)
    pictures = [np.frombuffer(frame, np.uint8).astype(float) for frame in frames]
    assert about["fps"] == 30
    assert len(pictures) == 3
    assert pictures[0].std() > 20
    assert np.abs(pictures[-1] - pictures[0]).max() > 50
    assert sorted(p.name for p in tmp_path.iterdir()) == [run.name, "film.mp4"]


def test_computer_that_cannot_draw_is_explained(spikearm, run, tmp_path, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    ended = spikearm("video", run, "--out", tmp_path / "film.mp4")
    assert ended.code == 2
    assert "nothing here can draw: nonsense: " in ended.complaint
    assert "apt-get install libegl1" in ended.complaint


def test_each_way_to_draw_is_tried(run, tmp_path, monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    tried = []

    def draw(run, path, environment):
        tried.append(environment["MUJOCO_GL"])
        return None if environment["MUJOCO_GL"] == "osmesa" else "no EGL"

    monkeypatch.setattr(video, "_draw", draw)
    video.record_video(run, tmp_path / "film.mp4")
    assert tried == ["egl", "osmesa"]


def test_film_of_no_run_is_explained(spikearm, tmp_path):
    ended = spikearm("video", tmp_path / "none")
    assert ended.code == 2
    assert "no run folder" in ended.complaint
