"""What to do while the network's output cannot be used: hold it, fade it out, and at last stop."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from spikearm.errors import ConfigError, NetworkLostError
from spikearm.records import FloatArray


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
        hold_ticks: Ticks without an output that can be used, for which the last good one is held.
        fade_ticks: Ticks in which it then fades, so that the law alone is left; and in which a network that
            has come back fades in.
        stop_ticks: Ticks in a row after which the run is ended.
    """

    stale_s: float = 0.01
    hold_ticks: int = 20
    fade_ticks: int = 100
    stop_ticks: int = 1000

    def __post_init__(self) -> None:
        if not self.stale_s > 0.0:
            raise ConfigError(f"stale_s must be a positive number of seconds, not {self.stale_s!r}.")
        if min(self.hold_ticks, self.stop_ticks) < 0 or self.fade_ticks < 1:
            raise ConfigError(
                "hold_ticks and stop_ticks must be 0 or more, fade_ticks at least 1; got "
                f"{self.hold_ticks!r}, {self.stop_ticks!r} and {self.fade_ticks!r}."
            )


class Fallback:
    """The ladder: the network's output, the last good one, the law alone, stop.

    Args:
        rules: When to go down.
        n_joints: Number of joints.

    Attributes:
        rung: Where the torque of the last tick came from.
    """

    def __init__(self, rules: FallbackRules, n_joints: int) -> None:
        self._rules = rules
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
        if stale or not np.isfinite(output).all():
            return self._without("stale" if stale else "not finite", age_s)
        self._good, self._n_without, self.rung = output, 0, Rung.NETWORK
        if self._weight < 1.0:
            self._weight = min(1.0, self._weight + 1.0 / self._rules.fade_ticks)
            return self._weight * output
        return output

    def _without(self, why: str, age_s: float) -> FloatArray:
        rules = self._rules
        self._n_without += 1
        if self._n_without > rules.stop_ticks:
            age = f", {age_s:.3g} s old" if math.isfinite(age_s) else ""
            raise NetworkLostError(
                f"the network's output has been {why} for {rules.stop_ticks} ticks{age}; the run ends and "
                "its arm is let go or held. Look at the substrate: is it still there, and fast enough?"
            )
        if self._n_without <= rules.hold_ticks:
            self.rung = Rung.HELD
        else:
            self.rung = Rung.LAW_ALONE
            self._weight = max(0.0, self._weight - 1.0 / rules.fade_ticks)
        return self._weight * self._good
