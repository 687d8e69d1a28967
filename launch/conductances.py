"""The file of a run folder that holds what the devices of all crossbars conducted at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikearm.errors import JournalError
from spikearm.hardware.conductances import Conductances
from spikearm.launch.run_folder import whole_file

CONDUCTANCES_NAME = "conductances.npz"


def save_conductances(folder: Path, matrices: Sequence[Conductances]) -> None:
    """Write ``conductances.npz``."""
    arrays: dict[str, Any] = {
        "labels": np.array([matrix.label for matrix in matrices]),
        "learned": np.array([matrix.learned for matrix in matrices]),
    }
    for i, matrix in enumerate(matrices):
        arrays[f"plus{i}"] = matrix.plus_siemens.astype(np.float32)
        arrays[f"minus{i}"] = matrix.minus_siemens.astype(np.float32)
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
