"""The numbers on top of the page, and where they come from at its end."""

from __future__ import annotations

import html
from collections.abc import Sequence

from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.launch.config import NETWORKED
from spikearm.launch.report.conditions import perturbation_words, warning
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Section, Table
from spikearm.launch.summary import late_rms_m
from spikearm.launch.words import last_reaches, mm, ms, si, times_as_much

_REPEATED = "The same settings, versions and seed give the same log, byte for byte apart from measured times."
Tile = tuple[str, str, str]


def headline_html(runs: Sequence[RunData]) -> str:
    """Tiles for one run, a table for several."""
    if len(runs) > 1:
        return f'<section id="headline">{_table(runs).to_html()}</section>'
    tiles = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>"
        f'<dd class="note">{html.escape(note)}</dd></div>'
        for name, value, note in _tiles(runs[0])
    )
    return f'<section id="headline"><dl class="tiles">{tiles}</dl></section>'


def subtitle(runs: Sequence[RunData]) -> str:
    """What was run, in a line."""
    run = runs[0]
    started = min(r.about.get("started_utc", "?") for r in runs)
    begun = f"begun {started[:16].replace('T', ' ')} UTC"
    if len(runs) > 1:
        arms = " and ".join(dict.fromkeys(r.config.arm for r in runs))
        return f"{len(runs)} runs of {arms}, the first {begun}"
    substrate = f" on {run.config.backend}" if run.config.controller in NETWORKED else ""
    return (
        f"{run.config.arm}, {run.config.controller}{substrate}, {_unknown(run)}, "
        f"{run.summary['n_ticks']:,} ticks, {begun}"
    )


def notes(runs: Sequence[RunData]) -> list[str]:
    """What a reader has to know before trusting the numbers."""
    found = [words] if (words := warning(runs)) else []
    for run in runs:
        if run.summary["interrupted"]:
            n, logged = run.config.n_ticks, run.summary["reach_ticks"]
            words = f"{run.label} ended early: {logged:,} of the {n:,} ticks of its reaches are there."
            if run.adaptive and run.spikes is None:
                words += " Spikes, and the state of devices, are kept by runs that end by themselves."
            found.append(words)
        if run.summary["unrecorded_ticks"]:
            found.append(f"{run.label}: {run.summary['unrecorded_ticks']} ticks could not be recorded.")
        if run.summary["saturated_ticks"]:
            found.append(
                f"{run.label}: a torque limit was reached in {run.summary['saturated_ticks']} ticks."
            )
        if run.summary["lagging_ticks"]:
            found.append(f"{run.label}: {_lagging(run)}")
    return found


def _lagging(run: RunData) -> str:
    """Ticks that were held back, and what of it: who wonders why little was learned, looks on top."""
    stood_still = ", and learning stood still in them" if run.adaptive else ""
    return (
        f"in {run.summary['lagging_ticks']:,} of {run.summary['n_ticks']:,} ticks the torque lagged behind "
        "what was asked for, because no torque may change faster than "
        f"{run.config.torque_rate_nm_s:g} N m/s{stood_still}."
    )


def provenance(runs: Sequence[RunData]) -> Section:
    """How to repeat the runs, and with what they were made."""
    made = [_made(run) for run in runs]
    lead = [_REPEATED]
    if any(run.link is not None and not run.link["lock_step"] for run in runs):
        lead.append("On an arm in real time, times decide on the rest as well.")
    head, rows = ["run", "command"], [[run.label, _command(run)] for run in runs]
    if len(set(made)) == 1:
        lead.append(f"Made with {made[0]}.")
    else:
        head, rows = [*head, "made with"], [[*row, words] for row, words in zip(rows, made, strict=True)]
    return Section("provenance", "To repeat it", lead, tables=[Table(head, rows, words=True)])


def _command(run: RunData) -> str:
    command = "run" if run.link is None else "hardware run"
    return f"spikearm {command} --config {run.folder / 'run.json'}"


def _made(run: RunData) -> str:
    """Versions and computer."""
    about, host = run.about, run.about.get("host", {})
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    revision = f" (revision {about['git_revision']})" if "git_revision" in about else ""
    return (
        f"spikearm {about.get('spikearm', '?')}{revision}, {versions}; on {host.get('system', '?')} "
        f"{host.get('machine', '')}, {host.get('cpus', '?')} processors"
    )


def _tiles(run: RunData) -> list[Tile]:
    summary = run.summary
    tiles = [(f"tracking error, {last_reaches([run.n_late])}", mm(run.late_m), _against(run))]
    latency, deadline = summary["latency_measured_s"], summary["control_dt_s"]
    missed = f"{summary['deadline_misses']:,} of {summary['n_ticks']:,} over the deadline of {ms(deadline)}"
    tiles.append(("tick, 99th percentile", ms(latency["p99"]), missed))
    model = summary["energy_model_j_per_tick"]["total"]
    if model:
        chip = summary["energy_chip_j_per_tick"]
        note = (
            "no chip figure" if chip is None else f"{si(chip, 'J')} chip-anchored: another kind of evidence"
        )
        tiles.append(("energy per tick, bottom-up model", si(model, "J"), note))
        note = f"{summary['synaptic_ops_per_tick']:,.0f} synaptic operations"
        tiles.append(("spikes per tick", f"{summary['spikes_per_tick']:.3g}", note))
    return tiles


def _against(run: RunData) -> str:
    if not run.done:
        return "until it ended, before the end of the first reach"
    if run.without_adaptation_m is None:
        return f"{mm(run.summary['rmse_m'])} over all"
    without = late_rms_m(run.without_adaptation_m)
    return f"{mm(without)} without adaptation{times_as_much(without, run.late_m)}"


def _table(runs: Sequence[RunData]) -> Table:
    head = [
        "run",
        f"error, {last_reaches(run.n_late for run in runs).removesuffix(' reaches')}",
        "error, all",
        "tick p50",
        "tick p99",
        "deadlines missed",
        "energy, bottom-up",
        "energy, chip-anchored",
    ]
    rows = []
    for run in runs:
        summary, latency = run.summary, run.summary["latency_measured_s"]
        rows.append(
            [
                run.label,
                mm(run.late_m),
                mm(summary["rmse_m"]),
                ms(latency["p50"]),
                ms(latency["p99"]),
                f"{summary['deadline_misses']:,}",
                si(summary["energy_model_j_per_tick"]["total"], "J"),
                si(summary["energy_chip_j_per_tick"], "J"),
            ]
        )
    return Table(head, rows)


def _unknown(run: RunData) -> str:
    """What the controller does not know of."""
    words = perturbation_words(run.config.perturbation)
    return words if run.config.perturbation == NO_PERTURBATION else f"unknown to it: {words}"
