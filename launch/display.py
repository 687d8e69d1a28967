"""What a person sees while a run lasts and when it is over; all of it on stderr."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from spikearm.controller.path import LEADING
from spikearm.controller.tickschema import TickRecord
from spikearm.launch.config import NETWORKED, RunConfig
from spikearm.launch.summary import late_rms_m, n_late
from spikearm.launch.words import WHY_LATE, duration, energy_term, last_reaches, mm, ms, si, times_as_much

# Square brackets in paths and messages are text, not markup.
console = Console(stderr=True, markup=False, emoji=False)
_REFRESH_S = 0.125
_WORST_BAR = 30
_BEFORE_BAR, _MM = len("  reach 999 "), len("999.99 mm")
_CHIP_LIMITS = (
    ("learned weights cut", "saturated_weights_per_tick", "a larger pes_wgt_exp or more neurons help"),
    (
        "neurons' overflows",
        "overflows_per_tick",
        "torques may jump; fewer neurons or a smaller pes_wgt_exp help",
    ),
)
"""Row, name in the summary and remedy of what happens at the limits of a substrate's registers."""


class ReachLines:
    """Follows a run with a line at the end of each reach.

    Args:
        config: The run's configuration.
        title: What each line begins with.
        say: Shows a line.

    Attributes:
        n_ticks: Ticks so far.
        reach: Number of the present reach, from 0; ``LEADING`` on the way to one.
        rmse_m: Tracking error of each reach that was done to its end [m].
    """

    def __init__(self, config: RunConfig, title: str, say: Callable[[str], None]) -> None:
        self._config = config
        self._title = title
        self._say = say
        self.n_ticks = self.reach = 0
        self.rmse_m: list[float] = []
        self._square_sum, self._n_in_reach = 0.0, 0
        self._n_done = 0  # in whole reaches
        self._whole = config.n_ticks // config.n_trials
        self._begun_s = math.nan

    def on_tick(self, record: TickRecord) -> None:
        """Take note of a tick."""
        if not self.n_ticks:
            self._begun_s = time.monotonic()
        if record.reach != self.reach:
            self.end_reach()
            self.reach = record.reach
        if record.ee is not None:
            self._square_sum += math.dist(record.ee.position, record.target.pose.position) ** 2
        self._n_in_reach += 1
        self.n_ticks += 1

    def end_reach(self) -> None:
        """The last tick was the last of its reach; without any since, nothing is said."""
        n, square_sum = self._n_in_reach, self._square_sum
        self._square_sum, self._n_in_reach = 0.0, 0
        if not n or self.reach == LEADING:
            return
        rmse_m = math.sqrt(square_sum / n)
        said = f"{self._title}: reach {self.reach + 1}/{self._config.n_trials}"
        if n < self._whole:
            after, of = (f"{k * self._config.control_dt_s:.10g} s" for k in (n, self._whole))
            self._say(f"{said} was cut short after {after} of {of}, rmse {mm(rmse_m)} until then")
            return
        self.rmse_m.append(rmse_m)
        self._n_done += n
        left = f", {self.left()}" if self._n_done < self._config.n_ticks else ""
        self._say(f"{said}, rmse {mm(rmse_m)}{left}")

    def left(self) -> str:
        """Time that the run will still take, at its rate so far."""
        per_tick_s = (time.monotonic() - self._begun_s) / self.n_ticks
        n_done = self._n_done + (0 if self.reach == LEADING else self._n_in_reach)
        return f"{duration(per_tick_s * max(0, self._config.n_ticks - n_done))} left"


