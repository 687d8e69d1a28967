"""Percentiles of a measured time over a run of any length, in a fixed amount of memory."""

from __future__ import annotations

from array import array

import numpy as np

_BIN_S = 1e-6
_N_BINS = 100_000


class Histogram:
    """Counts times in bins of 1 us up to 0.1 s; what is longer is counted there, with its exact maximum.

    Attributes:
        n: Times counted.
        max_s: The longest [s].
    """

    def __init__(self) -> None:
        self._bins = array("q", bytes(8 * _N_BINS))  # NumPy's would take several times as long to count one
        self.n = 0
        self.max_s = 0.0

    def add(self, time_s: float) -> None:
        """Count a time [s]; negative ones count as 0."""
        self._bins[min(max(int(time_s / _BIN_S), 0), _N_BINS - 1)] += 1
        self.n += 1
        self.max_s = max(self.max_s, time_s)

    def percentile_s(self, percent: float) -> float | None:
        """Time that so many per cent do not exceed, to the next full microsecond [s]; None without any."""
        if not self.n:
            return None
        rank = np.ceil(percent / 100.0 * self.n)
        index = int(np.searchsorted(np.cumsum(self._bins), max(rank, 1)))
        return self.max_s if index == _N_BINS - 1 else min((index + 1) * _BIN_S, self.max_s)

    def document(self) -> dict[str, float | None]:
        """Percentiles for a report [s]."""
        return {
            "p50": self.percentile_s(50.0),
            "p99": self.percentile_s(99.0),
            "p99_9": self.percentile_s(99.9),
            "max": self.max_s if self.n else None,
        }
