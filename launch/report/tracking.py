"""How far the arm was from where it should have been, reach by reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from spikearm.launch.report.conditions import alike, baselines
from spikearm.launch.report.plot import DASHES, GHOST, axis, layout, legend_px, numbers
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Figure, Section
from spikearm.launch.summary import late_rms_m
from spikearm.launch.words import last_reaches, mm, times_as_much

_FAR_APART = 50


def tracking(runs: Sequence[RunData]) -> Section:
    """Root mean square of the distance from the desired trajectory, of each reach."""
    data = []
    for (without, run), dash in zip(baselines(runs), cycle(DASHES)):
        data.append(_line(run.without_adaptation_m or [], without, GHOST, dash))
    for run in runs:
        name = "with adaptation" if run.adaptive and len(runs) == 1 else run.label
        data.append(_line(run.summary["rmse_m_by_trial"], name, run.colour))
    figure = Figure(
        "tracking-error",
        "Tracking error of each reach.",
        380 + legend_px(data),
        data,
        layout(
            xaxis=axis(
                "reach", dtick=1 if max(run.n_reaches for run in runs) <= 20 else None, zeroline=False
            ),
            yaxis=_error_axis([e for line in data for e in line["y"] if e is not None]),
            hovermode="x unified",
        ),
    )
    return Section("tracking", "Tracking error", _lead(runs), [figure])


def _error_axis(errors_mm: Sequence[float]) -> dict[str, Any]:
    """From zero; logarithmic where the lines of good runs would lie on one another."""
    least, most = min(errors_mm, default=0.0), max(errors_mm, default=0.0)
    if least <= 0 or most <= _FAR_APART * least:
        return axis("rms tracking error [mm]", rangemode="tozero")
    decades = range(math.floor(math.log10(least)), math.ceil(math.log10(most)))
    ticks = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    names = [f"{tick:g}" for tick in ticks]
    return axis("rms error [mm], logarithmic", type="log", tickvals=ticks, ticktext=names)


def _line(errors_m: Sequence[float], name: str, colour: str, dash: str = "solid") -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": list(range(1, len(errors_m) + 1)),
        "y": numbers([1e3 * e for e in errors_m]),
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"size": 7},
        "hovertemplate": "%{y:.2f} mm",
    }


def _lead(runs: Sequence[RunData]) -> list[str]:
    what = "Root mean square of the distance between the end effector and the desired trajectory."
    if len(runs) > 1:
        groups = alike(runs)
        return [" ".join([what, *(_best(group, len(groups)) for group in groups if len(group) > 1)])]
    run = runs[0]
    if not run.done:
        return [f"{what} {mm(run.late_m)} until the run ended, before the end of its first reach."]
    last = f"In the {last_reaches([run.n_late])}: {mm(run.late_m)}"
    if run.without_adaptation_m is None:
        return [f"{what} {last}."]
    without = late_rms_m(run.without_adaptation_m)
    last += f", against {mm(without)} in the same reaches without adaptation"
    return [f"{what} {last}{times_as_much(without, run.late_m)}."]


def _best(group: Sequence[RunData], n_groups: int) -> str:
    """The run with the least error of those that did the same task."""
    best = min(group, key=lambda run: run.late_m)
    of = "" if n_groups == 1 else f" of {len(group)} runs of the same task"
    last = last_reaches(run.n_late for run in group)
    return f"Least in the {last}{of}: {best.label}, {mm(best.late_m)}."
