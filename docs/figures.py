"""Draws the figures of the documentation, from runs it makes itself: ``python docs/figures.py``."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from spikearm.controller.ticklog import read_ticks
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.config import RunConfig
from spikearm.launch.run import Finished, execute
from spikearm.launch.words import si, times

FOLDER = Path(__file__).parent / "figures"
INK, FAINT, BLUE, ORANGE, VIOLET, GREEN = "#212529", "#adb5bd", "#0b7285", "#d9480f", "#6741d9", "#2b8a3e"
STAGES = {"read": GREEN, "law": BLUE, "network": VIOLET, "write": ORANGE, "log": "#8a6d00"}
STYLE = {
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 11.0,
    "legend.frameon": False,
    "svg.hashsalt": "spikearm",  # the same numbers make the same file
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw_all(config: RunConfig, folder: Path) -> None:
    """Every figure, from one run of this configuration on each substrate.

    Args:
        config: The run; its backend is replaced by each in turn.
        folder: Where the figures go.
    """
    runs = {name: execute(dataclasses.replace(config, backend=name)) for name in BACKENDS}
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        figures = {
            "adaptation": adaptation(runs["reference"].summary),
            "tick": tick({name: ticks_of(run) for name, run in runs.items()}, config.control_dt_s),
            "tiers": tiers({name: run.summary for name, run in runs.items()}),
            "substrates": substrates(),
        }
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            plt.close(figure)


def ticks_of(run: Finished) -> dict[str, Any]:
    """Times of all ticks [us] by stage; that of writing down a tick is in the next one's row."""
    table = read_ticks(run.folder)
    microseconds = {s: 1e6 * table[f"latency_{s}_s"].to_numpy() for s in (*STAGES, "tick")}
    microseconds["log"] = np.append(microseconds["log"][1:], np.nan)
    return microseconds


