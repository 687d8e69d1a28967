"""Every Python block of the README and of the pages beside it runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(code, id=f"{page.stem}-{i}")
    for page in PAGES
    for i, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place that has a run folder by the name the pages use."""
    out = tmp_path_factory.mktemp("docs")
    run = execute(RunConfig(trials=1, duration_s=0.1, out=out / "runs"), baseline=False).folder
    (out / "RUN").symlink_to(run)
    return out


@pytest.mark.parametrize("code", BLOCKS)
def test_block_runs(code, folder):
    if "stable_baselines3" in code:
        pytest.importorskip("stable_baselines3")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