class LivePanel:
    """Follows a run: a panel on a terminal, a line per reach elsewhere.

    Args:
        config: The run's configuration.
        title: Shown on top.
        prepared: Whether the run is composed already.
        terminal: Where to show it.
    """

    def __init__(
        self, config: RunConfig, title: str, *, prepared: bool = False, terminal: Console = console
    ) -> None:
        self._config = config
        self._title = title
        self._prepared = prepared
        self._console = terminal
        self._live = (
            Live(console=terminal, auto_refresh=False, transient=True) if terminal.is_terminal else None
        )
        self._lines = ReachLines(config, title, self._say_line)
        self._first = ReachLines(config, title, _silent)
        self._misses = 0
        self._shown_s = -math.inf

    def __enter__(self) -> Self:
        config = self._config
        reaches = f"{config.n_trials} reach{'es' if config.n_trials > 1 else ''} of {config.reach_s:.4g} s"
        preparing = f"{self._title}: {reaches}{'' if self._prepared else '; preparing'}"
        if config.controller in NETWORKED and config.backend != "reference" and not self._prepared:
            preparing += f" {config.backend}; on a new machine, kernels are compiled once, a minute or two"
        if self._live is None:
            self._console.print(preparing, highlight=False, soft_wrap=True)
        else:
            self._live.start()
            self._live.update(Text(preparing, style="dim"), refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        self._lines.end_reach()

    def on_first_tick(self, record: TickRecord) -> None:
        """Take note of a tick of the same reaches without adaptation, which come first."""
        before = "first the same reaches without adaptation"
        if not self._first.n_ticks:
            self._say_line(f"{self._title}: {before}")
        self._first.on_tick(record)
        if self._due():
            grid = self._grid(self._first)
            grid.add_row(f"{before}, {self._first.left()}", style="dim")
            self._show(grid)

    def on_tick(self, record: TickRecord) -> None:
        """Take note of a tick; now and then, show it."""
        self._lines.on_tick(record)
        self._misses += record.deadline_missed
        if self._due():
            self._show(self._panel(record))

    def _due(self) -> bool:
        """Whether a terminal was last drawn so long ago that it should be again."""
        return self._live is not None and time.monotonic() - self._shown_s > _REFRESH_S

    def _show(self, what: Table) -> None:
        if self._live is not None:
            self._shown_s = time.monotonic()
            self._live.update(Panel(what, title=self._title, expand=False), refresh=True)

    def _say_line(self, line: str) -> None:
        if self._live is None:
            self._console.print(line, highlight=False)

    def _grid(self, lines: ReachLines) -> Table:
        """What any panel begins with."""
        grid = Table.grid()
        grid.add_row(ProgressBar(total=self._config.n_ticks, completed=lines.n_ticks, width=60))
        return grid

    def _panel(self, record: TickRecord) -> Table:
        command, lines = record.command, self._lines
        grid = self._grid(lines)
        grid.add_row(
            f"t {record.state.t_s:6.2f} s   reach {lines.reach + 1}/{self._config.n_trials}   "
            f"tick {1e3 * record.latency_tick_s:.3f} ms   {self._misses} deadlines missed   {lines.left()}"
        )
        if self._config.controller in NETWORKED:
            grid.add_row(
                f"{command.counts.spikes:4.0f} spikes   "
                f"{si(command.cost.total_j, 'J')} in this tick by the bottom-up model"
            )
        grid.add_row(error_bars(lines.rmse_m[-12:], first=max(0, len(lines.rmse_m) - 12)))
        return grid


def _silent(line: str) -> None:
    """What is followed to know how long it will take, and not line by line."""


def error_bars(rmse_m: list[float], without_m: list[float] | None = None, *, first: int = 0) -> Text:
    """Tracking error per reach as bars, behind them that without adaptation; ``first`` is left out before."""
    text = Text()
    worst = max([*rmse_m, *(without_m or []), 1e-9])
    for i, error in enumerate(rmse_m):
        n = round(_WORST_BAR * error / worst)
        text.append(f"  reach {first + i + 1:3d} ")
        text.append("█" * n, style="cyan")
        if without_m is None or i >= len(without_m):
            text.append(f" {mm(error)}\n")
            continue
        behind = max(0, round(_WORST_BAR * without_m[i] / worst) - n)
        text.append("░" * behind + " " * (_WORST_BAR - n - behind), style="dim")
        text.append(f" {mm(error):>{_MM}}")
        text.append(f" {mm(without_m[i]):>{_MM}}\n", style="dim")
    text.rstrip()
    return text


def say(text: str, style: str = "") -> None:
    """One line for people, never wrapped or coloured by what it contains."""
    console.print(text, style=style, highlight=False, soft_wrap=True)


def show_summary(summary: dict[str, Any]) -> None:
    """The table at the end of a run."""
    without = _without(summary)
    if summary["rmse_m_by_trial"]:
        console.print(error_bars(summary["rmse_m_by_trial"], without))
    if without is not None:
        legend = "  █ with adaptation   ░ the same reaches without"
        console.print(f"{legend:<{_BEFORE_BAR + _WORST_BAR}} {'with':>{_MM}} {'without':>{_MM}}", style="dim")
    table = Table("", Column(overflow="fold"), show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in _rows(summary):
        table.add_row(name, value)
    console.print(table)
    say(f"run folder: {summary['run_dir']}")


def _rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    latency, stages = summary["latency_measured_s"], summary["latency_stages_s"]
    rows = [
        ("tracking error", _tracking(summary)),
        *_without_rows(summary),
        ("tick, measured here", _times(latency)),
        ("  median by stage", _times({name: stages[name] for name in _stages(summary)})),
        ("deadlines missed", _missed(summary)),
    ]
    if summary["lead_in_ticks"]:
        rows.append(("way to the path", f"{summary['lead_in_ticks']} ticks that belong to no reach"))
    if summary["saturated_ticks"]:
        rows.append(("torque limit reached", f"in {summary['saturated_ticks']} ticks"))
    if summary["lagging_ticks"]:
        stood_still = ": the network does not learn in them" if summary["controller"] == "adaptive" else ""
        rows.append(("torque lagged behind", f"in {summary['lagging_ticks']} ticks{stood_still}"))
    if summary["fallback_ticks"]:
        rows.append(
            ("network's output not used", f"in {summary['fallback_ticks']} ticks: stale or not finite")
        )
    if summary["unrecorded_ticks"]:
        rows.append(("not recorded", f"{summary['unrecorded_ticks']} ticks: is the disk full?"))
    if summary["controller"] in NETWORKED:
        rows += _substrate_rows(summary)
    measured = summary["energy_measured_j_per_tick"]
    rows.append(("energy, measured", "no meter" if measured is None else f"{si(measured, 'J')} per tick"))
    return rows


def _tracking(summary: dict[str, Any]) -> str:
    if summary["rmse_m"] is None:
        return "none: it ended before the first reach"
    return f"{mm(summary['rmse_m'])} rms over {summary['reach_ticks']} ticks"


def _without_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """The same reaches without adaptation, where they were run; what counts is what is left at the end."""
    with_m, without_m = summary["rmse_m_by_trial"], _without(summary)
    if without_m is None:
        return []
    late_m, without_late_m = late_rms_m(with_m), late_rms_m(without_m[: len(with_m)])
    last = last_reaches([n_late(with_m)])
    return [
        (f"  {last}", f"{mm(late_m)} with adaptation"),
        ("  the same without", f"{mm(without_late_m)}{times_as_much(without_late_m, late_m)}"),
    ]


def _without(summary: dict[str, Any]) -> list[float] | None:
    """Errors without adaptation; None if there are none, or only part of a reach to compare with them."""
    return summary.get("rmse_m_by_trial_without_adaptation") if summary["reaches_done"] else None


def _stages(summary: dict[str, Any]) -> list[str]:
    """The stages of a tick, the network's only where there is one."""
    networked = summary["controller"] in NETWORKED
    return [stage for stage in summary["latency_stages_s"] if networked or stage != "network"]


def _times(times_s: dict[str, float | None]) -> str:
    """Named times, the unit once: a line of the terminal breaks between two of them, and nowhere else."""
    return ", ".join(f"{name} {ms(value).removesuffix(' ms')}" for name, value in times_s.items()) + " ms"


def _missed(summary: dict[str, Any]) -> str:
    """How many ticks were late, and what may be to blame."""
    counted = f"{summary['deadline_misses']} of {summary['n_ticks']}"
    return f"{counted}; {WHY_LATE} (`spikearm doctor`)" if summary["deadline_misses"] else counted


def _substrate_rows(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """What the network's substrate did, and what it would have cost."""
    model = summary["energy_model_j_per_tick"]
    spent = {energy_term(term): joules for term, joules in model.items() if term != "total" and joules}
    terms = ", ".join(f"{term} {si(joules, 'J')}" for term, joules in spent.items())
    latency_s, chip_j = summary["latency_model_s_mean"], summary["energy_chip_j_per_tick"]
    limits = [
        (name, f"{summary[key]:.3g} per tick: {remedy}")
        for name, key, remedy in _CHIP_LIMITS
        if summary[key] > 0
    ]
    same_j = summary["energy_model_of_chip_scope_j_per_tick"]
    ratio = f" ({chip_j / same_j:.3g} times the bottom-up model of the same)" if chip_j and same_j else ""
    fill = summary["utilisation"]
    return [
        *([] if fill is None else [("substrate in use", fill)]),
        ("spikes per tick", f"{summary['spikes_per_tick']:.1f}"),
        ("synaptic operations", f"{summary['synaptic_ops_per_tick']:.0f} per tick, by spikes"),
        *limits,
        (
            "latency, modelled",
            "not modelled for this substrate" if latency_s is None else si(latency_s, "s"),
        ),
        ("energy, bottom-up model", f"{si(model['total'], 'J')} per tick: {terms}"),
        (
            "energy, chip-anchored",
            "no chip figure" if chip_j is None else f"{si(chip_j, 'J')} per tick{ratio}",
        ),
        ("  what the chip figure is", (summary["energy_chip_scope"] or "-").rstrip(".")),
    ]
