"""Devices that are stuck from the start: drawn, or read from a file.

A fault map is an .npz file with one array of whole numbers for each matrix that has faults, under the label
of its connection or ensemble; where several have the same label, ``label#1``, ``label#2``, ... in the order
of ``CrossbarSimulator.matrices``. -1 stands for devices stuck at their smallest conductance, 1 for those
stuck at their largest, 0 for good ones. Its shape is (n_inputs, n_outputs, n_devices), the devices of a
weight in the order G+, G-, G+, G-, ...
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.matrix import CrossbarMatrix


class Faults:
    """Deals out the faults of one substrate.

    Args:
        fault_seed: Draws faults independently of all else; None leaves that to each matrix's generator.
    """

    def __init__(self, fault_seed: int | None) -> None:
        self._seeds = None if fault_seed is None else np.random.SeedSequence(fault_seed)
        self._maps: dict[str, dict[str, NDArray[Any]]] = {}
        self._names: Iterator[str] = iter(())
        self._known: dict[str | None, list[str]] = {}

    def expect(self, labels: Sequence[str], maps: Sequence[str | None]) -> None:
        """Be told of all matrices on crossbars, in the order in which they will be dealt with.

        Args:
            labels: What each is labelled, "" for nothing.
            maps: The fault map of each.
        """
        several, nth, names = Counter(labels), Counter[str](), []
        for label, path in zip(labels, maps, strict=True):
            nth[label] += 1
            names.append(f"{label}#{nth[label]}" if several[label] > 1 else label)
            self._known.setdefault(path, []).append(names[-1])
        self._names = iter(names)

    def deal(self, matrix: CrossbarMatrix) -> None:
        """Make the devices of a matrix stick that its configuration says are faulty.

        Raises:
            ConfigError: The fault map cannot be read, does not fit, or names what is not there.
        """
        config, cells, name = matrix.config, matrix.cells, next(self._names)
        kind = np.zeros(cells.g.shape, dtype=np.int8)
        shares = (config.stuck_at_min, config.stuck_at_max, config.device.corrupt)
        if any(shares):
            kind = _draw(shares, kind.shape, self._rng(matrix))
        if config.fault_map is not None:
            mapped = self._from_file(config.fault_map, name, (*matrix.shape, cells.n_devices))
            kind = np.where(mapped == 0, kind, np.where(mapped < 0, _AT_MIN, _AT_MAX))
        if kind.any():
            matrix.stick(kind > 0, _levels(config)[kind])

    def _require_known(self, path: str, names: Iterable[str]) -> None:
        """Refuse names that no matrix with this map has, and those that several have."""
        known = self._known[path]
        for name in names:
            if name not in known:
                same = [one for one in known if one.rpartition("#")[0] == name]
                found = f"{len(same)} matrices on crossbars are" if same else "no matrix on a crossbar is"
                choice = ", ".join(sorted(map(repr, same or known)))
                raise ConfigError(f"fault map {path}: {found} labelled {name!r}; name one of {choice}.")

    def _rng(self, matrix: CrossbarMatrix) -> np.random.Generator:
        if self._seeds is not None:
            return np.random.default_rng(self._seeds.spawn(1)[0])
        # A child: a substrate with faults draws the same good devices as one without.
        return matrix.rng.spawn(1)[0]

    def _from_file(self, path: str, label: str, shape: tuple[int, ...]) -> NDArray[np.int8]:
        if path not in self._maps:
            self._maps[path] = _load(Path(path))
            self._require_known(path, self._maps[path])
        faults = self._maps[path].get(label)
        if faults is None:
            return np.zeros((shape[0] * shape[1], shape[2]), dtype=np.int8)
        if faults.shape != shape:
            raise ConfigError(
                f"fault map {path}: {label!r} has shape {faults.shape}, its devices have {shape} "
                "(inputs, outputs, devices per weight)."
            )
        if not np.isin(faults, (-1, 0, 1)).all():
            raise ConfigError(f"fault map {path}: {label!r} may hold -1, 0 and 1 only.")
        return faults.astype(np.int8).reshape(-1, shape[2])


_AT_MIN, _AT_MAX = 1, 2


def _levels(config: CrossbarConfig) -> NDArray[np.float64]:
    """Conductance of each kind of fault [S]; the first is a good device's and means nothing."""
    device = config.device
    corrupt = device.g_min_siemens + device.corrupt_at * device.range_siemens
    return np.array([0.0, device.g_min_siemens, device.g_max_siemens, corrupt])


def _draw(
    shares: tuple[float, float, float], shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.int8]:
    """Kind of fault of each device, 0 for none."""
    edges = np.cumsum(shares)
    kinds = np.searchsorted(edges, rng.random(shape), side="right") + 1
    drawn: NDArray[np.int8] = np.where(kinds > len(shares), 0, kinds).astype(np.int8)
    return drawn


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("it is a single array; an .npz file has one for each matrix")
        with archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ConfigError(f"fault map {path} cannot be read: {error}.") from error
