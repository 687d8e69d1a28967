"""The figures of the benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

_COLOURS = ("#adb5bd", "#495057", "#e8590c", "#5f3dc4", "#c2255c", "#9c36b5", "#0b7285", "#2b8a3e", "#1971c2")
_MORE = ("#f08c00", "#66a80f")


def draw_learning(document: Mapping[str, Any], folder: Path) -> Path:
    """Error over trials, one panel per family, with the confidence band of every row; returns the file."""
    blocks = [block for block in document["blocks"] if block["rows"]]
    figure = Figure(figsize=(7.5, 3.2 * len(blocks) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels: Sequence[Axes] = figure.subplots(len(blocks), 1, sharex=True, squeeze=False)[:, 0]
    for axes, block in zip(panels, blocks, strict=True):
        _draw_block(axes, block)
    panels[-1].set_xlabel("trial")
    panels[0].legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    path = folder / "learning.png"
    figure.savefig(path, dpi=150)
    return path


def _draw_block(axes: Axes, block: Mapping[str, Any]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    for row, colour in zip(block["rows"], (_COLOURS + _MORE) * 9, strict=False):
        trials = row["error_m_by_trial"]
        numbers = range(1, len(trials) + 1)
        low, mean, high = ([1e3 * trial[end] for trial in trials] for end in ("low", "mean", "high"))
        axes.fill_between(numbers, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(numbers, mean, color=colour, linewidth=1.2, label=row["label"])
    axes.set(ylabel="mean error [mm]", yscale="log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"{block['family']}: {block['text']}", fontsize="medium")
