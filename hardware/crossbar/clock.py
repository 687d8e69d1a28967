"""The clock that devices live by: it runs with the network, and can jump while the network rests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class DeviceClock:
    """Time since the start of the run, rests included.

    Args:
        dt_s: Network time step [s].

    Attributes:
        steps: Network steps begun, shape (1,).
        rested_s: Time that passed between steps [s], shape (1,).
    """

    def __init__(self, dt_s: float) -> None:
        self.dt_s = dt_s
        self.steps: NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self.rested_s: NDArray[np.float64] = np.zeros(1)

    @property
    def now_s(self) -> float:
        """Time at the beginning of the present step [s]."""
        return float(max(int(self.steps[0]) - 1, 0) * self.dt_s + self.rested_s[0])

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Every array that changes while running."""
        return {"steps": self.steps, "rested_s": self.rested_s}
