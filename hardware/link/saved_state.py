"""A program's saved state as bytes: NumPy's archive, in which nothing can be executed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np

from spikearm.errors import StateError
from spikearm.hardware.nengo_state import StateArray

MAX_STATE_BYTES = 1 << 28


def state_to_bytes(state: Mapping[str, StateArray]) -> bytes:
    """A saved state as bytes."""
    buffer = io.BytesIO()
    # Names of entries have slashes and colons, which are awkward in an archive: numbers stand for them.
    names = np.array(list(state), dtype=np.str_)
    arrays = {str(i): value for i, value in enumerate(state.values())}
    np.savez(buffer, allow_pickle=False, names=names, **arrays)
    return buffer.getvalue()


def state_from_bytes(data: bytes) -> dict[str, StateArray]:
    """A saved state from bytes.

    Raises:
        StateError: They are none.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {str(name): archive[str(i)] for i, name in enumerate(archive["names"])}
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StateError(f"what came over the wire is no saved state: {error}.") from error
