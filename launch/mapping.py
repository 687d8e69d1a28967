"""Frozen dataclasses from and to plain mappings (TOML, JSON), with errors that name key and fix."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from spikearm.errors import ConfigError, UnknownNameError

T = TypeVar("T")


def to_mapping(config: Any) -> dict[str, Any]:
    """A dataclass as nested dictionaries of plain values; paths become strings."""
    return {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def from_mapping(base: T, mapping: Mapping[str, Any], *, where: str = "") -> T:
    """``base`` with the values of ``mapping`` in place of its own.

    Args:
        base: An instance of a frozen dataclass.
        mapping: Values by field name; nested mappings for nested dataclasses.
        where: Prefix of keys in messages.

    Raises:
        UnknownNameError: A key is no field.
        ConfigError: A value has the wrong type.
    """
    known = {f.name for f in dataclasses.fields(base)}  # type: ignore[arg-type]
    hints = get_type_hints(type(base))
    changes = {}
    for key, value in mapping.items():
        if key not in known:
            meant = [*known, *_keys_below(base, key)]
            raise UnknownNameError("key", where + key, [where + name for name in meant])
        current = getattr(base, key)
        if dataclasses.is_dataclass(current) and isinstance(value, Mapping):
            changes[key] = from_mapping(current, value, where=f"{where}{key}.")
        else:
            changes[key] = _convert(value, hints[key], where + key)
    return dataclasses.replace(base, **changes)  # type: ignore[type-var]


def _keys_below(config: Any, key: str) -> list[str]:
    """Where a key is to be found that was given one or more levels too high."""
    found = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            here = [key] if key in {f.name for f in dataclasses.fields(value)} else []
            found += [f"{field.name}.{name}" for name in (*here, *_keys_below(value, key))]
    return found


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_mapping(value)
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def _convert(value: Any, hint: Any, key: str) -> Any:
    """The value as the type the field asks for, or an error that says what it asks for."""
    if get_origin(hint) in (Union, types.UnionType):
        return _convert_union(value, get_args(hint), key)
    if get_origin(hint) is Annotated:
        return _convert(value, get_args(hint)[0], key)
    if get_origin(hint) is Literal and value in get_args(hint):
        return value
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        return _convert_tuple(value, get_args(hint), key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is types.NoneType and value is None:
        return None
    if isinstance(hint, type) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise ConfigError(f"{key} = {value!r} is not of type {_name(hint)}.")


def _convert_union(value: Any, options: tuple[Any, ...], key: str) -> Any:
    for option in options:
        try:
            return _convert(value, option, key)
        except ConfigError:
            continue
    raise ConfigError(f"{key} = {value!r} is not of type {' or '.join(map(_name, options))}.")


def _convert_tuple(value: list[Any] | tuple[Any, ...], items: tuple[Any, ...], key: str) -> tuple[Any, ...]:
    if len(items) == 2 and items[1] is Ellipsis:
        items = (items[0],) * len(value)
    if len(items) != len(value):
        raise ConfigError(f"{key} = {value!r} has {len(value)} values, needs {len(items)}.")
    return tuple(
        _convert(v, item, f"{key}[{i}]") for i, (v, item) in enumerate(zip(value, items, strict=True))
    )


def _name(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    return getattr(hint, "__name__", str(hint)) if get_origin(hint) is None else str(hint)
