"""What to do while the network's output cannot be used: hold it, fade it out, and at last stop."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from spikearm.errors import ConfigError, NetworkLostError
from spikearm.finite import all_finite
from spikearm.records import FloatArray
from spikearm.timesteps import ticks_in


class Rung(enum.IntEnum):
    """Where the network's share of the torque comes from; the rung below each is to stop."""

    NETWORK = 0
    HELD = 1
    LAW_ALONE = 2


@dataclass(frozen=True)
class FallbackRules:
    """When to go down a rung.

    Attributes:
        stale_s: Age of an output beyond which it is not used [s].
        hold_s: Time without an output that can be used, for which the last good one is held [s].
        fade_s: Time in which it then fades, so that the law alone is left; and in which a network that has
            come back fades in [s].
        stop_s: Time after which the run is ended [s].
    """

    stale_s: float = 0.01
    hold_s: float = 0.02
    fade_s: float = 0.1
    stop_s: float = 1.0

    def __post_init__(self) -> None:
        for key in ("stale_s", "hold_s", "fade_s", "stop_s"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"{key} must be a positive number of seconds, not {value!r}.")


class Fallback:
    """The ladder: the network's output, the last good one, the law alone, stop.

    Args:
        rules: When to go down.
        n_joints: Number of joints.
        dt_s: Time of a tick [s].

    Attributes:
        rung: Where the torque of the last tick came from.
    """

    def __init__(self, rules: FallbackRules, n_joints: int, *, dt_s: float) -> None:
        self._rules = rules
        self._n_hold, self._n_stop = ticks_in(rules.hold_s, dt_s), ticks_in(rules.stop_s, dt_s)
        self._fading = 1.0 / ticks_in(rules.fade_s, dt_s)
        self._good: FloatArray = np.zeros(n_joints)
        self._weight = 1.0
        self._n_without = 0
        self.rung = Rung.NETWORK

    def reset(self) -> None:
        """Believe in the network again."""
        self._good = np.zeros_like(self._good)
        self._weight, self._n_without, self.rung = 1.0, 0, Rung.NETWORK

    def torque(self, output: FloatArray, age_s: float) -> FloatArray:
        """The network's share of this tick's torque [N m], shape (n_joints,).

        Args:
            output: What the network says [N m], shape (n_joints,).
            age_s: How long ago it was asked the question that this answers [s].

        Raises:
            NetworkLostError: There was no output that can be used for too long.
        """
        stale = not age_s <= self._rules.stale_s
        if stale or not all_finite(output):
            return self._without("stale" if stale else "not finite", age_s)
        self._good, self._n_without, self.rung = output, 0, Rung.NETWORK
        if self._weight < 1.0:
            self._weight = min(1.0, self._weight + self._fading)
            return self._weight * output
        return output

    def _without(self, why: str, age_s: float) -> FloatArray:
        self._n_without += 1
        if self._n_without > self._n_stop:
            age = f", {age_s:.3g} s old" if math.isfinite(age_s) else ""
            raise NetworkLostError(
                f"the network's output has been {why} for {self._rules.stop_s:g} s{age}; the run ends and "
                "its arm is let go or held. Look at the substrate: is it still there, and fast enough?"
            )
        if self._n_without <= self._n_hold:
            self.rung = Rung.HELD
        else:
            self.rung = Rung.LAW_ALONE
            self._weight = max(0.0, self._weight - self._fading)
        return self._weight * self._good
