"""The way the end effector took through space, against the way it should have taken."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pyarrow as pa

from spikearm.launch.report.conditions import baselines
from spikearm.launch.report.plot import GHOST, INK, MUTED, RULE, every, layout, legend_px, numbers
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Figure, Section
from spikearm.launch.summary import column, rows_of
from spikearm.records import FloatArray

_MOST_POINTS = 400
_MAGNIFIED = 10
_DIAGONAL = 1.8
"""Of the box around all paths, in the unit of Plotly's camera."""


def path(runs: Sequence[RunData]) -> Section | None:
    """First and last reaches in 3-D; None if nobody knew where the end effector was."""
    if not any(np.isfinite(run.column("ee_x_m")).any() for run in runs):
        return None
    lines = _lines(runs)
    data = [_trace(line, 1) for line in lines]
    lead = (
        "Drag to turn, scroll or pinch to zoom. The buttons magnify every distance from the ideal path "
        "tenfold; the ideal path itself stays where it is."
    )
    figure = Figure(
        "path-3d",
        "Path of the end effector in three dimensions.",
        520 + legend_px(data),
        data,
        _layout(lines),
    )
    return Section("path", "Path of the end effector", [lead], [figure])


def _lines(runs: Sequence[RunData]) -> list[dict[str, Any]]:
    """Name, colour, ideal and actual points of each line."""
    lines = _ideals(runs)
    for name, run in baselines(runs):
        lines.append(_of(run.baseline, _last_two(run), name, GHOST))
    run = runs[0]
    if len(runs) == 1 and run.adaptive and run.n_reaches > 2:
        lines.append(_of(run.ticks, [0], "first reach", "--run-1"))
        lines.append(_of(run.ticks, _last_two(run), "last two reaches", run.colour))
        return lines
    return lines + [_of(run.ticks, _last_two(run), run.label, run.colour) for run in runs]


def _ideals(runs: Sequence[RunData]) -> list[dict[str, Any]]:
    """One line for all runs that were to take the same path."""
    longest: dict[Any, RunData] = {}
    for run in runs:
        config = run.config
        with_more = run.n_reaches if config.targets.n > 1 else 0  # of one target, any two reaches are alike
        way = (config.arm, config.targets, config.distance_m, config.seed, with_more)
        longest[way] = max(longest.get(way, run), run, key=lambda r: r.summary["reach_ticks"])
    lines = []
    for run, dash in zip(longest.values(), cycle(("dash", "dot", "dashdot"))):
        points = _points(run.ticks, _last_two(run), "target")
        name = "ideal" if len(longest) == 1 else f"ideal ({run.label})"
        lines.append(_entry(name, INK, points, points, dash=dash, width=3))
    return lines


def _last_two(run: RunData) -> list[int]:
    last = run.n_reaches - 1
    return [max(0, last - 1), last]


def _of(ticks: pa.Table, reaches: Sequence[int], name: str, colour: str) -> dict[str, Any]:
    return _entry(name, colour, _points(ticks, reaches, "target"), _points(ticks, reaches, "ee"))


def _entry(
    name: str, colour: str, ideal: FloatArray, actual: FloatArray, *, dash: str = "solid", width: int = 5
) -> dict[str, Any]:
    return {"name": name, "colour": colour, "ideal": ideal, "actual": actual, "dash": dash, "width": width}


def _points(ticks: pa.Table, reaches: Sequence[int], what: str) -> FloatArray:
    """Positions of some reaches [m], thinned, shape (n_points, 3)."""
    rows = rows_of(ticks, reaches)
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
    box = _box(lines, 1)
    ranges = {a: box[f"scene.{a}axis.range"] for a in "xyz"}
    names = {f"{a}axis": {"title": {"text": f"{a} [m]"}, "range": ranges[a], **look} for a in "xyz"}
    camera = {"eye": _eye(lines[0]["ideal"]), "center": {"x": 0, "y": 0, "z": -0.12}}
    return layout(
        margin={"l": 0, "r": 0, "t": 48, "b": 0},
        scene={
            **names,
            "aspectmode": "manual",
            "aspectratio": box["scene.aspectratio"],
            "camera": camera,
        },
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
    return {"label": label, "method": "update", "args": [update, _box(lines, factor)]}


def _box(lines: list[dict[str, Any]], factor: int) -> dict[str, Any]:
    """Ranges of the axes and their proportions, true to scale; paths of any shape fill the same space."""
    points = np.concatenate([line["ideal"] + factor * (line["actual"] - line["ideal"]) for line in lines])
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    margin = max(0.08 * float(np.linalg.norm(high - low)), 1e-6)
    size = high - low + 2 * margin
    ratio = size * _DIAGONAL / np.linalg.norm(size)
    ranges = {
        f"scene.{a}axis.range": numbers([low[i] - margin, high[i] + margin]) for i, a in enumerate("xyz")
    }
    return {**ranges, "scene.aspectratio": dict(zip("xyz", numbers(ratio), strict=True))}


def _eye(ideal: FloatArray) -> dict[str, float]:
    """Where the camera stands: beside the path, a little above it and to one end."""
    away = ideal - ideal[0]
    x, y, _ = away[int(np.argmax(np.linalg.norm(away, axis=1)))]
    beside = np.arctan2(-x, y) if np.hypot(x, y) > 1e-6 else -0.25 * np.pi  # at right angles to the way
    if np.sin(beside) > 0:
        beside += np.pi  # from the front: y runs away from the viewer
    beside += 0.3
    return {"x": 1.75 * float(np.cos(beside)), "y": 1.75 * float(np.sin(beside)), "z": 0.55}
