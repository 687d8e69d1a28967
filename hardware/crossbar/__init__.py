"""The memristive crossbar: a Nengo backend whose weights are conductances of simulated devices."""

from spikearm.hardware.crossbar.backend import CrossbarBackend
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.pcm import PcmDevice
from spikearm.hardware.crossbar.program import CrossbarProgram
from spikearm.hardware.crossbar.simulator import CrossbarSimulator

__all__ = ["CrossbarBackend", "CrossbarConfig", "CrossbarProgram", "CrossbarSimulator", "PcmDevice"]
