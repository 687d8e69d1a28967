"""Pieces that all figures of the page share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

INK, MUTED, RULE, GHOST, WARN = "--ink", "--muted", "--rule", "--ghost", "--warn"
DASHES = ("solid", "dot", "dashdot", "longdash")
"""Tells lines of one colour apart."""
LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"}
"""Above the figure."""
_N_COLOURS = 8
_LONG_NAME, _LEGEND_ROW_PX = 20, 19


def run_colour(i: int) -> str:
    """Name of a run's colour in the style sheet."""
    return f"--run-{i % _N_COLOURS}"


def numbers(values: Iterable[float] | NDArray[Any], digits: int = 4) -> list[float | None]:
    """Values as JSON takes them, with as many digits as a figure shows; what is not finite is left out."""
    array = np.asarray(values, dtype=np.float64)
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in array.ravel()]


def every(n: int, most: int) -> NDArray[np.intp]:
    """At most ``most`` indices, evenly spread over ``n``, the first and the last among them."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, most).round().astype(np.intp))


def legend_px(lines: Sequence[Mapping[str, Any]]) -> int:
    """Height that a legend takes beyond its first row, if its names are long enough for a row each."""
    names = [line["name"] for line in lines if line.get("showlegend", True)]
    return _LEGEND_ROW_PX * (len(names) - 1) if max(map(len, names), default=0) > _LONG_NAME else 0


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with a title."""
    return {"title": {"text": title}, "automargin": True, **axis_look(), **more}


def axis_look() -> dict[str, Any]:
    """Fine lines, no frame."""
    return {"gridcolor": RULE, "linecolor": RULE, "zerolinecolor": RULE, "tickcolor": RULE}


def layout(**more: Any) -> dict[str, Any]:
    """A layout in the page's style."""
    base: dict[str, Any] = {
        "autosize": True,
        "margin": {"l": 8, "r": 16, "t": 24, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "family": "system-ui, sans-serif", "size": 13},
        "hoverlabel": {"bgcolor": "--panel", "bordercolor": RULE, "font": {"color": INK}},
        "hovermode": "closest",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": RULE, "activecolor": MUTED},
        "legend": LEGEND,
    }
    return {**base, **more}


def annotation(text: str, **more: Any) -> dict[str, Any]:
    """Words in a figure, without an arrow."""
    return {"text": text, "showarrow": False, "font": {"color": MUTED, "size": 12}, **more}
