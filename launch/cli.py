"""What all commands share: parsing, the JSON document on stdout, errors on stderr, exit codes."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tyro

from spikearm.errors import (
    AddressError,
    CapacityError,
    ConfigError,
    ModelError,
    SpikearmError,
    TimeStepError,
    UnknownNameError,
    WeightsError,
)
from spikearm.launch.display import console
from spikearm.launch.option_types import option_types

T = TypeVar("T")

DONE, FAILED, BAD_ARGUMENTS = 0, 1, 2

_ARGUMENT_ERRORS = (
    AddressError,
    CapacityError,
    ConfigError,
    ModelError,
    TimeStepError,
    UnknownNameError,
    WeightsError,
)


def parse(command: type[T], argv: Sequence[str], *, prog: str, default: T | None = None) -> T:
    """The command's dataclass from its arguments; exits with code 2 and an explanation if they are bad."""
    parsed: T = tyro.cli(  # type: ignore[assignment]
        command,
        args=list(argv),
        prog=prog,
        default=default,
        config=(tyro.conf.FlagCreatePairsOff,),
        registry=option_types(),
    )
    return parsed


def option(argv: Sequence[str], name: str) -> str | None:
    """Value of an option that has to be known before the others can be parsed."""
    for i, word in enumerate(argv):
        if word == name and i + 1 < len(argv):
            return argv[i + 1]
        if word.startswith(name + "="):
            return word.removeprefix(name + "=")
    return None


def guarded(work: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """Run a command; errors that have an explanation give it, on one line, instead of a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        return work(argv)
    except SpikearmError as error:
        _complain(f"{type(error).__name__}: {error}")
        return BAD_ARGUMENTS if isinstance(error, _ARGUMENT_ERRORS) else FAILED
    except OSError as error:
        _complain(
            f"{error.filename or 'output'}: {error.strerror or error}; is the disk full, or not writable?"
        )
        return FAILED
    except KeyboardInterrupt:
        _complain("interrupted.")
        return FAILED


def print_json(document: dict[str, Any]) -> None:
    """The one document on stdout."""
    print(json.dumps(document, indent=2, allow_nan=False))


def _complain(message: str) -> None:
    console.print(message, style="red", highlight=False, soft_wrap=True)
