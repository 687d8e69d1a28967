"""The integral of an error, kept from winding up."""

from __future__ import annotations

import numpy as np

from spikearm.records import FloatArray


class Integral:
    """``ki`` times the integral of the error, with two guards.

    It does not grow while the torque is saturated (it may shrink), and its size is bounded.

    Args:
        size: Number of components.
        ki: Change of acceleration per error [1/s^3].
        dt_s: Control time step [s].
        limit: Bound of each component's acceleration [rad/s^2 or m/s^2].

    Attributes:
        ki: As above; what was summed up under another one is kept.
        frozen: Whether the torque is saturated.
    """

    def __init__(self, size: int, *, ki: float, dt_s: float, limit: float) -> None:
        self.ki = ki
        self._dt_s = dt_s
        self._limit = limit
        self._value: FloatArray = np.zeros(size)
        self.frozen = False

    def reset(self) -> None:
        """Forget everything."""
        self._value[:] = 0.0
        self.frozen = False

    def update(self, error: FloatArray) -> FloatArray:
        """One step; returns the acceleration asked for, a view that the next step changes."""
        if not self.ki:
            return self._value
        growth = self.ki * self._dt_s * error
        if self.frozen:
            growth[growth * self._value >= 0.0] = 0.0
        self._value += growth
        np.maximum(self._value, -self._limit, out=self._value)
        np.minimum(self._value, self._limit, out=self._value)
        return self._value
