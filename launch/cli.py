"""What all commands share: parsing, the JSON document on stdout, errors on stderr, exit codes."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tyro

from spikearm.errors import (
    AddressError,
    CapacityError,
    ConfigError,
    ModelError,
    RunFolderError,
    SpikearmError,
    TimeStepError,
    UnknownNameError,
    WeightsError,
)
from spikearm.launch.display import console
from spikearm.launch.exit_codes import BAD_ARGUMENTS, DONE, FAILED
from spikearm.launch.help import ALL, SHORT, help_text, short_help
from spikearm.launch.option_types import option_types
from spikearm.launch.subject import SubjectFormatter

T = TypeVar("T")

_ARGUMENT_ERRORS = (
    AddressError,
    CapacityError,
    ConfigError,
    ModelError,
    RunFolderError,
    TimeStepError,
    UnknownNameError,
    WeightsError,
)


def parse(
    command: type[T],
    argv: Sequence[str],
    *,
    prog: str,
    default: T | None = None,
    examples: Sequence[str] = (),
    common: Sequence[str] | None = None,
) -> T:
    """The command's dataclass from its arguments.

    Args:
        command: The dataclass.
        argv: The arguments.
        prog: How the command is called.
        default: Values of what is not given; None takes those of the dataclass.
        examples: Lines to try, for ``--help``.
        common: Fields that the short help shows; None shows all.

    Raises:
        ConfigError: The arguments cannot be used.
        SystemExit: Help was asked for, with code 0.
    """
    if ALL in argv or any(word in SHORT for word in argv):
        about = command if default is None else default
        if ALL in argv:
            print(help_text(about, prog=prog, examples=examples), flush=True)
        else:
            print(short_help(about, prog=prog, examples=examples, common=common), flush=True)
        sys.exit(DONE)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed: T = tyro.cli(  # type: ignore[assignment]
                command,
                args=list(argv),
                prog=prog,
                default=default,
                config=(tyro.conf.FlagCreatePairsOff,),
                registry=option_types(),
            )
    except SystemExit as ended:
        raise ConfigError(f"{_reason(said.getvalue())} `{prog} --help` explains the options.") from ended
    return parsed


_TYPES = {"INT": "a whole number", "FLOAT": "a number"}
_HOW_MANY = {2: "two", 3: "three"}


def _reason(box: str) -> str:
    """The parser's complaint, without its frame, as one sentence or two."""
    lines = [line.strip("│ ") for line in box.splitlines() if not line.startswith(("╭", "╰"))]
    parts: list[list[str]] = [[]]
    for line in lines:
        if line and not line.strip("─-"):
            parts.append([])
        else:
            parts[-1].append(line)
    # In a terminal without UTF-8 the title is a line, too, and not a part of the frame.
    first, *others = parts if box.startswith("╭") else parts[1:]
    if first and first[0].startswith("Missing from"):
        # Names stand on lines of their own: options, and capitals or choices of what has no name.
        named = [line.split()[0] for line in first[1:] if line.startswith(("--", "{")) or line.isupper()]
        return f"missing: {', '.join(named)}."
    reason = " ".join(" ".join(first).split("Got errors:")[0].split())
    wrong = re.match(r"Error parsing (--\S+): .*'([^']*)'\]?\.?$", reason)
    if wrong is not None:
        name, given = wrong.groups()
        usage = [line.split() for part in others for line in part if line.startswith(name + " ")]
        kind = _TYPES.get(usage[0][1].removeprefix("{None}|")) if usage else None
        if kind is not None:
            return f"{name} takes {kind}, not {given!r}."
    several = re.match(r"Error parsing (--\S+): .*?\['(.*?)'\]", reason)
    if several is not None and (words := _several(several[1], several[2], others)):
        return words
    missing = re.match(r"Missing value for argument '(\S+)'\. Expected 1 values\.", reason)
    if missing is not None:
        return f"{missing[1]} takes a value."
    reason = re.sub(r"^Error parsing [\w.-]+: ", "", reason)
    for part in others:
        meant = [line.split()[0] for line in part if line.startswith("--")]
        if part and part[0].startswith("Perhaps") and meant:
            reason = f"{reason}. Did you mean '{meant[0]}'?"
    return reason if reason.endswith(("?", ".")) else reason + "."


def _several(name: str, given: str, others: Sequence[Sequence[str]]) -> str:
    """What an option takes that takes several numbers; nothing if it is another one."""
    usage = [line.split()[1:] for part in others for line in part if line.startswith(name + " ")]
    kinds = usage[0] if usage else []
    shown = given.replace("', '", " ")
    if kinds and kinds[0].startswith("FLOAT|{"):
        return f"{name} takes a number, or one per joint, not '{shown}'."
    if kinds and set(kinds) <= set(_TYPES):
        n = _HOW_MANY.get(len(kinds), str(len(kinds)))
        return f"{name} takes {n} numbers, not '{shown}'."
    return ""


def option(argv: Sequence[str], name: str) -> str | None:
    """Value of an option that has to be known before the others can be parsed."""
    for i, word in enumerate(argv):
        if word == name and i + 1 < len(argv):
            return argv[i + 1]
        if word.startswith(name + "="):
            return word.removeprefix(name + "=")
    return None


def guarded(work: Callable[[Sequence[str]], int], argv: Sequence[str] | None) -> int:
    """Run a command; errors that have an explanation give it, on one line, instead of a traceback.

    Args:
        work: The command; takes its arguments and returns the exit code.
        argv: The arguments; None takes those of this process.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(SubjectFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    try:
        code = work(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()  # a reader who has left is noticed here, not when the interpreter ends
        return code
    except SpikearmError as error:
        _complain(" ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]))
        return BAD_ARGUMENTS if isinstance(error, _ARGUMENT_ERRORS) else FAILED
    except BrokenPipeError:
        # Who read the output has enough, as `head` has; what is left of it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
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
