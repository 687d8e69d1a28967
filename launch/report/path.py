"""The way the end effector took through space, against the way it should have taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from spikearm.launch.report.plot import GHOST, INK, MUTED, RULE, every, layout, numbers
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Figure, Section
from spikearm.launch.summary import column
from spikearm.records import FloatArray

_MOST_POINTS = 400
_MAGNIFIED = 10


def path(runs: Sequence[RunData]) -> Section | None:
    """First and last reaches in 3-D; None if nobody knew where the end effector was."""
    if not any(np.isfinite(run.column("ee_x_m")).any() for run in runs):
        return None
    lines = _lines(runs)
    data = [_trace(line, 1) for line in lines]
    lead = (
        "Drag to turn, scroll to zoom. The buttons magnify every distance from the ideal path tenfold; "
        "the ideal path itself stays where it is."
    )
    figure = Figure("path-3d", "Path of the end effector in three dimensions.", 520, data, _layout(lines))
    return Section("path", "Path of the end effector", [lead], [figure])


def _lines(runs: Sequence[RunData]) -> list[dict[str, Any]]:
    """Name, colour, ideal and actual points of each line."""
    run = runs[0]
    last = run.n_reaches - 1
    pair = [max(0, last - 1), last]
    ideal = _points(run.ticks, pair, "target")
    lines = [_entry("ideal", INK, ideal, ideal, dash="dash", width=3)]
    if run.baseline is not None:
        lines.append(_of(run.baseline, pair, "without adaptation", GHOST))
    if len(runs) == 1 and run.adaptive and last > 1:
        lines.append(_of(run.ticks, [0], "first reach", "--run-1"))
        lines.append(_of(run.ticks, pair, "last two reaches", run.colour))
        return lines
    for other in runs:
        end = other.n_reaches - 1
        lines.append(_of(other.ticks, [max(0, end - 1), end], other.label, other.colour))
    return lines


def _of(ticks: pa.Table, reaches: Sequence[int], name: str, colour: str) -> dict[str, Any]:
    return _entry(name, colour, _points(ticks, reaches, "target"), _points(ticks, reaches, "ee"))


def _entry(
    name: str, colour: str, ideal: FloatArray, actual: FloatArray, *, dash: str = "solid", width: int = 5
) -> dict[str, Any]:
    return {"name": name, "colour": colour, "ideal": ideal, "actual": actual, "dash": dash, "width": width}


def _points(ticks: pa.Table, reaches: Sequence[int], what: str) -> FloatArray:
    """Positions of some reaches [m], thinned, shape (n_points, 3)."""
    rows = np.flatnonzero(np.isin(column(ticks, "reach"), reaches))
    rows = rows[every(len(rows), _MOST_POINTS)]
    return np.column_stack([column(ticks, f"{what}_{a}_m")[rows] for a in "xyz"])


def _scaled(line: dict[str, Any], factor: int) -> list[list[float | None]]:
    """Coordinates with the distance from the ideal multiplied."""
    points = line["ideal"] + factor * (line["actual"] - line["ideal"])
    return [numbers(points[:, axis], 5) for axis in range(3)]


def _trace(line: dict[str, Any], factor: int) -> dict[str, Any]:
    x, y, z = _scaled(line, factor)
    return {
        "type": "scatter3d",
        "mode": "lines",
        "name": line["name"],
        "x": x,
        "y": y,
        "z": z,
        "line": {"color": line["colour"], "width": line["width"], "dash": line["dash"]},
        "hovertemplate": "%{x:.4f}, %{y:.4f}, %{z:.4f} m",
    }


def _layout(lines: list[dict[str, Any]]) -> dict[str, Any]:
    look = {"gridcolor": RULE, "zerolinecolor": RULE, "color": MUTED, "showbackground": False, "nticks": 5}
    names = {f"{a}axis": {"title": {"text": f"{a} [m]"}, **look} for a in "xyz"}
    camera = {"eye": {"x": 1.5, "y": -1.75, "z": 0.8}}
    return layout(
        margin={"l": 0, "r": 0, "t": 48, "b": 0},
        scene={**names, "aspectmode": "data", "camera": camera},
        uirevision="path",
        legend={"orientation": "h", "x": 0, "y": 0, "yanchor": "top"},
        updatemenus=[
            {
                "type": "buttons",
                "direction": "right",
                "showactive": False,
                "x": 0,
                "y": 1.02,
                "xanchor": "left",
                "yanchor": "bottom",
                "bgcolor": "--panel",
                "bordercolor": RULE,
                "font": {"color": INK},
                "buttons": [
                    _button("true to scale", lines, 1),
                    _button(f"deviation × {_MAGNIFIED}", lines, _MAGNIFIED),
                ],
            }
        ],
    )


def _button(label: str, lines: list[dict[str, Any]], factor: int) -> dict[str, Any]:
    scaled = [_scaled(line, factor) for line in lines]
    update = {axis: [points[i] for points in scaled] for i, axis in enumerate("xyz")}
    return {"label": label, "method": "restyle", "args": [update]}
