"""Intel's Loihi: nengo-loihi's builder and emulator behind the interface of a backend."""

from spikearm.hardware.loihi import numpy2

# Before any module of this folder imports nengo_loihi.
numpy2.install()

from spikearm.hardware.loihi.emulator.interface import CompiledEmulator  # noqa: E402 see above
from spikearm.hardware.loihi.simulator import Simulator  # noqa: E402

__all__ = ["CompiledEmulator", "Simulator"]
