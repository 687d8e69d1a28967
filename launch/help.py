"""``--help``: the options of a command, from the same dataclasses that are its arguments and its files.

The short help has the options that most people want and fits a screen, of 24 lines, too; ``--help-all``
has every one.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import shutil
import textwrap
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro

from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.devices import DEVICES
from spikearm.launch.mapping import device_mapping

SHORT, ALL = ("-h", "--help"), "--help-all"
_WIDEST = 100
_INDENT = 26
_BRIEF_EXAMPLES = 2
_POSITIONAL = get_args(tyro.conf.Positional[str])[1]
_NAMES = {str: "NAME", int: "N", float: "X", Path: "PATH"}


@dataclasses.dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        field: Name of the dataclass' field.
        metavar: What its value looks like; empty for a switch.
        about: What it does.
        default: What it is if it is not given; empty if it has to be given, or if nothing is meant.
        positional: Whether it is given without its name.
        switches_off: Whether it is a switch that is on unless this is given.
        required: Whether it has to be given, by its name.
    """

    field: str
    metavar: str
    about: str
    default: str
    positional: bool = False
    switches_off: bool = False
    required: bool = False

    @property
    def flag(self) -> str:
        """What is typed, with a sketch of the value."""
        if self.positional:
            return self.metavar
        name = ("--no-" if self.switches_off else "--") + self.field.replace("_", "-")
        return f"{name} {self.metavar}".rstrip()


@dataclasses.dataclass(frozen=True)
class Group:
    """Options that belong together.

    Attributes:
        title: What they are about; empty for those of the command itself.
        options: The options.
    """

    title: str
    options: tuple[Option, ...]


def short_help(
    command: Any, *, prog: str, examples: Sequence[str] = (), common: Sequence[str] | None = None
) -> str:
    """What ``--help`` prints: the options that most people want, on one screen of any height.

    Args:
        command: An instance of the command's dataclass, or the class itself if something has to be given.
        prog: How the command is called.
        examples: Lines to try, the best first.
        common: Fields to show, the most wanted first; None shows all, in groups.
    """
    whole = help_text(command, prog=prog, examples=examples, common=common)
    n_lines = shutil.get_terminal_size().lines - 1  # the prompt takes one
    if len(whole.splitlines()) <= n_lines:
        return whole
    known = {option.field: option for group in option_groups(command) for option in group.options}
    options = list(known.values()) if common is None else [known[field] for field in common]
    lines = [_usage(command, prog), *_wrapped(_summary(command)), ""]
    lines += ["examples:", *(f"  {example}" for example in examples[:_BRIEF_EXAMPLES]), "options:"]
    n_shown = max(1, n_lines - len(lines) - 1)
    lines += [_brief(option) for option in options[:n_shown]]
    return "\n".join([*lines, f"`{prog} {ALL}` has every option, in full."])


def help_text(
    command: Any, *, prog: str, examples: Sequence[str] = (), common: Sequence[str] | None = None
) -> str:
    """What ``--help-all`` prints.

    Args:
        command: An instance of the command's dataclass, or the class itself if something has to be given.
        prog: How the command is called.
        examples: Lines to try.
        common: Fields to show, in this order; None shows all, in groups.
    """
    groups = option_groups(command)
    lines = [_usage(command, prog), "", *_wrapped(_summary(command))]
    if examples:
        lines += ["", "examples:", *(f"  {example}" for example in examples)]
    if common is not None:
        known = {option.field: option for group in groups for option in group.options}
        groups = [Group("", tuple(known[field] for field in common))]
    for group in groups:
        lines += ["", f"{group.title or 'options'}:", *(line for o in group.options for line in _option(o))]
    if common is not None:
        lines += ["", f"`{prog} {ALL}` shows every option."]
    return "\n".join(lines)


def _usage(command: Any, prog: str) -> str:
    """The command with what has to be given, and with what may be given without its name."""
    options = [option for group in option_groups(command) for option in group.options]
    words = [o.flag for o in options if o.positional] + [o.flag for o in options if o.required]
    return " ".join(["usage:", prog, *words, "[OPTIONS]"])


def option_groups(command: Any) -> list[Group]:
    """All options, those of the command itself first, then one group per nested dataclass.

    A nested dataclass that the command's ``HIDDEN`` names is left out: its values come from a file only.
    """
    return _groups(command, ())


def _groups(command: Any, hidden: tuple[str, ...]) -> list[Group]:
    kind = command if isinstance(command, type) else type(command)
    hidden = (*hidden, *getattr(kind, "HIDDEN", ()))
    about, hints = _attributes(kind), get_type_hints(kind, include_extras=True)
    own: list[Option] = []
    nested: list[Group] = []
    for field in dataclasses.fields(kind):
        value = _default(command, field)
        if dataclasses.is_dataclass(value) and not isinstance(value, Device | type):
            if field.name in hidden:
                continue
            first, *others = _groups(value, hidden)
            nested += [Group(plain(about[field.name]).rstrip("."), first.options), *others]
        else:
            own.append(_make_option(field.name, hints[field.name], about[field.name], value))
    return [Group("", tuple(own)), *nested]


