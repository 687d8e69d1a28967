from __future__ import annotations

import dataclasses

import pytest
from matplotlib.image import imread

from spikearm.launch.config import RunConfig
from spikearm.launch.figures import draw_comparison, draw_figures
from spikearm.launch.run import execute


def is_a_picture(path) -> bool:
    """Whether a PNG shows more than one colour."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n")
    pixels = imread(path)
    return pixels.shape[0] > 100 and pixels.shape[1] > 100 and float(pixels.std()) > 0.01


def test_adaptive_run_has_three_figures(short_run):
    paths = draw_figures(short_run.folder, short_run.summary)
    assert [path.name for path in paths] == ["tracking.png", "latency.png", "energy.png"]
    assert all(path.parent == short_run.folder and is_a_picture(path) for path in paths)


@pytest.mark.parametrize("duration_s", [0.001, 0.05])
def test_run_without_network_has_no_energy_to_draw(tmp_path, duration_s):
    finished = execute(RunConfig(controller="osc", trials=1, duration_s=duration_s, out=tmp_path))
    paths = draw_figures(finished.folder, finished.summary)
    assert [path.name for path in paths] == ["tracking.png", "latency.png"]
    assert all(map(is_a_picture, paths))


def test_comparison_is_drawn(short_run, tmp_path):
    runs = [{**short_run.summary, "label": label} for label in ("a", "b")]
    path = draw_comparison({"runs": runs, "run_dir": str(tmp_path)})
    assert path == tmp_path / "comparison.png"
    assert is_a_picture(path)


def test_figures_need_no_display(short_run, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    assert draw_figures(short_run.folder, dataclasses.replace(short_run).summary)
