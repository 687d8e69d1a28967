"""Intel's Loihi: nengo-loihi's builder and emulator behind the interface of a backend."""

from spikearm.hardware.loihi import numpy2

# Before any module of this folder imports nengo_loihi.
numpy2.install()
