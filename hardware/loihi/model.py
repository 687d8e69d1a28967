"""nengo-loihi's model, with what this backend adds to it while it is built."""

from __future__ import annotations

from typing import Any

import nengo
from nengo_loihi.builder import Model
from nengo_loihi.probe import LoihiProbe

from spikearm.hardware.loihi.decoders import split_decoders


class ChipModel(Model):
    """A model whose learned connections fit their cores, and whose spikes a board reports.

    Args:
        on_board: Whether it will run on a board. Then every core that sends spikes reports them to the host.
        **options: Those of ``nengo_loihi.builder.Model``.
    """

    def __init__(self, *, on_board: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._on_board = on_board

    def build(self, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Build an object, and adapt what it became; nengo-loihi's own callback misses some connections."""
        built = super().build(obj, *args, **kwargs)
        if isinstance(obj, nengo.Connection):
            split_decoders(self)
        if obj is self.toplevel and self._on_board:
            self._watch_spikes()
        return built

    def _watch_spikes(self) -> None:
        """Probe the spikes of all blocks that send any; they come packed, 32 to a word."""
        for block in self.blocks:
            if block.axons:
                self.add_probe(LoihiProbe(target=block, key="spiked"))
