"""Keeps the results of the published benchmarks and writes their tables into the pages.

``python docs/results.py RESULTS.json ...`` takes the ``results.json`` of benchmarks of published size into
``docs/results/``; without arguments it only writes the tables anew, between the marks in README.md and
docs/benchmarks.md.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spikearm.launch.words import three_digits

DOCS = Path(__file__).parent
KEPT = DOCS / "results"
PAGES = (DOCS.parent / "README.md", DOCS / "benchmarks.md")
NOT_KEPT = ("config", "error_m_by_trial", "energy_measured_j")
"""Of every row: what the code and the settings say again, what only a figure shows, and a meter that sees
all runs at a time."""

Document = Mapping[str, Any]


def keep(results: Path) -> None:
    """A copy of the results of a benchmark, without what can be made again."""
    document = json.loads(results.read_text(encoding="utf-8"))
    if document["failures"] or document["interrupted"] or document["quick"]:
        raise SystemExit(
            f"{results}: some runs are missing, or it is a quick version; run the benchmark to its end."
        )
    del document["folder"]
    for block in document["blocks"]:
        for row in block["rows"]:
            for name in NOT_KEPT:
                row.pop(name, None)
    KEPT.mkdir(exist_ok=True)
    text = json.dumps(document, indent=1) + "\n"
    (KEPT / f"{document['benchmark']}.json").write_text(text, encoding="utf-8")


def kept(benchmark: str) -> Document:
    """The results of a benchmark."""
    document: Document = json.loads((KEPT / f"{benchmark}.json").read_text(encoding="utf-8"))
    return document


def payload_errors() -> str:
    """Normalised error of the last trials, a column for each perturbation."""
    document = kept("adaptive-payload")
    blocks = document["blocks"]
    names = [
        f"{block['perturbation'].replace('-', ' ')}{', held out' * block['held_out']}" for block in blocks
    ]
    lines = []
    for rows in zip(*(block["rows"] for block in blocks), strict=True):
        cells = [
            f"{_between(row['normalised']['last'], '.3f')}, {_mm(row['error_m']['last']['mean'])}"
            for row in rows
        ]
        lines.append([rows[0]["label"], *cells])
    return _table(["", *names], lines)


def payload_verdicts() -> str:
    """What the intervals say of PID."""
    lines = []
    for block in kept("adaptive-payload")["blocks"]:
        below = [row["label"] for row in block["rows"] if row["backend"] and row["minus_pid"]["high"] < 0.0]
        lines.append([block["perturbation"], ", ".join(below) or "none"])
    return _table(["", "better than PID, interval below 0"], lines)


def payload_encoder() -> str:
    """Against the full-size network on the state: normalised error in percent, then mm."""
    blocks = kept("adaptive-payload")["blocks"]
    names = [block["perturbation"].replace("-", " ") for block in blocks]
    lines = []
    for pairs in zip(*(block["encoder"] for block in blocks), strict=True):
        cells = [
            f"{_between(pair['percent_more'], '+.0f')} %, {1e3 * pair['against_error_m']:.2f} to "
            f"{_mm(pair['error_m'])}, {pair['percent_more_m']['mean']:+.0f} %"
            for pair in pairs
        ]
        lines.append([f"{pairs[0]['label']}, against {pairs[0]['against'].rsplit(' ', 1)[0]}", *cells])
    return _table(["", *names], lines)


def payload_costs() -> str:
    """What a tick costs under the weight, by models."""
    rows = [row for row in kept("adaptive-payload")["blocks"][0]["rows"] if row["backend"]]
    return _costs(rows)


def center_out_errors() -> str:
    """Deviation from the ideal trajectory, two forms of the law."""
    document = kept("center-out")
    forms = {block["form"]: block["rows"] for block in document["blocks"]}
    lines = []
    for published, fed in zip(forms["published"], forms["feedforward"], strict=True):
        more = "" if published["controller"] == "osc" else f"{_between(published['more_percent'], '+.1f')} %"
        turn = f"{math.degrees(fed['turn_rms_rad']):.2f} deg"
        added = _mm(fed["rmse_m"] - forms["feedforward"][0]["rmse_m"])
        lines.append(
            [
                published["label"],
                _mm(published["rmse_m"]),
                more,
                _mm(fed["rmse_m"]),
                added,
                _mm(fed["max_m"]),
                turn,
            ]
        )
    names = [
        "",
        "published form",
        "more than analytic",
        "fed forward",
        "more than analytic",
        "largest",
        "turn",
    ]
    return _table(names, lines)


def center_out_sessions() -> str:
    """The same by session: how much is chance."""
    forms = {block["form"]: block["rows"] for block in kept("center-out")["blocks"]}
    lines = []
    for published, fed in zip(forms["published"][1:], forms["feedforward"][1:], strict=True):
        more = ", ".join(f"{percent:+.1f}" for percent in published["more_percent_by_session"])
        rmse = ", ".join(f"{1e3 * rmse_m:.2f}" for rmse_m in fed["rmse_m_by_session"])
        lines.append([published["label"], f"{more} %", f"{rmse} mm"])
    return _table(["by session", "published form, more than analytic", "fed forward"], lines)


def center_out_costs() -> str:
    """What a tick costs in the published form, by models."""
    block = kept("center-out")["blocks"][0]
    on = [
        [f"`spiking` on {row['label']}", "", "-", "-", _micro(row["energy_model_j"], "J"), "-"]
        for row in block["processors"]
    ]
    return _costs([row for row in block["rows"] if row["energy_model_j"] is not None]) + "".join(
        map(_line, on)
    )


def _costs(rows: Sequence[Mapping[str, Any]]) -> str:
    """Time of a tick on the computer that simulated it; modelled latency and both modelled energies."""
    names = [
        "",
        "neurons",
        "tick, measured",
        "latency, modelled",
        "energy, counted operations",
        "energy, figure of a chip",
    ]
    lines = []
    for row in rows:
        neurons = "-" if row["neurons_in_all"] is None else f"{row['neurons_in_all']:.0f}"
        modelled = [
            _micro(row["latency_model_s"], "s"),
            _micro(row["energy_model_j"], "J"),
            _micro(row["energy_chip_j"], "J"),
        ]
        lines.append([row["label"], neurons, f"{1e3 * row['tick_s']:.2f} ms", *modelled])
    return _table(names, lines)


TABLES = {
    "payload-errors": payload_errors,
    "payload-verdicts": payload_verdicts,
    "payload-encoder": payload_encoder,
    "payload-costs": payload_costs,
    "center-out-errors": center_out_errors,
    "center-out-sessions": center_out_sessions,
    "center-out-costs": center_out_costs,
}
"""By the mark in the pages."""


def with_tables(text: str) -> str:
    """A page with its tables written anew."""

    def written(mark: re.Match[str]) -> str:
        return f"<!-- {mark[1]} -->\n{TABLES[mark[1]]()}<!-- end of {mark[1]} -->"

    return re.sub(r"<!-- ([a-z-]+) -->\n(?:\|.*\n)*<!-- end of \1 -->", written, text)


def _between(estimate: Mapping[str, float], form: str) -> str:
    return f"{estimate['mean']:{form}} ({estimate['low']:{form}} to {estimate['high']:{form}})"


def _mm(metres: float) -> str:
    return f"{1e3 * metres:.2f} mm"


def _micro(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{three_digits(1e6 * value)} µ{unit}"


def _table(names: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "".join(map(_line, [names, ["---"] * len(names), *lines]))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |")


def main(results: Sequence[str]) -> None:
    """Keep these results, then write all tables."""
    for path in results:
        keep(Path(path))
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
