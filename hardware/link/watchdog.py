"""Counts missed commands on the robot's side and says when there were too many."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spikearm.errors import ConfigError
from spikearm.hardware.link.wire import NO_STOP, Stop
from spikearm.timesteps import ticks_in

_RATE_TICKS = 100
"""Window of the success rate, as in libfranka (Franka Control Interface documentation)."""
_LONGEST_SLEEP = 1 << 30
"""More missed ticks than that are not counted: a state carries 32 bits of them."""

_MOST_MISSED_S, _MOST_SHARE = 0.2, 0.5
"""Largest values of what lets a real arm go on."""
_WINDOWS_S = 0.1, 2.0
"""Shortest and longest window of a real arm's share [s]: in a shorter one, no share says anything."""


@dataclass(frozen=True)
class WatchdogRules:
    """When the robot stops by itself.

    Attributes:
        max_missed_s: Time for which commands may be missed in a row [s]; the last torque is used again until
            then. 20 ticks at 1 kHz, as in libfranka.
        max_share: Share of missed commands above which it stops. 0.1 within 0.5 s, as the PR2's controller
            loop did.
        window_s: Time over which the share is taken [s].
    """

    max_missed_s: float = 0.02
    max_share: float = 0.1
    window_s: float = 0.5

    def __post_init__(self) -> None:
        for key in ("max_missed_s", "window_s"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"{key} of the watchdog must be a positive number, not {value!r}.")
        if not 0.0 <= self.max_share <= 1.0:
            raise ConfigError(f"max_share of the watchdog must be from 0 to 1, not {self.max_share!r}.")

    def require_watchful(self) -> None:
        """A real arm's watchdog can be made a little more patient, and not be set away.

        Raises:
            ConfigError: It was.
        """
        require_at_most("max_missed_s", self.max_missed_s, _MOST_MISSED_S, unit=" s")
        require_at_most("max_share", self.max_share, _MOST_SHARE)
        require_at_most("window_s", self.window_s, _WINDOWS_S[1], unit=" s")
        if self.window_s < _WINDOWS_S[0]:
            raise ConfigError(
                f"of a real arm, window_s is at least {_WINDOWS_S[0]:g} s, not {self.window_s:g} s: a share "
                "of so few commands says nothing. Give a larger --window-s."
            )


def require_at_most(key: str, value: float, most: float, *, unit: str = "") -> None:
    """Refuse a patience that a real arm does not have.

    Args:
        key: Its name.
        value: What it is.
        most: What it may be.
        unit: Of both.

    Raises:
        ConfigError: It is more.
    """
    if value > most:
        raise ConfigError(
            f"of a real arm, {key} is at most {most:g}{unit}, not {value:g}{unit}: so long it may go on "
            f"unwatched. Give a smaller --{key.replace('_', '-')}."
        )


class _Window:
    """How many of the last ticks missed their command, at the same cost for any length."""

    def __init__(self, n_ticks: int) -> None:
        # Not an array: a look at one of its numbers costs ten times as much.
        self._missed = bytearray(n_ticks)
        self._at = 0
        self.n_missed = 0

    @property
    def n_ticks(self) -> int:
        return len(self._missed)

    def push(self, missed: bool) -> None:
        self.n_missed += missed - self._missed[self._at]
        self._missed[self._at] = missed
        self._at = (self._at + 1) % len(self._missed)

    def clear(self) -> None:
        self._missed[:] = bytes(len(self._missed))
        self.n_missed = 0


class Watchdog:
    """Watches whether every tick brings a command.

    Args:
        rules: When to stop.
        dt_s: Time of a tick [s].

    Attributes:
        max_in_a_row: Misses in a row at which to stop.
        n_missed: Ticks of an armed robot without a new command since :meth:`restart`.
        in_a_row: Those since the last new command.
        longest_run: Most of them in a row since :meth:`restart`.
    """

    def __init__(self, rules: WatchdogRules, *, dt_s: float) -> None:
        self.max_in_a_row = ticks_in(rules.max_missed_s, dt_s)
        n_window = ticks_in(rules.window_s, dt_s)
        self._allowed_in_window = math.floor(rules.max_share * n_window + 1e-9)
        self._rate = _Window(_RATE_TICKS)
        self._window = _Window(n_window)
        self.n_missed = self.in_a_row = self.longest_run = 0

    @property
    def success_rate(self) -> float:
        """Share of the last 100 ticks that brought a new command, from 0 to 1."""
        return 1.0 - self._rate.n_missed / _RATE_TICKS

    def restart(self) -> None:
        """A new session: nothing was missed yet."""
        self._rate.clear()
        self.n_missed = self.longest_run = 0
        self.forgive()

    def forgive(self) -> None:
        """A new start within the session: what was missed stays counted but stops nothing any more."""
        self._window.clear()
        self.in_a_row = 0

    def sleep(self, n_ticks: int, *, armed: bool = True, timeout_ticks: int = 0) -> Stop:
        """Take note of ticks that the robot slept through: none of them brought a command.

        Args:
            n_ticks: How many; more than the windows hold cost no more.
            armed: As for :meth:`tick`.
            timeout_ticks: Likewise.

        Returns:
            Why to stop; 0 if there is no reason.
        """
        n_ticks = min(n_ticks, _LONGEST_SLEEP)
        n_remembered = min(n_ticks, max(self._window.n_ticks, _RATE_TICKS))
        if armed:
            self.n_missed += n_ticks - n_remembered
            self.in_a_row += n_ticks - n_remembered
        stop = NO_STOP
        for _ in range(n_remembered):
            stop |= self.tick(missed=True, armed=armed, timeout_ticks=timeout_ticks)
        return stop

    def tick(self, *, missed: bool, armed: bool = True, timeout_ticks: int = 0) -> Stop:
        """Take note of one tick.

        Args:
            missed: Whether it brought no new command.
            armed: Whether the robot waits for torque; if not, only the success rate takes note.
            timeout_ticks: What the client allows in a row; 0 leaves it to the rules.

        Returns:
            Why to stop; 0 if there is no reason.
        """
        self._rate.push(missed)
        if not armed:
            return NO_STOP
        self._window.push(missed)
        if not missed:
            self.in_a_row = 0
            return NO_STOP
        self.n_missed += 1
        self.in_a_row += 1
        self.longest_run = max(self.longest_run, self.in_a_row)
        in_a_row = self.max_in_a_row
        if timeout_ticks:
            in_a_row = min(in_a_row, timeout_ticks)
        stop = NO_STOP
        if self.in_a_row >= in_a_row:
            stop |= Stop.MISSED_IN_A_ROW
        if self._window.n_missed > self._allowed_in_window:
            stop |= Stop.MISSED_TOO_OFTEN
        return stop
