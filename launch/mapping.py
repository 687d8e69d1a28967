"""Frozen dataclasses from and to plain mappings (TOML, JSON), with errors that name key and fix."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.devices import DEVICES, make_device, name_of

T = TypeVar("T")


def to_mapping(config: Any) -> dict[str, Any]:
    """A dataclass as nested dictionaries of plain values; paths become strings.

    A field that is None and would be so by default is left out: it was not asked for.
    """
    values = ((field, getattr(config, field.name)) for field in dataclasses.fields(config))
    return {f.name: _plain(value) for f, value in values if value is not None or f.default is not None}


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
    changes: dict[str, Any] = {}
    for key, value in mapping.items():
        if key not in known:
            meant = [*known, *_keys_below(base, key)]
            raise UnknownNameError("key", where + key, [where + name for name in meant])
        current = getattr(base, key)
        if isinstance(current, Device):
            changes[key] = _device(current, value, where + key)
        elif dataclasses.is_dataclass(current) and isinstance(value, Mapping):
            changes[key] = from_mapping(current, value, where=f"{where}{key}.")
        else:
            changes[key] = _convert(value, hints[key], where + key)
    return dataclasses.replace(base, **changes)  # type: ignore[type-var]


def _device(current: Device, value: Any, key: str) -> Device:
    """A crossbar device: a name, or a table of changes to the device named under ``base``."""
    if isinstance(value, str):
        return make_device(value)
    if not isinstance(value, Mapping):
        raise ConfigError(f"{key} = {value!r} is neither a device's name nor a table of its parameters.")
    changes = dict(value)
    base = changes.pop("base", None)
    if base is not None and not isinstance(base, str):
        raise ConfigError(f"{key}.base = {base!r} is not of type str.")
    device: Device = current if base is None else make_device(base)
    return from_mapping(device, changes, where=f"{key}.")


def device_mapping(device: Device) -> Any:
    """A device as :func:`from_mapping` takes it: its name, or one of its kind and all its parameters."""
    name = name_of(device)
    if name is not None:
        return name
    base = next((name for name, known in DEVICES.items() if type(known) is type(device)), None)
    if base is None:
        raise ConfigError(
            f"a device of type {type(device).__name__}, none of the known kinds, cannot be written down; "
            "use it from Python, outside of runs."
        )
    return {"base": base, **to_mapping(device)}


def _keys_below(config: Any, key: str) -> list[str]:
    """Where a key is to be found that was given one or more levels too high."""
    found = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, Device):
            here = [key] if key in {f.name for f in dataclasses.fields(value)} else []
            found += [f"{field.name}.{name}" for name in (*here, *_keys_below(value, key))]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Device):
        return device_mapping(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(v) for key, v in value.items()}
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
    if get_origin(hint) is Mapping or hint is Any:
        return _convert_free(value, hint, key)
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


def _convert_free(value: Any, hint: Any, key: str) -> Any:
    """Tables whose keys are free, and values of any type; a table with a ``base`` is a device."""
    if not isinstance(value, Mapping):
        if hint is Any:
            return value
        raise ConfigError(f"{key} = {value!r} is no table.")
    if hint is Any:
        return _device(make_device("pcm"), value, key) if "base" in value else dict(value)
    return {name: _convert(v, get_args(hint)[1], f"{key}.{name}") for name, v in value.items()}


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
