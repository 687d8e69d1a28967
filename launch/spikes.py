"""Watches the spikes of a run: all of a sample of neurons, and how often each neuron fired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from spikearm.controller.tickschema import TickRecord
from spikearm.errors import JournalError
from spikearm.hardware.backend import Program
from spikearm.hardware.spikes import Population, ShowsSpikes
from spikearm.launch.run_folder import whole_file

SPIKES_NAME = "spikes.npz"
_PER_POPULATION = 48


class SpikeRecorder:
    """Looks at the neurons after each tick; a few microseconds, outside of every measured time.

    With several network steps per tick it sees the last of them. Memory: 6 bytes per tick and population.

    Args:
        populations: What to watch.
        n_ticks: Ticks to make room for; if there are more, room is made in one of them.
        network_dt_s: Network time step [s].
    """

    def __init__(self, populations: Sequence[Population], n_ticks: int, network_dt_s: float) -> None:
        self._populations = tuple(populations)
        self._dt_s = network_dt_s
        sizes = [population.fired.size for population in self._populations]
        ends = np.cumsum(sizes, dtype=np.int64)
        self._slices = [slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True)]
        self._fired = np.zeros(sum(sizes), dtype=np.bool_)
        self._counts = np.zeros(sum(sizes), dtype=np.int64)
        self._sample = np.concatenate([_evenly(part) for part in self._slices])
        self._rows = np.zeros((n_ticks, -(-self._sample.size // 8)), dtype=np.uint8)
        self._n_ticks = 0

    def on_tick(self) -> None:
        """Take note of the step just made."""
        fired = self._fired
        for population, part in zip(self._populations, self._slices, strict=True):
            np.not_equal(population.fired, 0, out=fired[part])
        self._counts += fired
        if self._n_ticks == len(self._rows):
            self._rows = np.concatenate((self._rows, np.zeros_like(self._rows)))
        self._rows[self._n_ticks] = np.packbits(fired[self._sample])
        self._n_ticks += 1

    def save(self, folder: Path) -> None:
        """Write ``spikes.npz``."""
        with whole_file(folder / SPIKES_NAME) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **self._arrays())

    def _arrays(self) -> dict[str, Any]:
        return {
            "labels": np.array([population.label for population in self._populations]),
            "sizes": np.array([part.stop - part.start for part in self._slices]),
            "sample": self._sample,
            "rows": self._rows[: self._n_ticks],
            "counts": self._counts,
            "network_dt_s": np.array(self._dt_s),
        }


def spike_recorder(program: Program | None, n_ticks: int) -> SpikeRecorder | None:
    """A recorder for a program that shows its spikes; None for any other, and where nothing spikes."""
    if not isinstance(program, ShowsSpikes) or not program.populations:
        return None
    return SpikeRecorder(program.populations, n_ticks, program.dt_s)


def with_spikes(
    spikes: SpikeRecorder | None, on_tick: Callable[[TickRecord], None] | None
) -> Callable[[TickRecord], None] | None:
    """``on_tick`` after a look at the neurons."""
    if spikes is None:
        return on_tick

    def on_tick_with_spikes(record: TickRecord) -> None:
        spikes.on_tick()
        if on_tick is not None:
            on_tick(record)

    return on_tick_with_spikes


@dataclass(frozen=True)
class Spikes:
    """Spikes of a run.

    Attributes:
        labels: Populations.
        sizes: Neurons of each.
        sample: Numbers of the neurons whose spikes were kept, over all populations.
        fired: Whether each of them fired, shape (n_ticks, len(sample)).
        rates_hz: Mean firing rate of every neuron [Hz], all populations one after another.
    """

    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    sample: NDArray[np.int64]
    fired: NDArray[np.bool_]
    rates_hz: NDArray[np.float64]

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The spikes of a run folder; None if it has none.

        Raises:
            JournalError: The file cannot be read.
        """
        path = folder / SPIKES_NAME
        if not path.exists():
            return None
        try:
            with np.load(path) as file:
                sample, rows = file["sample"], file["rows"]
                fired = np.unpackbits(rows, axis=1, count=sample.size).astype(np.bool_)
                watched_s = max(1, len(rows)) * float(file["network_dt_s"])
                return cls(
                    tuple(map(str, file["labels"])),
                    tuple(map(int, file["sizes"])),
                    sample,
                    fired,
                    file["counts"] / watched_s,
                )
        except (OSError, ValueError, KeyError) as error:
            raise JournalError(f"{path} cannot be read: {error}; delete it to do without spikes.") from error


def _evenly(part: slice) -> NDArray[np.int64]:
    """Neurons of a population, evenly spread over it."""
    n = min(part.stop - part.start, _PER_POPULATION)
    chosen: NDArray[np.int64] = np.linspace(part.start, part.stop - 1, n).astype(np.int64)
    return chosen
