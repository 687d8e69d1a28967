"""Whether numbers are finite, asked several times in every tick of a few numbers."""

from __future__ import annotations

import math

from spikearm.records import FloatArray


def all_finite(values: FloatArray) -> bool:
    """Whether no value is a NaN or an infinity; for a handful faster than NumPy.

    Args:
        values: Shape (n,).
    """
    return all(map(math.isfinite, values.tolist()))
