from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from spikearm.errors import RunFolderError
from spikearm.launch import run_folder
from spikearm.launch.config import RunConfig
from spikearm.launch.mapping import to_mapping
from spikearm.launch.run_folder import make_run_folder, write_json, write_run_json


class Stopped(run_folder.datetime):
    """A clock that stands still: every run starts in the same second."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)


@pytest.fixture
def same_second(monkeypatch):
    monkeypatch.setattr(run_folder, "datetime", Stopped)


def test_folder_is_named_after_time_and_run(tmp_path):
    folder = make_run_folder(tmp_path / "runs", "test")
    assert folder.is_dir()
    assert re.fullmatch(r"\d{8}T\d{6}Z-test", folder.name)


def test_runs_of_one_second_get_folders_of_their_own(tmp_path, same_second):
    names = [make_run_folder(tmp_path, "a").name for _ in range(3)]
    assert names == ["20260102T030405Z-a", "20260102T030405Z-a-2", "20260102T030405Z-a-3"]


def test_file_in_the_way_is_refused(tmp_path, same_second):
    (tmp_path / "20260102T030405Z-a").touch()
    with pytest.raises(RunFolderError, match=r"cannot make a run folder named .*choose another --out"):
        make_run_folder(tmp_path, "a")


def test_file_for_a_parent_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=r"cannot make run folder .*Not a directory; .*--out"):
        make_run_folder(tmp_path / "file", "a")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that refuses even root")
def test_unwritable_place_is_refused():
    with pytest.raises(RunFolderError, match=r"cannot make run folder /proc/self/.*choose another place"):
        make_run_folder(Path("/proc/self"), "a")


def test_name_too_long_for_the_file_system_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="File name too long"):
        make_run_folder(tmp_path, "a" * 300)


def test_run_json_holds_what_is_needed_to_repeat_the_run(tmp_path):
    config = RunConfig(seed=3)
    write_run_json(tmp_path, config, {"meter": None})
    document = json.loads((tmp_path / "run.json").read_text())
    assert document["config"] == to_mapping(config)
    assert document["meter"] is None
    in_checkout = (Path(run_folder.__file__).resolve().parents[1] / ".git").exists()
    assert {"spikearm", "versions", "host", "started_utc"} <= set(document)
    assert ("git_revision" in document) == in_checkout
    assert {"python", "numpy", "mujoco", "nengo", "nengo-loihi"} <= set(document["versions"])


def test_json_is_whole_or_not_there(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_json_has_no_numbers_that_json_does_not_know(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
