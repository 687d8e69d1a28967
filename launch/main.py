"""``spikearm``: finds the command and hands over to its module."""

from __future__ import annotations

import importlib
import shutil
import sys
import textwrap
from collections.abc import Sequence

from spikearm.errors import UnknownNameError
from spikearm.launch.exit_codes import BAD_ARGUMENTS, DONE, FAILED
from spikearm.version import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run_command", "one closed-loop run (works with no argument)"),
    "compare": ("compare_command", "the same run with every controller and substrate"),
    "benchmark adaptive-payload": (
        "benchmark.adaptive_payload_command",
        "reaching under an unknown load, as published",
    ),
    "benchmark center-out": (
        "benchmark.center_out_command",
        "centre-out reaching with orientation, as published",
    ),
    "train encoder": ("train_encoder", "train an arm's state encoder from scratch"),
    "train osc": ("train_osc", "train an arm's spiking controller from scratch"),
    "report": ("report.command", "one HTML page about a run, or several side by side"),
    "video": ("video", "a run as a film, drawn without a display"),
    "robot look": ("robot_look", "what a real arm says before it gets any torque"),
    "robot serve": ("robot_serve", "an arm behind the wire protocol, simulated or real"),
    "robot key": ("robot_key", "a new key for a link between two machines"),
    "backend serve": ("backend_serve", "the network of a run, for a loop elsewhere"),
    "hardware run": ("hardware_command", "the controller, driving an arm across the wire"),
    "logs recover": ("logs_recover", "read what a killed run left"),
    "logs export": ("logs_export", "a run as Parquet, CSV, MCAP, or NeuroBench metrics"),
    "doctor": ("doctor", "what of this machine helps or hurts, and remedies"),
    "completion": ("completion", "completion of commands for bash, zsh or fish"),
}
"""Module and one line of help of each command; modules are imported when they are asked for."""


_HELP = {"-h", "--help"}
_ABOUT = "A robot arm and a spiking controller that learns while it moves. To begin with:"
_FIRST = (
    "  spikearm run       ten reaches under a weight the controller does not know of",
    "  spikearm report    what happened, as a page for the browser",
    "",
)
_WIDEST = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script; returns the exit code."""
    try:
        return _hand_over(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # while a command is imported, for a second or two; then it has its own words
        print("interrupted.", file=sys.stderr)
        return FAILED


def _hand_over(words: list[str]) -> int:
    for name, (module, _) in COMMANDS.items():
        parts = name.split()
        if words[: len(parts)] == parts:
            command = importlib.import_module(f"spikearm.launch.{module}")
            code: int = command.main(words[len(parts) :])
            return code
    if not words or words[0] in _HELP:
        print(_overview())
        return DONE
    if words and words[0] == "--version":
        print(f"spikearm {__version__}")
        return DONE
    if words and any(name.startswith(words[0] + " ") for name in COMMANDS) and set(words[1:]) <= _HELP:
        print(_overview(words[0] + " "), file=sys.stdout if words[1:] else sys.stderr)
        return DONE if words[1:] else BAD_ARGUMENTS
    named = " ".join(word for word in words[:2] if not word.startswith("-"))
    print(f"UnknownNameError: {UnknownNameError('command', named or words[0], COMMANDS)}", file=sys.stderr)
    print("`spikearm` alone says what each of them does.", file=sys.stderr)
    return BAD_ARGUMENTS


def _overview(group: str = "") -> str:
    """All commands, or those of one group."""
    columns = min(_WIDEST, shutil.get_terminal_size().columns)
    names = max(map(len, COMMANDS)) + 4
    lines = [] if group else [*textwrap.wrap(_ABOUT, columns), *_FIRST]
    lines.append(f"usage: spikearm {group}COMMAND [OPTIONS]")
    for name, (_, help_) in COMMANDS.items():
        if name.startswith(group):
            about = textwrap.wrap(help_, max(_WIDEST // 4, columns - names), break_on_hyphens=False)
            lines.append(f"  {name}".ljust(names) + about[0])
            lines += [" " * names + more for more in about[1:]]
    return "\n".join([*lines, f"`spikearm {group}COMMAND --help` explains the options, with an example."])


if __name__ == "__main__":
    sys.exit(main())
