"""How the wire between controller and arm did, in runs on an arm in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence

from spikearm.launch.link_words import link_rows, stop_words
from spikearm.launch.report.run_data import RunData
from spikearm.launch.report.section import Section, Table
from spikearm.launch.words import of_run

_ABOUT = (
    "The round trip is a command's and a state's time on the wire, without the robot's wait for its next "
    "tick; the period error is how far the time from tick to tick is from the robot's period, either way."
)


def link(runs: Sequence[RunData]) -> Section | None:
    """What each link measured; None where no run had one."""
    linked = [run for run in runs if run.link is not None]
    if not linked:
        return None
    rows = [link_rows(run.link) for run in linked if run.link is not None]
    head = ["", *(run.label for run in linked)]
    return Section(
        "link",
        "The link to the arm",
        [*(of_run(run.label, len(runs), line) for run in linked for line in _leads(run)), _ABOUT],
        tables=[Table(head, [[name, *(row[name] for row in rows)] for name in rows[0]], words=True)],
    )


def _leads(run: RunData) -> list[str]:
    """What was done besides the reaches, and what went wrong."""
    lines = [] if run.link is None else stop_words(run.link)
    n_leading, n_ticks = run.summary["lead_in_ticks"], run.summary["n_ticks"]
    if n_leading:
        led = "would have led" if run.link and run.link["monitor_only"] else "led"
        lines.append(
            f"{n_leading:,} of the {n_ticks:,} ticks {led} the arm to its path, before the first reach or "
            "after a stop; they belong to no reach, and no tracking error counts them."
        )
    return lines
