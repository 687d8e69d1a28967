"""Settings of a robot's own, from the command line to LeRobot's record of that kind of robot."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

from spikearm.errors import ConfigError
from spikearm.hardware.adapters.lerobot_config import LeRobotConfig

_OURS = ("id",)
"""Fields that have an option of their own."""


def settings_of(kind: type, settings: LeRobotConfig) -> Any:
    """The record of a kind of robot, filled in from ``NAME=VALUE``.

    A value is text where the field is, and a TOML value otherwise, or text if it is none.

    Args:
        kind: Dataclass that LeRobot registers for this robot.
        settings: What was given.

    Raises:
        ConfigError: A setting is none of this robot's, one that it needs is missing, or it refuses one.
    """
    own = {f.name: f for f in dataclasses.fields(kind) if f.init and f.name not in _OURS}
    given = dict(_pair(text) for text in settings.lerobot_set)
    robot, needed = f"robot {settings.lerobot_robot!r}", [n for n, f in own.items() if _is_needed(f)]
    has = f"it has {', '.join(own) or 'none'}" + (f", and needs {', '.join(needed)}" if needed else "")
    if unknown := [name for name in given if name not in own]:
        raise ConfigError(f"{robot} has no setting {', '.join(map(repr, unknown))}; {has}.")
    if missing := [name for name in needed if name not in given]:
        words = " ".join(f"{name}=VALUE" for name in missing)
        raise ConfigError(f"{robot} needs {', '.join(missing)}: give --lerobot-set {words}; {has}.")
    values = {name: _value(own[name], text) for name, text in given.items()}
    try:
        return kind(id=settings.lerobot_id, **values)
    except (TypeError, ValueError) as error:  # its makers' own checks
        raise ConfigError(f"{robot} does not take these settings, {values}: {error}; {has}.") from error


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ConfigError(f"--lerobot-set takes NAME=VALUE, such as port=/dev/ttyUSB0; got {text!r}.")
    return name, value


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(field: dataclasses.Field[Any], text: str) -> Any:
    if field.type in (str, "str"):  # as it is, also if it looks like a number
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
