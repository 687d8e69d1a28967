"""Options of the command line that are one word, whatever they stand for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_origin

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.devices import DEVICES, make_device, name_of
from spikearm.launch.mapping import device_mapping


def option_types() -> ConstructorRegistry:
    """Rules for crossbar devices, given by name, and for tables, given as JSON."""
    registry = ConstructorRegistry()
    registry.primitive_rule(_device_rule)
    registry.primitive_rule(_table_rule)
    return registry


def _device_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Device] | None:
    if info.type is not Device:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{" + ",".join(DEVICES) + "}",
        instance_from_str=lambda words: make_device(words[0]),
        is_instance=lambda value: isinstance(value, Device),
        str_from_instance=lambda device: [name_of(device) or json.dumps(device_mapping(device))],
    )


def _table_rule(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Mapping[str, Any]] | None:
    if get_origin(info.type) is not Mapping:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="JSON",
        instance_from_str=lambda words: _table(words[0]),
        is_instance=lambda value: isinstance(value, Mapping),
        str_from_instance=lambda table: [json.dumps(table, default=device_mapping)],
    )


def _table(text: str) -> dict[str, Any]:
    try:
        table = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not JSON: {error}.") from error
    if not isinstance(table, dict):
        raise ConfigError(f'{text!r} is no table, like {{"learned": {{"devices_per_synapse": 4}}}}.')
    return table
