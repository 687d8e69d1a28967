"""Commands that are about a run take the newest one if none is named, and say which."""

from __future__ import annotations

import json
import shutil

import pytest

from spikearm.errors import RunFolderError
from spikearm.launch.newest import newest
from spikearm.launch.run_folder import WITHOUT_ADAPTATION

NEWEST = "20260102T000000Z-newest"


@pytest.fixture
def place(short_run, tmp_path, monkeypatch):
    """Two runs in ``runs/`` of the present directory, and something that is none."""
    runs = tmp_path / "runs"
    for name in ("20260101T000000Z-older", NEWEST):
        shutil.copytree(short_run.folder, runs / name)
    (runs / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    return runs


@pytest.fixture
def killed_first(place):
    """The newest of them as SIGKILL left it during its reaches without adaptation, which come first."""
    folder = place / NEWEST
    config = json.loads((folder / "run.json").read_text())
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    config["config"]["controller"] = "osc"
    (folder / WITHOUT_ADAPTATION / "run.json").write_text(json.dumps(config))
    return folder


def test_newest_run_is_exported_and_named(spikearm, place):
    ended = spikearm("logs", "export", "--to", "csv", "--json")
    assert ended.code == 0
    assert f"newest run: runs/{NEWEST}" in ended.complaint
    assert ended.document == {"path": f"{NEWEST}.csv", "format": "csv", "n_ticks": 400}


def test_newest_run_is_recovered_and_named(spikearm, place):
    (place / NEWEST / "summary.json").unlink()
    ended = spikearm("logs", "recover", "--json")
    assert ended.code == 0
    assert f"newest run: runs/{NEWEST}" in ended.complaint
    assert ended.document["summary"] == f"runs/{NEWEST}/summary.json"


def test_run_that_is_named_is_not_called_the_newest(spikearm, place):
    assert "newest run" not in spikearm("logs", "recover", place / NEWEST).err


@pytest.mark.parametrize("words", [("logs", "export", "--to", "csv"), ("logs", "recover"), ("video",)])
def test_no_run_at_all_is_a_bad_argument(spikearm, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    ended = spikearm(*words)
    assert ended.code == 2
    assert "make one with `spikearm run`, or name its folder" in ended.complaint


@pytest.mark.parametrize(
    "words", [("logs", "export", "--to", "csv"), ("logs", "recover"), ("video",), ("report",)]
)
def test_run_that_is_not_there_is_a_bad_argument_of_every_command(spikearm, place, words):
    ended = spikearm(*words, "nosuch")
    assert ended.code == 2
    assert "RunFolderError: no run folder nosuch; `spikearm run` makes one." in ended.complaint


def test_run_killed_in_its_reaches_without_adaptation_is_the_newest(spikearm, killed_first, place):
    assert newest(place, comparisons=False) == killed_first
    ended = spikearm("report", "--json")
    assert ended.code == 0
    assert f"newest run: runs/{NEWEST}" in ended.complaint
    assert ended.document["path"] == f"runs/{NEWEST}/report.html"
    assert "without adaptation" in (killed_first / "report.html").read_text()


def test_export_of_a_run_killed_in_its_reaches_without_adaptation_says_where_they_are(spikearm, killed_first):
    ended = spikearm("logs", "export", "--to", "csv")
    assert ended.code == 2
    there = f"runs/{NEWEST}/{WITHOUT_ADAPTATION}"
    assert f"it has its reaches without adaptation only, {there}: name these." in ended.complaint
    assert spikearm("logs", "export", there, "--to", "csv").code == 0


def test_film_of_a_run_killed_in_its_reaches_without_adaptation_says_where_they_are(spikearm, killed_first):
    ended = spikearm("video")
    assert ended.code == 2
    there = f"runs/{NEWEST}/{WITHOUT_ADAPTATION}"
    assert f"it has its reaches without adaptation only, {there}: name these." in ended.complaint


def test_folder_of_other_things_has_no_newest(place):
    with pytest.raises(RunFolderError, match=r"no run in .*notes; make one"):
        newest(place / "notes", comparisons=True)


def test_comparison_is_the_newest_for_a_page_only(spikearm, place):
    """Logs and films are of single runs."""
    comparison = place / "20260103T000000Z-compare"
    shutil.copytree(place / NEWEST, comparison / NEWEST)
    assert newest(place, comparisons=True) == comparison
    assert f"newest run: runs/{NEWEST}" in spikearm("logs", "export", "--to", "csv").err
