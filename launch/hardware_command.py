"""The command ``spikearm hardware run``: the controller, driving an arm across the wire."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import tyro

from spikearm.errors import ConfigError
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.config import RunConfig
from spikearm.launch.display import ReachLines, say, show_summary
from spikearm.launch.exit_codes import DONE, FAILED
from spikearm.launch.figures import draw_figures
from spikearm.launch.hardware_run import LinkConfig, execute_on_robot
from spikearm.launch.link_words import link_rows, stop_words
from spikearm.launch.realtime import prioritised
from spikearm.launch.run_command import base_config
from spikearm.launch.teller import Teller, tell_or_lose

_PRIORITY = 50
_COMMON = (
    "robot",
    "key_file",
    "monitor",
    "acknowledge_real_arm",
    "recover",
    "recoveries",
    "backend",
    "arm",
    "controller",
    "trials",
    "duration_s",
    "seed",
    "control_dt_s",
    "config",
    "out",
    "name",
    "json",
)


@dataclass(frozen=True)
class HardwareCommand:
    """One closed-loop run on an arm across the wire (see ``spikearm robot serve``), in a process of its own.

    Attributes:
        run: The run itself, as for ``spikearm run``.
        link: The robot.
        config: Ready-made experiment, TOML file, or a run.json. Options on the command line come on top.
        json: Print the summary as one JSON document on stdout.
    """

    HIDDEN: ClassVar = ("perturbation",)
    run: Annotated[RunConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=RunConfig)
    link: Annotated[LinkConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=LinkConfig)
    config: str | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_run, argv)


def _run(argv: Sequence[str]) -> int:
    default = HardwareCommand(run=base_config(argv))
    command = parse(
        HardwareCommand,
        argv,
        prog="spikearm hardware run",
        default=default,
        examples=(
            "spikearm hardware run --arm planar3 --trials 5",
            "spikearm hardware run --robot udp://192.0.2.7:47001 --key-file KEY --monitor",
            "spikearm hardware run --recover",
        ),
        common=_COMMON,
    )
    _require_nothing_of_the_robots(command.run, default.run)
    title = f"{command.run.controller} on {command.run.arm}"
    # A line per reach, by somebody else: a picture of the run, or a terminal that is full, would cost ticks.
    with Teller(tell_or_lose) as teller, prioritised(_PRIORITY) as notes:
        for note in notes:
            teller.tell(f"warning: {note}", "yellow")
        if command.link.monitor:
            teller.tell("only looking: nothing is commanded, errors are from the path to an arm that stays.")
        lines = ReachLines(command.run, title, teller.tell)
        summary, folder = execute_on_robot(command.run, command.link, tell=teller.tell, on_tick=lines.on_tick)
        lines.end_reach()
    show_summary(summary)
    show_link(summary["link"])
    for path in draw_figures(folder, summary):
        say(f"figure: {path}")
    say(f"next: spikearm report {folder}")
    if command.json:
        print_json(summary)
    if summary["link"]["ended"] != "done":
        say(_why_early(summary), "red")
        return FAILED
    return DONE


def _require_nothing_of_the_robots(run: RunConfig, base: RunConfig) -> None:
    """What an arm carries and suffers is decided where it is; from a file, it may be known here as well.

    Raises:
        ConfigError: It was given on this command line.
    """
    mine, its = run.perturbation, base.perturbation
    given = [f.name for f in dataclasses.fields(its) if getattr(mine, f.name) != getattr(its, f.name)]
    if given:
        option = "--" + given[0].replace("_", "-")
        raise ConfigError(
            f"{option} is the robot's, not this end's: give it to `spikearm robot serve {option} ...`. "
            "This end drives whatever the robot is."
        )


def _why_early(summary: dict[str, Any]) -> str:
    ended = summary["link"]["ended"]
    after = f"ended early, after {summary['n_ticks']} ticks: {ended}"
    return f"{after}; the arm is left to the robot's own hold" if ended == "interrupted" else after


def show_link(link: dict[str, Any]) -> None:
    """How the link did, in a few lines."""
    for name, value in link_rows(link).items():
        if value != "-":
            say(f"{name:<27}  {value}")
    for line in stop_words({**link, "stops": _survived(link)}):
        say(line, "yellow")


def _survived(link: dict[str, Any]) -> list[dict[str, Any]]:
    """The stops that are not told as the run's end: all but the last, if it was that."""
    stops: list[dict[str, Any]] = link["stops"]
    ended_it = bool(stops) and stops[-1]["why"] in link["ended"]
    return stops[:-1] if ended_it else stops


if __name__ == "__main__":
    sys.exit(main())
