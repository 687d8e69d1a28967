"""How well a link did: what a run across it says about it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from spikearm.hardware.link.histogram import Histogram
from spikearm.hardware.link.wire import Cause, Mode, StateFrame


class LinkStatistics:
    """Statistics of the client's end, in a fixed amount of memory.

    The two ends' clocks are never compared for control. Here, the smallest difference between them that was
    seen serves as zero for the delay of a state, for the record only.

    Attributes:
        refused: States that were refused, by cause.
        n_states: States that were accepted.
        n_skipped: States that never came, or only after a newer one.
        delay_s: By how much the last state came later than the fastest one did [s].
        taken_ns: When the last state was taken, on the client's monotonic clock [ns]; 0 before the first.
        round_trip: Time of a command and a state on the wire, without the robot's wait for its next tick.
        period_error: Difference between the time from tick to tick of a loop that waits for states
            (:class:`~.link_clock.LinkClock`) and the robot's periods between them, either way; none in lock
            step.
        n_armed: States of an armed robot.
        n_missed: Ticks in which an armed robot had no new command, by its own count.
        longest_run: Most of them in a row.
        success_rate_min: Lowest success rate an armed robot has reported.
        torque_gap_nm: Largest difference between the torque an arm was given and what its joints measured:
            a drive that does not do what it is told, or something that the arm ran into.
    """

    def __init__(self) -> None:
        self.refused: Counter[Cause] = Counter()
        self.n_states = self.n_skipped = 0
        self.delay_s = 0.0
        self.round_trip = Histogram()
        self.period_error = Histogram()
        self.success_rate_min = 1.0
        self.torque_gap_nm = 0.0
        self.n_armed = self.n_missed = self.longest_run = 0
        self.taken_ns = 0
        self._least_offset_ns: int | None = None

    def take(self, state: StateFrame, before: StateFrame, now_ns: int) -> None:
        """Take note of an accepted state.

        Args:
            state: The state.
            before: The one accepted before it.
            now_ns: Time of its arrival on the client's monotonic clock [ns].
        """
        self.n_states += 1
        offset_ns = now_ns - state.robot_ns
        if self._least_offset_ns is None or offset_ns < self._least_offset_ns:
            self._least_offset_ns = offset_ns
        self.delay_s = 1e-9 * (offset_ns - self._least_offset_ns)
        if state.echo_ns != before.echo_ns:
            self.round_trip.add(1e-9 * (now_ns - state.echo_ns - state.held_ns))
        n_ticks = state.sequence - before.sequence
        if before.last_command:  # not the welcome, which comes whenever it was asked for
            self.n_skipped += max(0, n_ticks - 1)
        self.taken_ns = now_ns
        self.torque_gap_nm = max(self.torque_gap_nm, *map(abs, (state.measured - state.applied).tolist()))
        self._take_misses(state, before)

    def _take_misses(self, state: StateFrame, before: StateFrame) -> None:
        """The robot counts anew in every session, and while it waits; here, all while it is active."""
        if state.mode is Mode.COMMAND_ACTIVE:
            self.success_rate_min = min(self.success_rate_min, state.success_rate)
        if before.mode is Mode.COMMAND_ACTIVE:
            self.n_armed += max(1, state.sequence - before.sequence)
            self.n_missed += max(0, state.n_missed - before.n_missed)
            self.longest_run = max(self.longest_run, state.longest_run)

    def document(self) -> dict[str, Any]:
        """The link's part of a summary."""
        return {
            "success_rate": 1.0 - self.n_missed / self.n_armed if self.n_armed else None,
            "success_rate_min_100": self.success_rate_min,
            "robot_missed_commands": self.n_missed,
            "robot_longest_run_of_misses": self.longest_run,
            "torque_gap_nm_max": self.torque_gap_nm,
            "round_trip_s": self.round_trip.document(),
            "period_error_s": self.period_error.document(),
            "states": self.n_states,
            "states_skipped": self.n_skipped,
            "states_refused": {cause.value: n for cause, n in sorted(self.refused.items())},
        }
