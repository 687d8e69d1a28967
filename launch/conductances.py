"""What the devices of all crossbars conduct at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikearm.errors import JournalError
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.launch.run_folder import whole_file
from spikearm.records import FloatArray

CONDUCTANCES_NAME = "conductances.npz"


@dataclass(frozen=True)
class Conductances:
    """One matrix; the pairs of a weight are added up.

    Attributes:
        label: What the matrix is.
        learned: Whether it changes while running.
        plus_siemens: What adds to the current [S], shape (n_inputs, n_outputs).
        minus_siemens: What is subtracted [S], same shape.
    """

    label: str
    learned: bool
    plus_siemens: FloatArray
    minus_siemens: FloatArray


def save_conductances(folder: Path, matrices: Sequence[CrossbarMatrix]) -> None:
    """Write ``conductances.npz``."""
    arrays: dict[str, Any] = {
        "labels": np.array([matrix.label for matrix in matrices]),
        "learned": np.array([matrix.learned for matrix in matrices]),
    }
    for i, matrix in enumerate(matrices):
        total, diff = (x.reshape(matrix.shape) for x in (matrix.cells.total, matrix.cells.diff))
        arrays[f"plus{i}"] = (0.5 * (total + diff)).astype(np.float32)
        arrays[f"minus{i}"] = (0.5 * (total - diff)).astype(np.float32)
    with whole_file(folder / CONDUCTANCES_NAME) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load_conductances(folder: Path) -> tuple[Conductances, ...]:
    """The matrices of a run folder; none if it has no such file.

    Raises:
        JournalError: The file cannot be read.
    """
    path = folder / CONDUCTANCES_NAME
    if not path.exists():
        return ()
    try:
        with np.load(path) as file:
            return tuple(
                Conductances(
                    str(label),
                    bool(file["learned"][i]),
                    file[f"plus{i}"].astype(np.float64),
                    file[f"minus{i}"].astype(np.float64),
                )
                for i, label in enumerate(file["labels"])
            )
    except (OSError, ValueError, KeyError) as error:
        raise JournalError(f"{path} cannot be read: {error}; delete it to do without the map.") from error
