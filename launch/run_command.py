"""The command ``spikearm run``."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from spikearm.launch.cli import guarded, option, parse, print_json
from spikearm.launch.config import RunConfig, load_config
from spikearm.launch.display import LivePanel, console, say, show_summary
from spikearm.launch.exit_codes import DONE, FAILED
from spikearm.launch.figures import draw_figures
from spikearm.launch.report.command import REPORT_NAME, write_report
from spikearm.launch.run import Finished, execute
from spikearm.launch.run_folder import WITHOUT_ADAPTATION
from spikearm.launch.utilisation_table import show_utilisation
from spikearm.launch.video import record_video, require_encoder
from spikearm.launch.view import OnTick, view

_COMMON = (
    "backend",
    "arm",
    "controller",
    "payload_kg",
    "trials",
    "duration_s",
    "seed",
    "control_dt_s",
    "config",
    "report",
    "view",
    "video",
    "out",
    "json",
    "realtime",
    "name",
)


@dataclass(frozen=True)
class RunCommand:
    """One closed-loop run: an arm reaches out and back under a load its controller knows nothing of.

    Attributes:
        run: The run itself.
        config: Ready-made experiment, TOML file, or a run.json. Options on the command line come on top.
        report: Write the run's page, report.html in its folder, too.
        view: Watch the arm, in real time: in a window on Linux with a display, in a browser elsewhere.
        video: Draw the finished run as a film, into this file.
        json: Print the summary as one JSON document on stdout.
    """

    run: Annotated[RunConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=RunConfig)
    config: str | None = None
    report: bool = False
    view: bool = False
    video: Path | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_run, argv)


def _run(argv: Sequence[str]) -> int:
    command = parse(
        RunCommand,
        argv,
        prog="spikearm run",
        default=RunCommand(run=base_config(argv)),
        examples=(
            "spikearm run",
            "spikearm run --backend loihi --payload-kg 1.5 --trials 5",
            "spikearm run --config payload-crossbar --report",
        ),
        common=_COMMON,
    )
    config = dataclasses.replace(command.run, realtime=True) if command.view else command.run
    if command.video is not None:
        require_encoder(command.video, "--video")
    with (
        LivePanel(config, f"{config.controller} on {config.arm}") as panel,
        _watch(command, panel) as on_tick,
    ):
        finished = execute(config, on_tick=on_tick, on_first_tick=panel.on_first_tick)
    show_summary(finished.summary)
    if finished.summary["utilisation"] is not None:
        show_utilisation(json.loads((finished.folder / "utilisation.json").read_text(encoding="utf-8")))
    if command.json:
        print_json(finished.summary)
    _draw(command, finished)
    if finished.summary["interrupted"]:
        say(_interrupted(finished), "yellow")
        return FAILED
    return DONE


def _interrupted(finished: Finished) -> str:
    """When it was: the first half of an adaptive run has no network yet."""
    first = finished.folder.name == WITHOUT_ADAPTATION
    when = " in the reaches without adaptation, which come first" if first else ""
    return f"interrupted{when}; the ticks until then are in the run folder."


def _watch(command: RunCommand, panel: LivePanel) -> AbstractContextManager[OnTick]:
    return view(command.run, panel.on_tick) if command.view else nullcontext(panel.on_tick)


def _draw(command: RunCommand, finished: Finished) -> None:
    """What is made of the log when the run is over; the last line says what to do next."""
    folder = finished.folder
    drawn = [("figure", path) for path in draw_figures(folder, finished.summary)]
    if command.report:
        drawn.append(("report", write_report([folder], folder / REPORT_NAME)))
    if command.video is not None:
        # Last: where nothing can draw, the run has all the rest.
        record_video(folder, command.video)
        drawn.append(("video", command.video))
    for kind, path in drawn:
        console.print(f"{kind}: {path}", highlight=False, soft_wrap=True)
    if not command.report:
        console.print(f"next: spikearm report {folder}", highlight=False, soft_wrap=True)


def base_config(argv: Sequence[str]) -> RunConfig:
    """Defaults of the options: those of ``--config``, if given."""
    name = option(argv, "--config")
    return RunConfig() if name is None else load_config(name, RunConfig())


if __name__ == "__main__":
    sys.exit(main())
