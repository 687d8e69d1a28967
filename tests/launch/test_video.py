from __future__ import annotations

from pathlib import Path

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
    assert ended.code == 1
    assert "DrawingError: nothing here can draw: nonsense: " in ended.complaint
    assert "apt-get install libegl1" in ended.complaint


def test_run_whose_film_nothing_can_draw_is_done_and_has_its_page(spikearm, tmp_path, monkeypatch):
    monkeypatch.setattr(video, "_draw", lambda run, path, environment: "no EGL")
    words = ("--controller", "osc", "--trials", 1, "--duration-s", 0.05, "--out", tmp_path, "--json")
    ended = spikearm("run", *words, "--report", "--video", tmp_path / "film.mp4")
    assert ended.code == 1
    assert "DrawingError: nothing here can draw: " in ended.complaint
    folder = Path(ended.document["run_dir"])
    assert (folder / "report.html").exists()
    assert not (tmp_path / "film.mp4").exists()


def test_film_in_a_folder_that_cannot_be_written_is_refused_before_it_is_drawn(
    spikearm, run, tmp_path, monkeypatch, locked
):
    monkeypatch.setattr(video, "_draw", lambda *_: pytest.fail("drawn first"))
    locked(tmp_path)
    ended = spikearm("video", run, "--out", tmp_path / "film.mp4")
    assert ended.code == 2
    wanted = f"{tmp_path} is not writable; choose another place for film.mp4 with"
    assert f"RunFolderError: {wanted} --out." in ended.complaint
    ended = spikearm("run", "--video", tmp_path / "film.mp4")
    assert f"RunFolderError: {wanted} --video." in ended.complaint


def test_film_of_a_comparison_says_which_runs_there_are(spikearm, run, monkeypatch):
    monkeypatch.setattr(video, "_draw", lambda *_: pytest.fail("drawn first"))
    ended = spikearm("video", run.parent)
    assert ended.code == 2
    wanted = f"{run.parent} holds no ticks: it is a comparison; name one of its runs: {run}."
    assert wanted in ended.complaint


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
