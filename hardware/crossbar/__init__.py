"""The memristive crossbar: a Nengo backend whose weights are conductances of simulated devices."""

from spikearm.hardware.crossbar.backend import CrossbarBackend
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.devices import DEVICES, make_device
from spikearm.hardware.crossbar.pcm import PcmDevice
from spikearm.hardware.crossbar.program import CrossbarProgram
from spikearm.hardware.crossbar.reram import SoftBoundsDevice
from spikearm.hardware.crossbar.simulator import CrossbarSimulator
from spikearm.hardware.crossbar.srtio3 import StrontiumTitanateDevice

__all__ = [
    "DEVICES",
    "CrossbarBackend",
    "CrossbarConfig",
    "CrossbarProgram",
    "CrossbarSimulator",
    "Device",
    "PcmDevice",
    "SoftBoundsDevice",
    "StrontiumTitanateDevice",
    "make_device",
]
