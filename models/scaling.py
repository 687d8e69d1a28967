"""From physical units to the range in which neurons represent: a fixed, clipped, affine map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spikearm.errors import ConfigError
from spikearm.records import FloatArray


@dataclass(frozen=True)
class StateScaling:
    """Maps a state in physical units to [-1, 1] per dimension, clipped.

    Attributes:
        center: What is mapped to 0, one value per dimension, in the dimension's own unit.
        half_range: Distance from the centre that is mapped to 1, same units, positive.
    """

    center: tuple[float, ...]
    half_range: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.center) != len(self.half_range):
            raise ConfigError(
                f"center has {len(self.center)} values and half_range {len(self.half_range)}; "
                "give one each per dimension."
            )
        if not np.isfinite(self.center).all() or not all(0 < r < np.inf for r in self.half_range):
            raise ConfigError(
                f"center must be finite and half_range positive, not {self.center}, {self.half_range}."
            )

    @property
    def size(self) -> int:
        """Number of dimensions."""
        return len(self.center)

    def __call__(self, state: FloatArray) -> FloatArray:
        """The scaled state, shape (..., size)."""
        center, half_range = self.arrays
        scaled: FloatArray = np.minimum(np.maximum((state - center) / half_range, -1.0), 1.0)
        return scaled

    @cached_property
    def arrays(self) -> tuple[FloatArray, FloatArray]:
        """Centre and half range, shape (size,) each, read-only."""
        both = np.array((self.center, self.half_range), dtype=np.float64)
        both.flags.writeable = False
        return both[0], both[1]


class Scaled:
    """The function of a node that scales what it is given; simulators know it, and compute it without a call.

    Attributes:
        scaling: From what comes in to what goes out.
    """

    def __init__(self, scaling: StateScaling) -> None:
        self.scaling = scaling

    def __call__(self, t: float, x: FloatArray) -> FloatArray:
        """Nengo's side: the scaled state, whatever the time."""
        return self.scaling(x)
