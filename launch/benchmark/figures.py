"""The figures of the benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_LAWS = ("#ced4da", "#495057", "#e8590c")
_SUBSTRATES = {"reference": "#0b7285", "loihi": "#5f3dc4", "crossbar": "#2b8a3e"}
_OTHER = "#c92a2a"


def draw_learning(document: Mapping[str, Any], folder: Path) -> Path:
    """Error over trials, one panel per perturbation, and its confidence band if there are enough sessions."""
    blocks = [block for block in document["blocks"] if block["rows"]]
    figure = Figure(figsize=(7.5, 3.2 * len(blocks) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels: list[Axes] = list(figure.subplots(len(blocks), 1, sharex=True, squeeze=False)[:, 0])
    for axes, block in zip(panels, blocks, strict=True):
        _draw_block(axes, block)
    panels[-1].set_xlabel("trial")
    panels[0].legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    path = folder / "learning.png"
    figure.savefig(path, dpi=150)
    return path


def _draw_block(axes: Axes, block: Mapping[str, Any]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    for i, row in enumerate(block["rows"]):
        trials = row["error_m_by_trial"]
        numbers = range(1, len(trials) + 1)
        mean = [1e3 * trial["mean"] for trial in trials]
        colour = _colour(row, i)
        if trials[0]["low"] is not None:
            low, high = ([1e3 * trial[end] for trial in trials] for end in ("low", "high"))
            axes.fill_between(numbers, low, high, color=colour, alpha=0.12, linewidth=0)
        style = "--" if row["encoder"] == "none" else "-"
        width = 1.4 if (row["n_neurons"] or 0) == _largest(block) else 0.7
        axes.plot(numbers, mean, style, color=colour, linewidth=width, label=row["label"])
    axes.set(ylabel="mean error [mm]", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(block["perturbation"], fontsize="medium")


def _colour(row: Mapping[str, Any], i: int) -> str:
    """One hue per substrate; the laws come first in every block."""
    if row["backend"] is None:
        return _LAWS[i % len(_LAWS)]
    return _SUBSTRATES.get(row["backend"], _OTHER)


def _largest(block: Mapping[str, Any]) -> int:
    """Neurons of the largest network; smaller ones are drawn thinner."""
    return max((row["n_neurons"] or 0) for row in block["rows"])
