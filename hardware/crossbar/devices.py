"""The devices by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from spikearm.errors import UnknownNameError
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.pcm import PcmDevice
from spikearm.hardware.crossbar.reram import SoftBoundsDevice
from spikearm.hardware.crossbar.srtio3 import StrontiumTitanateDevice

DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        "ideal": PcmDevice.ideal(),
        "pcm": PcmDevice(),
        "pcm-hermes": PcmDevice.hermes(),
        "reram-gong2018": SoftBoundsDevice.gong2018(),
        "reram-hfo2": SoftBoundsDevice.hfo2(),
        "reram-optimised": SoftBoundsDevice.optimised(),
        "neurram": SoftBoundsDevice.neurram(),
        "nb-srtio3": StrontiumTitanateDevice(),
    }
)
"""What :class:`~.config.CrossbarConfig` and the command line know by name."""


def make_device(name: str) -> Device:
    """The device of this name.

    Raises:
        UnknownNameError: There is none; the message lists those there are.
    """
    if name not in DEVICES:
        raise UnknownNameError("crossbar device", name, DEVICES)
    return DEVICES[name]


def name_of(device: Device) -> str | None:
    """The name of a device that has one."""
    return next((name for name, known in DEVICES.items() if known == device), None)
