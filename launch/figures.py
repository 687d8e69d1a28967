"""The figures of a run folder."""

from __future__ import annotations

from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spikearm.controller.ticklog import read_ticks
from spikearm.launch.compare import NO_ADAPTATION, NO_PAYLOAD, PID
from spikearm.launch.config import NETWORKED
from spikearm.launch.summary import STAGES, column, energy_terms
from spikearm.launch.words import energy_term

_WITH, _WITHOUT, _INK = "#0b7285", "#adb5bd", "#343a40"
_TERM_COLOURS = ("#0b7285", "#e8590c", "#5f3dc4", "#2b8a3e", "#c92a2a", "#1864ab", "#862e9c", "#495057")

_LINE_STYLES = ("-", "--", ":", "-.")
"""Tell curves of the same colour apart."""


def draw_figures(folder: Path, summary: dict[str, Any]) -> list[Path]:
    """Draw all figures of a run into its folder.

    Args:
        folder: The run folder, its log closed.
        summary: The run's summary.

    Returns:
        The files: tracking error over reaches, latency by stage, energy by term.
    """
    drawn = [_draw_tracking(folder, summary), _draw_latency(folder)]
    if summary["energy_model_j_per_tick"]["total"]:
        drawn.append(_draw_energy(folder, summary))
    return drawn


def draw_comparison(document: dict[str, Any]) -> Path:
    """Tracking error over reaches, one line per run of a comparison; returns the file."""
    figure, axes = _figure()
    colours = _run_colours([run["label"] for run in document["runs"]])
    for i, run in enumerate(document["runs"]):
        errors_mm = [1e3 * e for e in run["rmse_m_by_trial"]]
        axes.plot(
            range(1, len(errors_mm) + 1),
            errors_mm,
            marker="o",
            markersize=4,
            linestyle=_LINE_STYLES[i // len(_TERM_COLOURS) % len(_LINE_STYLES)],
            color=colours[run["label"]],
            label=run["label"],
        )
    first = document["runs"][0]
    axes.set(xlabel="reach", ylabel="rms tracking error [mm]", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"{first['arm']}: the same reaches, side by side")
    figure.legend(frameon=False, fontsize="small", loc="outside lower center", ncols=4)
    return _save(figure, Path(document["run_dir"]) / "comparison.png")


def _run_colours(labels: list[str]) -> dict[str, str]:
    """Greys for what the substrates are compared with, colours for the substrates."""
    greys = dict(zip((NO_PAYLOAD, NO_ADAPTATION, PID), ("#ced4da", _WITHOUT, _INK), strict=True))
    others = [label for label in labels if label not in greys]
    return greys | dict(zip(others, cycle(_TERM_COLOURS), strict=False))


def _draw_tracking(folder: Path, summary: dict[str, Any]) -> Path:
    figure, axes = _figure()
    with_mm = [1e3 * e for e in summary["rmse_m_by_trial"]]
    compared = summary["reaches_done"] > 0  # part of a reach is not to be compared with a whole one
    without = summary.get("rmse_m_by_trial_without_adaptation") if compared else None
    reaches = range(1, len(with_mm) + 1)
    if without is not None:
        axes.plot(
            range(1, len(without) + 1),
            [1e3 * e for e in without],
            "o-",
            color=_WITHOUT,
            label="without adaptation",
        )
    label = "with adaptation" if summary["controller"] == "adaptive" else summary["controller"]
    axes.plot(reaches, with_mm, "o-", color=_WITH, label=label)
    axes.set(xlabel="reach", ylabel="rms tracking error [mm]", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    load = f", {summary['payload_kg']:g} kg unknown payload" if summary["payload_kg"] else ""
    substrate = f", {summary['backend']}" if summary["controller"] in NETWORKED else ""
    axes.set_title(f"{summary['arm']}{load}{substrate}")
    axes.legend(frameon=False)
    return _save(figure, folder / "tracking.png")


def _draw_latency(folder: Path) -> Path:
    table = read_ticks(folder)
    figure, axes = _figure()
    stages_us = []
    for stage in STAGES:
        values = 1e6 * column(table, f"latency_{stage}_s")
        stages_us.append(values[np.isfinite(values)])  # the first tick's log time is not known
    axes.boxplot(
        stages_us,
        orientation="horizontal",
        tick_labels=list(STAGES),
        whis=(1, 99),
        showfliers=False,
        medianprops={"color": _WITH, "linewidth": 2},
    )
    axes.invert_yaxis()
    axes.set(xlabel="measured time per tick [µs]: median, quartiles, 1st and 99th percentile", xscale="log")
    axes.set_title("Latency by stage, on this computer")
    return _save(figure, folder / "latency.png")


def _draw_energy(folder: Path, summary: dict[str, Any]) -> Path:
    table = read_ticks(folder)
    figure, axes = _figure()
    seconds = column(table, "t_s")
    bins = max(1, len(seconds) // 200)
    edges = [len(seconds) * i // bins for i in range(bins + 1)]
    times = [float(seconds[a:b].mean()) for a, b in pairwise(edges)]
    for i, (term, name) in enumerate(energy_terms(table).items()):
        values = 1e9 * column(table, name)
        means = [float(values[a:b].mean()) for a, b in pairwise(edges)]
        if max(means) > 0:
            axes.plot(
                times,
                means,
                linestyle=_LINE_STYLES[i // len(_TERM_COLOURS) % len(_LINE_STYLES)],
                color=_TERM_COLOURS[i % len(_TERM_COLOURS)],
                label=energy_term(term),
            )
    chip_j = summary["energy_chip_j_per_tick"]
    if chip_j is not None:
        axes.axhline(
            1e9 * chip_j, color=_INK, linestyle="--", label="chip-anchored (another kind of evidence)"
        )
    axes.set(xlabel="time [s]", ylabel="modelled energy per tick [nJ]", yscale="log")
    axes.set_title(f"Energy by term, bottom-up model, {summary['backend']}")
    figure.legend(frameon=False, fontsize="small", loc="outside lower center", ncols=4)
    return _save(figure, folder / "energy.png")


def _figure() -> tuple[Figure, Axes]:
    """A figure with a canvas of its own: no global state, no display."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=150)
    return path
