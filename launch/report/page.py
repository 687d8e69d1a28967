"""Puts the parts together: one HTML file with everything in it."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from plotly.offline import get_plotlyjs

from spikearm.launch.report.energy import energy
from spikearm.launch.report.headline import headline_html, notes, provenance, subtitle
from spikearm.launch.report.latency import latency
from spikearm.launch.report.link import link
from spikearm.launch.report.path import path
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Section
from spikearm.launch.report.spiking import spiking
from spikearm.launch.report.substrate import substrates
from spikearm.launch.report.torque import torque
from spikearm.launch.report.tracking import tracking
from spikearm.version import __version__

_PARTS = Path(__file__).parent / "assets"


def sections(runs: Sequence[RunData]) -> list[Section]:
    """All parts that these runs have something for, in the order of the page."""
    optional = [
        tracking(runs),
        path(runs),
        latency(runs),
        link(runs),
        energy(runs),
        torque(runs),
        spiking(runs),
    ]
    return [*(part for part in optional if part is not None), *substrates(runs), provenance(runs)]


def page(runs: Sequence[RunData], title: str) -> str:
    """The report as one HTML document that loads nothing from anywhere.

    Plotly's library is inlined as it comes with its Python package, compressed; the browser inflates it.
    """
    parts = sections(runs)
    figures = {figure.anchor: _plain(figure.data, figure.layout) for part in parts for figure in part.figures}
    return Template(_read("page.html")).substitute(
        title=html.escape(title),
        subtitle=html.escape(subtitle(runs)),
        style=_read("page.css"),
        script=_read("page.js"),
        contents="".join(f'<a href="#{part.name}">{html.escape(part.title)}</a>' for part in parts),
        headline=headline_html(runs),
        notes="".join(f"<p class=warning>{html.escape(note)}</p>" for note in notes(runs)),
        sections="".join(part.to_html() for part in parts),
        figures=_packed(json.dumps(figures, allow_nan=False, separators=(",", ":"))),
        plotly=_plotly(),
        version=__version__,
    )


def _plain(data: list[dict[str, Any]], layout: dict[str, Any]) -> dict[str, Any]:
    return {"data": data, "layout": layout}


@cache
def _plotly() -> str:
    return _packed(get_plotlyjs())


def _packed(text: str) -> str:
    """Compressed, as text that can stand in HTML; the same text gives the same bytes."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _read(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")
