"""The command ``spikearm run``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from spikearm.launch.cli import DONE, FAILED, guarded, option, parse, print_json
from spikearm.launch.config import RunConfig, load_config
from spikearm.launch.display import LivePanel, console, show_summary
from spikearm.launch.figures import draw_figures
from spikearm.launch.run import execute
from spikearm.launch.utilisation_table import show_utilisation


@dataclass(frozen=True)
class RunCommand:
    """One closed-loop run: an arm reaches out and back under a load its controller knows nothing of.

    Attributes:
        run: The run itself.
        config: Start from a ready-made experiment (by name), a TOML file, or another run's run.json;
            options on the command line come on top.
        json: Print the summary as one JSON document on stdout.
    """

    run: Annotated[RunConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=RunConfig)
    config: str | None = None
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_run, sys.argv[1:] if argv is None else argv)


def _run(argv: Sequence[str]) -> int:
    command = parse(RunCommand, argv, prog="spikearm run", default=RunCommand(run=base_config(argv)))
    config = command.run
    with LivePanel(config, f"{config.controller} on {config.arm}") as panel:
        finished = execute(config, on_tick=panel.on_tick)
    show_summary(finished.summary)
    if finished.summary["utilisation"] is not None:
        show_utilisation(json.loads((finished.folder / "utilisation.json").read_text(encoding="utf-8")))
    for path in draw_figures(finished.folder, finished.summary):
        console.print(f"figure: {path}", highlight=False, soft_wrap=True)
    if command.json:
        print_json(finished.summary)
    if finished.summary["interrupted"]:
        console.print("interrupted; the ticks until then are in the run folder.", style="yellow")
        return FAILED
    return DONE


def base_config(argv: Sequence[str]) -> RunConfig:
    """Defaults of the options: those of ``--config``, if given."""
    name = option(argv, "--config")
    return RunConfig() if name is None else load_config(name, RunConfig())


if __name__ == "__main__":
    sys.exit(main())