def plain(text: str) -> str:
    """Docstring markup as plain text."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"\1", text)
    return " ".join(text.replace("``", "").split())


def _default(command: Any, field: dataclasses.Field[Any]) -> Any:
    if not isinstance(command, type):
        return getattr(command, field.name)
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _make_option(name: str, hint: Any, about: str, value: Any) -> Option:
    positional = get_origin(hint) is Annotated and _POSITIONAL in get_args(hint)
    metavar = _positional(name, hint, value) if positional else _metavar(hint)
    required = value is dataclasses.MISSING and not positional
    return Option(name, metavar, plain(about), _shown(value), positional, value is True, required)


def _positional(name: str, hint: Any, value: Any) -> str:
    """Capitals; in brackets if it may be left out, with dots if there may be several."""
    repeated = f"{name.upper()} ..." if Ellipsis in get_args(get_args(hint)[0]) else name.upper()
    return repeated if value is dataclasses.MISSING else f"[{repeated}]"


def _metavar(hint: Any) -> str:
    """What a value of this type looks like."""
    origin, args = get_origin(hint), [arg for arg in get_args(hint) if arg is not types.NoneType]
    if hint is bool:
        return ""
    if hint is Device:
        return "{" + ",".join(DEVICES) + "}"
    if origin is Literal:
        return "{" + ",".join(map(str, args)) + "}"
    if origin in (Annotated, Union, types.UnionType):
        return _metavar(args[0])
    if origin is tuple:
        return f"{_metavar(args[0])} ..." if Ellipsis in args else " ".join(map(_metavar, args))
    return _NAMES.get(hint, "JSON")


def _shown(value: Any) -> str:
    """A default as it would be typed; nothing where it says nothing."""
    if value is None or value is dataclasses.MISSING or isinstance(value, bool) or value in ("", ()):
        return ""
    if isinstance(value, Device):
        named = device_mapping(value)
        return named if isinstance(named, str) else "of the configuration"
    if isinstance(value, tuple):
        return " ".join(map(_shown, value))
    return json.dumps(value) if isinstance(value, Mapping) else str(value)


def _attributes(kind: type) -> dict[str, str]:
    """What the docstring says about each attribute."""
    doc = inspect.getdoc(kind) or ""
    _, _, attributes = doc.partition("Attributes:\n")
    found = re.findall(r"^ {4}(\w+): (.*?)(?=^ {4}\w+: |\n\n|\Z)", attributes, re.DOTALL | re.MULTILINE)
    return dict(found)


def _summary(command: Any) -> str:
    kind = command if isinstance(command, type) else type(command)
    return plain((inspect.getdoc(kind) or "").split("\n\n")[0])


def _option(option: Option) -> list[str]:
    about = option.about + (f" [{option.default}]" if option.default else "")
    flag = f"  {option.flag}"
    body = textwrap.wrap(about, _width() - _INDENT, break_on_hyphens=False)
    if len(flag) + 2 > _INDENT:
        return [flag, *(" " * _INDENT + line for line in body)]
    return [flag.ljust(_INDENT) + body[0], *(" " * _INDENT + line for line in body[1:])]


def _brief(option: Option) -> str:
    """An option on one line, with as much of what it does as is a whole statement and fits."""
    flag = f"  {option.flag}".ljust(_INDENT - 2) + "  "
    default = f" [{option.default}]" if option.default else ""
    about = statement(option.about, _width() - len(flag) - len(default))
    return (flag + (about + default).strip()).rstrip()


def statement(about: str, room: int) -> str:
    """The longest beginning of a text that is a whole statement and fits; nothing if none does.

    Statements end where a sentence does, before an explanation (after a colon, or in brackets), or before
    what a semicolon sets apart. They end neither in an abbreviation nor in "of".

    Args:
        about: The text.
        room: Columns.
    """
    if len(about) <= room:
        return about
    ends = [match.start() for match in re.finditer(r"(?<!\.[a-z])[.;:] | \(", about)]
    whole = [
        part
        for part in (about[:end] for end in ends)
        if part.count("(") == part.count(")") and not part.endswith(" of")
    ]
    return max((f"{part}." for part in whole if len(part) < room), key=len, default="")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _width(), break_on_hyphens=False)


def _width() -> int:
    """Columns to fill: those of the terminal, within reason."""
    return max(60, min(_WIDEST, shutil.get_terminal_size().columns))
