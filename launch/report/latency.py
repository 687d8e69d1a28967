"""How long a tick took on the computer of the run, stage by stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from spikearm.launch.config import NETWORKED
from spikearm.launch.report.plot import WARN, annotation, axis, layout, legend_px, numbers
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Figure, Section, Table
from spikearm.launch.summary import STAGES, whole_ticks_s
from spikearm.launch.words import WHY_LATE, ms, si
from spikearm.records import FloatArray

_WHOLE = "whole tick"
_COMMON = "Time of ticks and their stages, measured on the computer of each run."
_PERCENTILES = (50, 95, 99)
_SYMBOLS = ("circle", "diamond", "triangle-right")
_TAIL_POINTS = 160
_TICKS_MS = [digit * 10.0**power for power in range(-3, 4) for digit in (1, 2, 5)]


def latency(runs: Sequence[RunData]) -> Section:
    """Percentiles by stage beside the deadline, and how rare slow ticks were."""
    stages = [_stages(run) for run in runs]
    table = _table(stages[0]) if len(runs) == 1 else _runs_table(runs, stages)
    return Section(
        "latency",
        "Latency",
        [_lead(runs[0]) if len(runs) == 1 else _common(runs)],
        [_percentiles(runs, stages), _tail(runs)],
        [table],
    )


def _stages(run: RunData) -> dict[str, FloatArray]:
    """Known times of each stage that the run has [s], the whole tick last."""
    stages = [stage for stage in STAGES if stage != "network" or run.config.controller in NETWORKED]
    times = {stage: run.column(f"latency_{stage}_s") for stage in stages}
    times[_WHOLE] = whole_ticks_s(run.ticks)
    known = {name: values[np.isfinite(values)] for name, values in times.items()}
    return {name: values for name, values in known.items() if values.size}


def _lead(run: RunData) -> str:
    summary = run.summary
    measured = summary["latency_measured_s"]
    deadline = summary["control_dt_s"]
    missed = summary["deadline_misses"]
    of = f"{missed:,} of {summary['n_ticks']:,} ticks"
    ended = f"{of} ended after it" if missed else "no tick ended after it"
    words = (
        f"Half of all ticks took less than {ms(measured['p50'])}, 99 % less than "
        f"{ms(measured['p99'])}; the deadline is {ms(deadline)}, and {ended}. Measured, on the computer of "
        "the run."
    )
    if missed:
        words += f" {_why_late(run)}"
    if summary["latency_model_s_mean"] is not None:
        words += f" The substrate itself would take {si(summary['latency_model_s_mean'], 's')}: modelled."
    return words


def _why_late(run: RunData) -> str:
    """What may be to blame for late ticks, and what came of them."""
    words = f"{WHY_LATE[0].upper()}{WHY_LATE[1:]}."
    if run.config.realtime or run.link is not None or run.config.substrate_at:
        return words
    return f"{words} The simulated arm waited for them: its motion is what it would be on a faster one."


def _common(runs: Sequence[RunData]) -> str:
    """What is measured, and whether all of it was measured on one computer."""
    hosts = {json.dumps(run.about.get("host"), sort_keys=True) for run in runs}
    words = [_COMMON]
    if len(hosts) > 1:
        words.append("These computers are not of one kind: do not compare them.")
    if any(run.summary["deadline_misses"] for run in runs):
        words.append(f"{WHY_LATE[0].upper()}{WHY_LATE[1:]}.")
    return " ".join(words)


def _percentiles(runs: Sequence[RunData], stages: list[dict[str, FloatArray]]) -> Figure:
    names = [name for name in (*STAGES, _WHOLE) if any(name in times for times in stages)]
    data = []
    for i, (run, times) in enumerate(zip(runs, stages, strict=True)):
        shift = 0.0 if len(runs) == 1 else 0.6 * (i / (len(runs) - 1) - 0.5)
        for j, (name, values) in enumerate(times.items()):
            spread = numbers(1e3 * np.percentile(values, _PERCENTILES))
            data.append(_spread(run, name, spread, names.index(name) + shift, run.colour, legend=j == 0))
    deadlines_ms = _deadlines_ms(runs)
    return Figure(
        "latency-stages",
        "Median, 95th and 99th percentile of each stage of a tick.",
        320 if len(runs) == 1 else 420 + legend_px(data),
        data,
        layout(
            xaxis=axis(
                "time per tick [ms]: ● p50, ◆ p95, ▶ p99",
                type="log",
                dtick=1,
                exponentformat="none",
            ),
            yaxis={
                **axis(""),
                "tickvals": list(range(len(names))),
                "ticktext": names,
                "range": [len(names) - 0.5, -0.5],
                "zeroline": False,
            },
            shapes=[_deadline(ms_) for ms_ in deadlines_ms],
            annotations=[_deadline_label(ms_, len(deadlines_ms), 1) for ms_ in deadlines_ms],
            showlegend=len(runs) > 1,
        ),
    )


def _spread(
    run: RunData, stage: str, spread: list[float | None], y: float, colour: str, *, legend: bool
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": run.label,
        "legendgroup": run.label,
        "showlegend": legend,
        "x": spread,
        "y": [y] * len(spread),
        "line": {"color": colour, "width": 3},
        "marker": {"size": 9, "symbol": list(_SYMBOLS)},
        "text": [f"p{p}" for p in _PERCENTILES],
        "hovertemplate": stage + " %{text}: %{x:.4g} ms",
    }


def _tail(runs: Sequence[RunData]) -> Figure:
    """Share of ticks that took longer than a time, on logarithmic axes: the rare ones count."""
    data = []
    for run in runs:
        times_ms = np.sort(1e3 * whole_ticks_s(run.ticks))
        if not times_ms.size:
            continue
        share = np.geomspace(1.0, 1.0 / times_ms.size, _TAIL_POINTS)
        rows = np.clip(np.round((1.0 - share) * times_ms.size).astype(np.intp), 0, times_ms.size - 1)
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": run.label,
                "x": numbers(times_ms[rows]),
                "y": numbers(100 * share),
                "line": {"color": run.colour, "width": 2},
                "hovertemplate": "%{y:.3g} % took longer than %{x:.4g} ms",
            }
        )
    deadlines_ms = _deadlines_ms(runs)
    return Figure(
        "latency-tail",
        "Share of ticks that took longer than a given time.",
        320 + (legend_px(data) if len(runs) > 1 else 0),
        data,
        layout(
            xaxis=axis("time of a whole tick [ms]", type="log", tickvals=_TICKS_MS),
            yaxis=axis("slower ticks [%]", type="log", dtick=1, exponentformat="none"),
            shapes=[_deadline(ms_) for ms_ in deadlines_ms],
            annotations=[_deadline_label(ms_, len(deadlines_ms)) for ms_ in deadlines_ms],
            showlegend=len(runs) > 1,
        ),
    )


def _deadline(deadline_ms: float) -> dict[str, Any]:
    line = {"color": WARN, "width": 1.5, "dash": "dot"}
    return {
        "type": "line",
        "x0": deadline_ms,
        "x1": deadline_ms,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": line,
    }


def _deadlines_ms(runs: Sequence[RunData]) -> list[float]:
    """The length of a tick, once for all runs that have the same [ms]."""
    return sorted({1e3 * run.config.control_dt_s for run in runs})


def _deadline_label(deadline_ms: float, n_deadlines: int, at: float = 0) -> dict[str, Any]:
    return annotation(
        "deadline" if n_deadlines == 1 else f"deadline, {deadline_ms:g} ms",
        x=float(np.log10(deadline_ms)),
        y=at,
        yref="paper",
        xanchor="left",
        yanchor="top" if at else "bottom",
        xshift=3,
        font={"color": WARN, "size": 12},
    )


def _table(times: dict[str, FloatArray]) -> Table:
    rows = []
    for name, values in times.items():
        p50, p95, p99 = np.percentile(values, _PERCENTILES)
        rows.append([name, *(ms(float(v)) for v in (p50, p95, p99, values.max()))])
    return Table(["stage", "p50", "p95", "p99", "longest"], rows)


def _runs_table(runs: Sequence[RunData], stages: list[dict[str, FloatArray]]) -> Table:
    rows = []
    for run, times in zip(runs, stages, strict=True):
        whole = times.get(_WHOLE, np.array([np.nan]))
        spread = [ms(float(v)) for v in np.percentile(whole, _PERCENTILES)]
        summary = run.summary
        missed = f"{summary['deadline_misses']:,} of {summary['n_ticks']:,}"
        rows.append([run.label, *spread, missed, si(summary["latency_model_s_mean"], "s")])
    return Table(["whole tick", "p50", "p95", "p99", "over the deadline", "substrate, modelled"], rows)
