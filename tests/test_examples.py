"""The lessons run, are short, and say something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "examples").glob("[0-9]*.py"))


def test_lessons_are_numbered_without_a_gap():
    numbers = {int(path.name[:2]) for path in LESSONS}
    assert set(range(1, 6)) <= numbers


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_is_short_and_says_how_it_is_run(lesson):
    text = lesson.read_text()
    assert len(text.splitlines()) < 100
    assert f"python examples/{lesson.name}" in text


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs(lesson, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-W", "error::DeprecationWarning:spikearm", str(lesson)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3
    assert list(tmp_path.iterdir()) == []
