"""Devices that are stuck from the start: drawn, or read from a file.

A fault map is an .npz file with one array of whole numbers for each matrix that has faults, under the label
of its connection or ensemble: -1 for devices stuck at their smallest conductance, 1 for those stuck at
their largest, 0 for good ones. Its shape is (n_inputs, n_outputs, n_devices), the devices of a weight in the
order G+, G-, G+, G-, ...
"""

from __future__ import annotations

import zipfile
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
        self._used: set[tuple[str, str]] = set()
        self._labels: set[str] = set()

    def deal(self, matrix: CrossbarMatrix, label: str | None) -> None:
        """Make the devices of a matrix stick that its configuration says are faulty.

        Raises:
            ConfigError: The fault map cannot be read, or does not fit the matrix.
        """
        config, cells = matrix.config, matrix.cells
        kind = np.zeros(cells.g.shape, dtype=np.int8)
        shares = (config.stuck_at_min, config.stuck_at_max, config.device.corrupt)
        if any(shares):
            kind = _draw(shares, kind.shape, self._rng(matrix))
        if config.fault_map is not None:
            mapped = self._from_file(config.fault_map, label or "", (*matrix.shape, cells.n_devices))
            kind = np.where(mapped == 0, kind, np.where(mapped < 0, _AT_MIN, _AT_MAX))
        if kind.any():
            matrix.stick(kind > 0, _levels(config)[kind])

    def require_all_used(self) -> None:
        """Refuse a fault map with a name that no matrix has.

        Raises:
            ConfigError: There is one.
        """
        for path, faults in self._maps.items():
            for label in faults:
                if (path, label) not in self._used:
                    known = ", ".join(sorted(map(repr, self._labels)))
                    raise ConfigError(
                        f"fault map {path}: no matrix on a crossbar is labelled {label!r}; {known} are."
                    )

    def _rng(self, matrix: CrossbarMatrix) -> np.random.Generator:
        if self._seeds is not None:
            return np.random.default_rng(self._seeds.spawn(1)[0])
        # A child: a substrate with faults draws the same good devices as one without.
        return matrix.rng.spawn(1)[0]

    def _from_file(self, path: str, label: str, shape: tuple[int, ...]) -> NDArray[np.int8]:
        if path not in self._maps:
            self._maps[path] = _load(Path(path))
        self._labels.add(label)
        faults = self._maps[path].get(label)
        if faults is None:
            return np.zeros((shape[0] * shape[1], shape[2]), dtype=np.int8)
        self._used.add((path, label))
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
