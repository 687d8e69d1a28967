"""The lessons run, are short, and say something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "examples").glob("[0-9]*.py"))
TRAINS = ROOT / "examples" / "06_train_a_policy.py"
SHORT = {TRAINS: ("--steps", "300", "--episodes", "2")}
SLOW = {TRAINS}


def test_lessons_are_numbered_without_a_gap():
    numbers = {int(path.name[:2]) for path in LESSONS}
    assert numbers == set(range(1, 8))


def test_lessons_are_listed_where_people_look():
    listed = (ROOT / "docs" / "lessons.md").read_text()
    assert all(f"(../examples/{lesson.name})" in listed for lesson in LESSONS)
    assert "(docs/lessons.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_is_short_and_says_how_it_is_run(lesson):
    text = lesson.read_text()
    assert len(text.splitlines()) < 100
    assert f"python examples/{lesson.name}" in text


@pytest.mark.parametrize(
    "lesson",
    [pytest.param(path, marks=[pytest.mark.slow] if path in SLOW else []) for path in LESSONS],
    ids=lambda path: path.stem,
)
def test_lesson_runs(lesson, tmp_path):
    if lesson == TRAINS:
        pytest.importorskip("stable_baselines3")
    arguments = ["-W", "error::DeprecationWarning:spikearm", str(lesson), *SHORT.get(lesson, ())]
    done = run_python(arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3
    assert list(tmp_path.iterdir()) == []


def test_lesson_that_trains_says_what_to_install(tmp_path):
    without = f"import sys, runpy; sys.modules['stable_baselines3'] = None; runpy.run_path({str(TRAINS)!r})"
    done = run_python(["-c", without], tmp_path)
    assert done.returncode == 1
    assert 'pip install ".[rl]"' in done.stderr
    assert "Traceback" not in done.stderr


def run_python(arguments, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(  # noqa: S603 - ours
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
