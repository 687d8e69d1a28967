"""The script that photographs a report for the README still does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spikearm.launch.config import NetworkConfig, RunConfig

DOCS = Path(__file__).parents[2] / "docs"
MAX_BYTES = 300_000


@pytest.mark.browser
def test_picture_shows_the_upper_part_of_a_report(tmp_path):
    spec = importlib.util.spec_from_file_location("screenshot", DOCS / "screenshot.py")
    screenshot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(screenshot)
    network = NetworkConfig(encoder="none", n_neurons=40)
    screenshot.draw(RunConfig(trials=2, duration_s=0.1, network=network, out=tmp_path), tmp_path / "shot.png")
    with Image.open(tmp_path / "shot.png") as picture, Image.open(DOCS / "report.png") as kept:
        assert picture.width == kept.width
        rows = np.asarray(picture.convert("L")).std(axis=1)
    for part in np.array_split(rows, 4):
        assert part.max() > 10  # headline, errors and path: something is drawn in all of them


def test_picture_of_the_readme_is_small():
    assert (DOCS / "report.png").stat().st_size < MAX_BYTES