def adaptation(summary: Mapping[str, Any]) -> Figure:
    """Error of every reach, without and with the network."""
    figure, axes = plt.subplots(figsize=(7.2, 3.0), layout="constrained")
    keys = ("rmse_m_by_trial_without_adaptation", "rmse_m_by_trial")
    for key, label, colour in zip(keys, ("without adaptation", "with"), (ORANGE, BLUE), strict=True):
        error_mm = 1e3 * np.array(summary[key])
        reaches = np.arange(1, error_mm.size + 1)
        axes.plot(reaches, error_mm, "o-", color=colour)
        axes.annotate(
            f"{label}\n{error_mm[-1]:.2g} mm",
            (reaches[-1], error_mm[-1]),
            (10, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    axes.set(xlabel="reach", ylabel="distance from the path [mm rms]", ylim=(0, None))
    axes.set_xticks(reaches)
    return figure


def tick(ticks: Mapping[str, Mapping[str, Any]], control_dt_s: float) -> Figure:
    """The stages of one real tick per substrate, that of median length, and the deadline."""
    figure, axes = plt.subplots(figsize=(8.4, 3.0), layout="constrained")
    for row, times_us in enumerate(ticks.values()):
        whole = times_us["tick"][1:-1]
        typical = 1 + int(np.argsort(whole)[whole.size // 2])
        start = 0.0
        for stage, colour in STAGES.items():
            if stage == "write":  # what lies between the network and here: adding up, limits, the record
                start = times_us["tick"][typical] - times_us["write"][typical]
            axes.barh(row, times_us[stage][typical], 0.5, start, color=colour, label=None if row else stage)
            start += times_us[stage][typical]
        _note(axes, start + 8, row, f"{times_us['tick'][typical]:.0f} µs")
    axes.axvline(1e6 * control_dt_s, color=ORANGE, linestyle=":")
    axes.text(1e6 * control_dt_s - 6, -0.62, "the next tick begins", color=ORANGE, ha="right", va="center")
    axes.set(
        xlabel="time since the tick began [µs]",
        xlim=(0, 1.02e6 * control_dt_s),
        ylim=(len(ticks) - 0.5, -0.9),
    )
    axes.set_yticks(range(len(ticks)), ticks)
    axes.legend(ncols=len(STAGES), loc="lower center", bbox_to_anchor=(0.45, 1.0))
    return figure


def tiers(summaries: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Bottom-up and chip-anchored energy of a tick, with the ratio of like to like in words."""
    figure, axes = plt.subplots(figsize=(8.4, 3.4), layout="constrained")
    for row, summary in enumerate(summaries.values()):
        bottom_up, chip = summary["energy_model_j_per_tick"]["total"], summary["energy_chip_j_per_tick"]
        for offset, joules, label, colour in (
            (-0.19, bottom_up, "bottom-up: operations counted, times published figures", BLUE),
            (0.19, chip, "chip-anchored: a measured chip, scaled", ORANGE),
        ):
            axes.barh(row + offset, joules, 0.36, color=colour, label=None if row else label)
            _note(axes, joules * 1.15, row + offset, si(joules, "J"))
        same = summary["energy_model_of_chip_scope_j_per_tick"]
        _note(axes, 1.0, row, f"{times(chip / same)}\nits part of the sum", ha="right")
    axes.set(
        xscale="log",
        xlabel="energy per tick of 1 ms [J]",
        xlim=(1e-8, 1.0),
        ylim=(len(summaries) - 0.5, -0.5),
    )
    axes.set_yticks(range(len(summaries)), summaries)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return figure


def substrates() -> Figure:
    """One description, three programs, what each step returns."""
    figure = plt.figure(figsize=(8.4, 4.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 8.4), ylim=(0, 4.2))
    axes.axis("off")
    _box(
        axes,
        (0.1, 0.75, 2.5, 2.7),
        INK,
        "NetworkSpec",
        [
            "state  q, dq",
            "error  −u_task",
            "",
            "state encoder (DNN)",
            "1000 spiking neurons",
            "decoders that learn",
            "",
            "torque",
        ],
    )
    programs = {
        "reference": (BLUE, ["Nengo, floating point"]),
        "loihi": (VIOLET, ["integers of the chip,", "learning on the chip"]),
        "crossbar": (GREEN, ["conductances of devices,", "learning by pulses"]),
    }
    for (name, (colour, words)), y in zip(programs.items(), (2.95, 1.55, 0.15), strict=True):
        _box(axes, (3.55, y, 2.1, 1.1), colour, name, words)
        _arrow(axes, (2.65, 2.1), (3.5, y + 0.55))
        _arrow(axes, (5.7, y + 0.55), (6.4, 2.1))
    axes.text(3.02, 3.45, "compile", ha="center", color=INK, fontsize=10)
    axes.text(6.12, 3.45, "step", ha="center", color=INK, fontsize=10)
    _box(
        axes,
        (6.45, 0.75, 1.85, 2.7),
        ORANGE,
        "StepResult",
        ["torque", "", "OpCounts", "spikes, synapses,", "reads, pulses …", "", "× figure = joules"],
    )
    return figure


def _note(axes: Axes, x: float, y: float, text: str, ha: str = "left") -> None:
    """A few words at a bar, wherever it ends: the layout does not make room for them."""
    axes.text(x, y, text, va="center", ha=ha, fontsize=10).set_in_layout(False)


def _box(
    axes: Axes, box: tuple[float, float, float, float], colour: str, title: str, lines: Sequence[str]
) -> None:
    x, y, width, height = box
    shape = FancyBboxPatch(
        (x, y), width, height, "round,pad=0,rounding_size=0.08", fc="white", ec=colour, lw=1.6
    )
    axes.add_patch(shape)
    axes.text(x + width / 2, y + height - 0.22, title, ha="center", va="center", color=colour, weight="bold")
    for i, line in enumerate(lines):
        axes.text(x + width / 2, y + height - 0.55 - 0.27 * i, line, ha="center", va="center", fontsize=10)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color=FAINT, lw=1.4))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as out:
        draw_all(RunConfig(out=Path(out)), FOLDER)
