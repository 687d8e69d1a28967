"""The command ``spikearm robot key``: a new key for a link between two machines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from spikearm.hardware.link.key import make_key_file
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.display import console
from spikearm.launch.exit_codes import DONE


@dataclass(frozen=True)
class RobotKeyCommand:
    """Write a new random 32-byte key, readable by its owner only; copy it to the other end by a safe way.

    Attributes:
        file: The file; it must not exist.
        json: Print where it is as one JSON document on stdout.
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    json: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_make, argv)


def _make(argv: Sequence[str]) -> int:
    command = parse(
        RobotKeyCommand, argv, prog="spikearm robot key", examples=("spikearm robot key link.key",)
    )
    make_key_file(command.file)
    console.print(f"key: {command.file} (mode 0600)", highlight=False, soft_wrap=True)
    if command.json:
        print_json({"key_file": str(command.file)})
    return DONE


if __name__ == "__main__":
    sys.exit(main())
