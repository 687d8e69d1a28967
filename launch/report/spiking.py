"""Which neurons fired when, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.launch.report.plot import LEGEND, axis, layout, legend_px, numbers, run_colour
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Figure, Section
from spikearm.launch.spikes import Spikes
from spikearm.launch.summary import rows_of
from spikearm.launch.words import of_run

_MOST_SPIKES = 6000
_BIN_HZ = 5.0


def spiking(runs: Sequence[RunData]) -> Section | None:
    """Raster and firing rates; None where no spikes were kept."""
    shown = [(run, run.spikes) for run in runs]
    kept = [(run, spikes) for run, spikes in shown if spikes is not None and len(spikes.fired)]
    if not kept:
        return None
    figures = [_raster(*kept[0])] if len(kept) == 1 else []
    return Section(
        "spikes",
        "Spikes",
        [of_run(run.label, len(runs), _lead(run, spikes)) for run, spikes in kept],
        [*figures, _rates(kept)],
    )


def _lead(run: RunData, spikes: Spikes) -> str:
    silent = float(np.mean(spikes.rates_hz == 0))
    active = spikes.rates_hz[spikes.rates_hz > 0]
    typical = f"{np.median(active):.3g} Hz" if active.size else "–"
    return (
        f"{run.summary['spikes_per_tick']:.3g} spikes per tick from {spikes.rates_hz.size} neurons. "
        f"{100 * silent:.0f} % of them never fired; the median rate of the others is {typical}."
    )


def _raster(run: RunData, spikes: Spikes) -> Figure:
    """The spikes of the sampled neurons in the last reaches, one colour per population."""
    rows = _last_reaches(run, spikes)
    t_s = run.column("t_s")
    starts = np.cumsum([0, *spikes.sizes])
    data = []
    for i, label in enumerate(spikes.labels):
        mine = np.flatnonzero((spikes.sample >= starts[i]) & (spikes.sample < starts[i + 1]))
        when, which = np.nonzero(spikes.fired[np.ix_(rows, mine)])
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{label} ({len(mine)} of {spikes.sizes[i]})",
                "x": numbers(t_s[rows[when]], 6),
                "y": [int(n) for n in mine[which]],
                "marker": {"symbol": "line-ns-open", "size": 4, "color": run_colour(i)},
                "hovertemplate": "%{x:.3f} s",
            }
        )
    return Figure(
        "spike-raster",
        "Spikes of a sample of neurons in the last reaches.",
        460,
        data,
        layout(
            xaxis=axis("time [s]", zeroline=False),
            yaxis=axis("neuron, a sample", showticklabels=False, autorange="reversed", showgrid=False),
            legend={**LEGEND, "itemsizing": "constant"},
        ),
    )


def _last_reaches(run: RunData, spikes: Spikes) -> NDArray[np.intp]:
    """Ticks of the last two reaches; fewer if they have more spikes than a browser likes to draw."""
    last = run.n_reaches - 1
    rows = rows_of(run.ticks, [max(0, last - 1), last])
    rows = rows[rows < len(spikes.fired)]
    # Newest first, until there are enough.
    total = np.cumsum(spikes.fired[rows[::-1]].sum(axis=1))
    return rows[len(rows) - int(np.searchsorted(total, _MOST_SPIKES, side="right")) :]


def _rates(kept: Sequence[tuple[RunData, Spikes]]) -> Figure:
    """How many neurons fire how fast, over the whole run."""
    top = max(float(spikes.rates_hz.max()) for _, spikes in kept)
    edges = np.arange(0.0, top + 2 * _BIN_HZ, _BIN_HZ)
    data: list[dict[str, Any]] = []
    for run, spikes in kept:
        whole = [(run.label, spikes.rates_hz, run.colour)]
        for name, rates_hz, colour in _populations(spikes) if len(kept) == 1 else whole:
            counts, _ = np.histogram(rates_hz, edges)
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "line": {"shape": "hv", "width": 2, "color": colour},
                    "name": name,
                    "x": numbers(edges),
                    "y": [int(c) for c in (*counts, 0)],
                    "hovertemplate": f"%{{y}} neurons from %{{x:.3g}} Hz, {_BIN_HZ:g} Hz wide",
                }
            )
    return Figure(
        "firing-rates",
        "Number of neurons by mean firing rate.",
        300 + legend_px(data),
        data,
        layout(
            xaxis=axis("mean firing rate over the run [Hz]", zeroline=False, range=[0, float(edges[-1])]),
            # Most neurons are silent or slow; on a linear axis the others would not be seen.
            yaxis=axis("neurons", type="log", dtick=1, exponentformat="none"),
        ),
    )


def _populations(spikes: Spikes) -> list[tuple[str, NDArray[np.float64], str]]:
    """Label, rates and colour of each population."""
    parts = np.split(spikes.rates_hz, np.cumsum(spikes.sizes)[:-1])
    colours = [run_colour(i) for i in range(len(parts))]
    return list(zip(spikes.labels, parts, colours, strict=True))
