"""What the network's work would have cost, in three kinds of evidence that are never added together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from spikearm.launch.report.plot import axis, layout, numbers
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Figure, Section, Table
from spikearm.launch.words import energy_term, of_run, si, times

_MOST_DECADES = 6
_BOTTOM_UP, _CHIP, _MEASURED = "bottom-up model", "chip-anchored", "measured here"


def energy(runs: Sequence[RunData]) -> Section | None:
    """Energy of the average tick; None where no run had anything to model."""
    modelled = [run for run in runs if run.summary["energy_model_j_per_tick"]["total"]]
    if not modelled:
        return None
    figure = _by_term(modelled[0]) if len(modelled) == 1 else _by_tier(modelled)
    return Section(
        "energy",
        "Energy",
        [*(of_run(run.label, len(runs), _lead(run)) for run in modelled), _caution(modelled)],
        [figure],
        folded=[table for run in modelled for table in _ledger(run, len(runs))],
    )


def _lead(run: RunData) -> str:
    """The tiers and their ratio in words."""
    bottom_up, chip, measured = _tiers(run)
    words = [f"the bottom-up model gives {si(bottom_up, 'J')} per tick."]
    if chip is None:
        words.append("There is no figure of a whole chip for this substrate.")
    else:
        words.append(
            f"The chip-anchored figure, {si(chip, 'J')}, is {_against(run, chip)}. "
            f"It is {run.summary['energy_chip_scope'].rstrip('.')}."
        )
    if measured is not None:
        words.append(
            f"The computer's own meter says {si(measured, 'J')} per tick, simulation and all else included."
        )
    return " ".join(words)


def _against(run: RunData, chip: float) -> str:
    """The chip-anchored figure beside what the bottom-up model has for the same."""
    same, bottom_up = run.summary["energy_model_of_chip_scope_j_per_tick"], _tiers(run)[0]
    if not same:
        return "for what did not happen in this run"
    if math.isclose(same, bottom_up):
        return f"{times(chip / same)} the bottom-up sum"
    return f"{times(chip / same)} the {si(same, 'J')} that the bottom-up model has for the same"


def _caution(runs: Sequence[RunData]) -> str:
    words = "These are different kinds of evidence; they are not to be added."
    if any(run.summary["energy_measured_j_per_tick"] is not None for run in runs):
        return words
    return f"{words} Nothing was measured: there was no meter that could be read."


def _tiers(run: RunData) -> tuple[float, float | None, float | None]:
    summary = run.summary
    return (
        summary["energy_model_j_per_tick"]["total"],
        summary["energy_chip_j_per_tick"],
        summary["energy_measured_j_per_tick"],
    )


def _by_term(run: RunData) -> Figure:
    """One run: every term of the model, its sum, and the other tiers below them."""
    terms = run.summary["energy_model_j_per_tick"]
    parts = ((energy_term(t), j) for t, j in terms.items() if t != "total" and j)
    bars = sorted(parts, key=lambda bar: -bar[1])
    bottom_up, chip, measured = _tiers(run)
    tiers = [
        (_BOTTOM_UP, bars, "--run-0"),
        (_BOTTOM_UP + ", sum", [("sum of these", bottom_up)], "--run-5"),
        (_CHIP, [(_CHIP, chip)] if chip else [], "--run-1"),
        (_MEASURED, [(_MEASURED, measured)] if measured else [], "--run-2"),
    ]
    shown = [(tier, part, colour) for tier, part, colour in tiers if part]
    data = [_bars(tier, [n for n, _ in part], [j for _, j in part], colour) for tier, part, colour in shown]
    n_bars = sum(len(part) for _, part, _ in shown)
    return _figure(data, 130 + 34 * n_bars, [name for _, part, _ in shown for name, _ in part], "overlay")


def _by_tier(runs: Sequence[RunData]) -> Figure:
    """Several runs: the tiers side by side; their terms are different things on different substrates."""
    labels = [run.label for run in runs]
    data = []
    for i, (tier, colour) in enumerate(((_BOTTOM_UP, "--run-0"), (_CHIP, "--run-1"), (_MEASURED, "--run-2"))):
        joules = [_tiers(run)[i] for run in runs]
        if any(joules):
            data.append(_bars(tier, labels, joules, colour))
    return _figure(data, 130 + 60 * len(runs), labels, "group")


def _bars(tier: str, names: list[str], joules: list[Any], colour: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": tier,
        "y": names,
        "x": numbers([j or math.nan for j in joules]),
        "text": [si(j, "J") if j else "" for j in joules],
        "textposition": "auto",
        "cliponaxis": False,
        "marker": {"color": colour},
        "hovertemplate": "%{y}: %{text} per tick",
    }


def _figure(data: list[dict[str, Any]], height: int, order: list[str], barmode: str) -> Figure:
    return Figure(
        "energy-terms",
        "Energy per tick by term and by kind of evidence.",
        height,
        data,
        layout(
            xaxis=axis("energy per tick, logarithmic", type="log", **_decades(data)),
            yaxis={**axis(""), "autorange": "reversed", "categoryorder": "array", "categoryarray": order},
            bargap=0.35,
            barmode=barmode,
        ),
    )


def _decades(data: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Ticks of a logarithmic axis, as few as a narrow screen has room for."""
    joules = [value for bars in data for value in bars["x"] if value]
    low, high = math.floor(math.log10(min(joules))), math.ceil(math.log10(max(joules)))
    at = [10.0**power for power in range(low, high + 1, math.ceil((high - low + 1) / _MOST_DECADES))]
    return {"tickvals": at, "ticktext": [si(value, "J") for value in at]}


def _ledger(run: RunData, n_runs: int) -> list[tuple[str, Table]]:
    """Every joule: count, figure, source."""
    document = run.document("ledger.json")
    if document is None:
        return []
    rows = [
        [
            energy_term(line["term"]),
            line["tier"],
            line["operation"].replace("_", " "),
            f"{line['per_tick']:.4g}",
            si(line["joules_per_operation"], "J"),
            si(line["joules_per_tick"], "J"),
            line["source"],
        ]
        for line in document["lines"]
    ]
    head = ["term", "evidence", "operation", "per tick", "each", "in all", "source"]
    return [(of_run(run.label, n_runs, "every joule, with its source"), Table(head, rows, words=True))]
