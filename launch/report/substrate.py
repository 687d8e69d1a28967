"""What a run did to its substrate: devices of a crossbar, cores of a Loihi chip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikearm.hardware.conductances import Conductances
from spikearm.launch.report.plot import axis, every, layout, numbers, run_colour
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Figure, Section, Table
from spikearm.launch.words import of_run

_MOST_COLUMNS = 1024
_N_BINS = 60


def substrates(runs: Sequence[RunData]) -> list[Section]:
    """One section for every crossbar and every chip."""
    sections = [section for run in runs for section in (_crossbar(run, len(runs)), _cores(run, len(runs)))]
    return [section for section in sections if section is not None]


def _crossbar(run: RunData, n_runs: int) -> Section | None:
    if not run.conductances:
        return None
    anchor = _anchor(run)
    learned = [matrix for matrix in run.conductances if matrix.learned]
    maps = [_map(anchor, i, matrix) for i, matrix in enumerate(learned)]
    wear = run.summary.get("wear", [])
    return Section(
        f"crossbar-{anchor}",
        "Devices of the crossbar" if n_runs == 1 else f"Devices: {run.label}",
        [_lead(w) for w in wear],
        [*maps, _histogram(anchor, run)],
        [_wear(wear)] if wear else [],
    )


def _lead(wear: dict[str, Any]) -> str:
    hours = wear["lifetime_h"]
    last = (
        "the devices would last for ever"
        if hours is None
        else f"at this rate the most used device is worn out after {_period(hours)} of operation"
    )
    words = (
        f"{wear['label']}: {wear['set_mean']:.3g} SET pulses per device in {wear['operated_s']:.3g} s, "
        f"at most {wear['set_max']}; {last}."
    )
    return words[0].upper() + words[1:]


def _period(hours: float) -> str:
    if hours > 8766:
        return f"{hours / 8766:,.3g} years"
    return f"{hours / 24:.3g} days" if hours > 48 else f"{hours:.3g} hours"


def _map(anchor: str, i: int, matrix: Conductances) -> Figure:
    """Difference of each pair: rows are outputs, columns are inputs."""
    diff_us = 1e6 * (matrix.plus_siemens - matrix.minus_siemens)
    columns = every(len(diff_us), _MOST_COLUMNS)
    limit = float(np.abs(diff_us).max()) or 1.0
    heat = {
        "type": "heatmap",
        "z": [numbers(row, 3) for row in diff_us[columns].T],
        "x": [int(c) for c in columns],
        "zmin": -limit,
        "zmax": limit,
        "zmid": 0,
        "colorscale": [[0, "--heat-low"], [0.5, "--heat-mid"], [1, "--heat-high"]],
        "colorbar": {"title": {"text": "G⁺ − G⁻ [µS]", "side": "right"}, "thickness": 12, "outlinewidth": 0},
        "hovertemplate": "neuron %{x}, output %{y}: %{z:.3g} µS",
    }
    return Figure(
        f"conductance-{anchor}-{i}",
        f"Conductance map of {matrix.label}.",
        130 + 26 * diff_us.shape[1],
        [heat],
        layout(
            xaxis=axis(f"neuron, input of {matrix.label}", zeroline=False, showgrid=False),
            yaxis=axis("output (joint)", dtick=1, autorange="reversed", zeroline=False, showgrid=False),
        ),
    )


def _histogram(anchor: str, run: RunData) -> Figure:
    """Conductances of all devices, learned and programmed."""
    data = []
    for i, matrix in enumerate(run.conductances):
        devices_us = 1e6 * np.concatenate([matrix.plus_siemens.ravel(), matrix.minus_siemens.ravel()])
        counts, edges = np.histogram(devices_us, _N_BINS)
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "line": {"shape": "hvh", "width": 2, "color": run_colour(i)},
                "name": f"{matrix.label}{' (learns)' if matrix.learned else ''}",
                "x": numbers(0.5 * (edges[1:] + edges[:-1])),
                "y": [int(c) if c else None for c in counts],
                "hovertemplate": "%{y} devices at %{x:.3g} µS",
            }
        )
    return Figure(
        f"devices-{anchor}",
        "Number of devices by conductance.",
        340,
        data,
        layout(
            xaxis=axis("conductance at the end of the run [µS]", zeroline=False),
            yaxis=axis("devices", type="log", dtick=1, exponentformat="power"),
        ),
    )


def _wear(wear: Sequence[dict[str, Any]]) -> Table:
    rows = [
        [
            w["label"],
            f"{w['n_devices']:,}",
            f"{w['set_mean']:.3g} / {w['set_max']}",
            f"{w['reset_mean']:.3g} / {w['reset_max']}",
            f"{w['endurance_used']:.2g}",
            f"{w['saturated_devices']}",
            f"{w['stuck_devices']}",
            "for ever" if w["lifetime_h"] is None else _period(w["lifetime_h"]),
        ]
        for w in wear
    ]
    head = ["matrix", "devices", "SET mean / most", "RESET mean / most", "share of endurance spent"]
    return Table([*head, "at the end of range", "stuck", "lifetime"], rows)


def _cores(run: RunData, n_runs: int) -> Section | None:
    document = run.document("utilisation.json")
    if document is None:
        return None
    kind, parts = document["kind"], document["parts"]
    resources = list(document["fullest"])
    names = [f"{part['number']}: {part['label'].strip('<>')}" for part in parts]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": resource,
            "y": names,
            "x": numbers([100 * part[resource]["share"] for part in parts]),
            "customdata": [[part[resource]["used"], part[resource]["limit"]] for part in parts],
            "marker": {"color": run_colour(i)},
            "hovertemplate": "%{customdata[0]:,} of %{customdata[1]:,} " + resource,
        }
        for i, resource in enumerate(resources)
    ]
    fullest = max(document["fullest"], key=document["fullest"].__getitem__)
    figure = Figure(
        f"cores-{_anchor(run)}",
        f"Use of each of the {kind}.",
        120 + 70 * len(parts),
        data,
        layout(
            xaxis=axis("in use [%]", range=[0, 100], zeroline=False),
            yaxis={**axis(""), "autorange": "reversed"},
            barmode="group",
            bargap=0.25,
        ),
    )
    lead = (
        f"{document['used']} of {document['limit']} {kind} are in use; the fullest resource is "
        f"{fullest}, {100 * document['fullest'][fullest]:.0f} % on one of them."
    )
    return Section(f"cores-{_anchor(run)}", f"Use of the {kind}", [of_run(run.label, n_runs, lead)], [figure])


def _anchor(run: RunData) -> str:
    return "".join(c if c.isalnum() else "-" for c in run.folder.name)
