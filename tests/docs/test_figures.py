"""The script that draws the figures of the documentation still does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from spikearm.launch.config import NetworkConfig, RunConfig

DOCS = Path(__file__).parents[2] / "docs"
MAX_BYTES = 100_000


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The figures, of runs as short as can be."""
    spec = importlib.util.spec_from_file_location("figures", DOCS / "figures.py")
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    out = tmp_path_factory.mktemp("figures")
    network = NetworkConfig(encoder="none", n_neurons=40)
    figures.draw_all(RunConfig(trials=2, duration_s=0.1, network=network, out=out / "runs"), out / "figures")
    return out / "figures"


def test_figures_are_those_of_the_pages(drawn):
    made = {path.name for path in drawn.iterdir()}
    assert made == {path.name for path in (DOCS / "figures").iterdir()}
    pages = "".join(page.read_text() for page in DOCS.glob("*.md"))
    assert all(f"](figures/{name})" in pages for name in made)


@pytest.mark.parametrize("name", ["adaptation", "tick", "tiers", "substrates"])
def test_figure_is_small_and_has_something_in_it(drawn, name):
    path = drawn / f"{name}.svg"
    assert path.stat().st_size < MAX_BYTES
    tree = ET.parse(path)  # noqa: S314 - ours
    groups = {group.get("id", "") for group in tree.iter("{http://www.w3.org/2000/svg}g")}
    assert sum(group.startswith(("patch_", "line2d_", "text_")) for group in groups) > 10
