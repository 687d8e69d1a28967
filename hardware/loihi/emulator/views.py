"""What the stock emulator keeps in Python objects, read out of the flat arrays on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from nengo_loihi.block import Axon

from spikearm.hardware.loihi.emulator.wiring import ATOM, AXON

if TYPE_CHECKING:
    from spikearm.hardware.loihi.emulator.interface import CompiledEmulator


class _BySynapse(Mapping[Any, Any]):
    """Something for some groups of synapses."""

    def __init__(self, emulator: CompiledEmulator, synapses: list[Any]) -> None:
        self._emulator = emulator
        self._number = {synapse: i for i, synapse in enumerate(synapses)}

    def __iter__(self) -> Iterator[Any]:
        return iter(self._number)

    def __len__(self) -> int:
        return len(self._number)


class SpikesIn(_BySynapse):
    """Spikes that reached each group of synapses in the last step; a list, made when it is asked for."""

    def __init__(self, emulator: CompiledEmulator) -> None:
        super().__init__(emulator, list(emulator.synapses.slices))

    def __getitem__(self, synapse: Any) -> list[Any]:
        wiring, spikes = self._emulator.wiring, self._emulator.host_spikes
        group = self._number[synapse]
        found = []
        for wire in range(wiring.wire_start[group], wiring.wire_start[group + 1]):
            source = wiring.wire_source[wire]
            if source < 0:
                start = spikes.start[-1]
                neurons = spikes.neurons[start[-1 - source] : start[-source]]
            else:
                neurons = wiring.fired[wiring.fired_start[source] : wiring.fired_start[source + 1]].astype(
                    np.int64
                )
            links = wiring.links[wiring.link_start[wire] + neurons]
            found += [
                Axon.Spike(axon, atom=atom) for axon, atom in links[:, (AXON, ATOM)].tolist() if axon >= 0
            ]
        return found


class TraceSpikes(_BySynapse):
    """Axons of each learning group that spiked since their trace was last updated; a set of numbers."""

    def __init__(self, emulator: CompiledEmulator) -> None:
        super().__init__(emulator, list(emulator.synapses.traces))

    def __getitem__(self, synapse: Any) -> set[int]:
        return set(np.flatnonzero(self._emulator.pending(synapse)).tolist())
