"""How fast a torque may change: arms refuse or cut what is faster, so the loop does not ask for it."""

from __future__ import annotations

import math

import numpy as np

from spikearm.errors import ConfigError
from spikearm.records import FloatArray

_LAG_TICKS = 5
"""Ticks that a torque may take to arrive before it lags. Spikes that sum up by chance take up to two."""


class TorqueRate:
    """Keeps each torque within a bound of the one sent in the tick before, as libfranka's ``limitRate`` does.

    The sum of many spikes jumps now and then by more than an arm lets through. What is held back then arrives
    in the ticks that follow, which is no saturation: learning goes on. A torque that takes longer than five
    ticks to arrive ``lags``: its controller has to be told, or it learns from what the arm has not been told
    yet, and swings.

    It is counted from what was sent and not from what the arm applied: a push of the arm's own limits would
    be added to the command, tick after tick.

    Args:
        rate_nm_s: Fastest change [N m/s]; infinite for no bound.
        dt_s: Time of a tick [s].

    Attributes:
        lags: Whether the last torque, in any joint, is farther off than five more ticks come.

    Raises:
        ConfigError: The rate is not positive.
    """

    def __init__(self, rate_nm_s: float, dt_s: float) -> None:
        if not rate_nm_s > 0.0:
            raise ConfigError(
                f"torque_rate_nm_s must be a positive number, not {rate_nm_s!r}; 1000 is usual."
            )
        self._rate_nm = rate_nm_s * dt_s
        self._sent: FloatArray | None = None
        self.lags = False

    def torque(self, wanted: FloatArray) -> FloatArray:
        """The torque to send [N m], shape (n_joints,); the first one is as it is."""
        if self._sent is None or self._rate_nm == math.inf:
            self._sent = wanted
            return wanted
        low, high = self._sent - self._rate_nm, self._sent + self._rate_nm
        self._sent = np.minimum(np.maximum(wanted, low), high)
        held_back = (wanted - self._sent).tolist()
        self.lags = max(map(abs, held_back)) > _LAG_TICKS * self._rate_nm
        return self._sent
