"""The robot's side of a session: who may command, what is believed, and what torque comes of it.

No sockets and no clock in here: packets that were unpacked, readings and ticks come in, torque comes out.
Time is counted in the robot's own ticks, those it slept through included, so the watchdog lives on the
robot's clock.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from spikearm.errors import ConfigError
from spikearm.hardware.link.channel import Peer
from spikearm.hardware.link.hold import Hold
from spikearm.hardware.link.limits import Limits
from spikearm.hardware.link.watchdog import Watchdog, WatchdogRules, require_at_most
from spikearm.hardware.link.wire import (
    ENDING,
    NO_FLAG,
    NO_STOP,
    STARTING,
    Cause,
    CommandFrame,
    Flag,
    Mode,
    Refused,
    Stop,
)
from spikearm.records import FloatArray, JointState
from spikearm.timesteps import ticks_in

AT_REST_RAD_S = 0.1
"""Joint speed below which a stopped arm may be recovered, and a real one be served [rad/s]."""
_MOST_PATIENT_S = {"stale_s": 0.2, "blind_s": 0.2, "runaway_s": 0.5, "silence_s": 10.0}
"""Largest values of what lets a real arm go on [s]."""


@dataclass(frozen=True)
class SessionRules:
    """What a session asks of its client.

    Attributes:
        watchdog: When too many commands were missed.
        stale_s: Age of a state beyond which an answer to it is refused [s].
        ready_s: Time in which every tick must have its command before an arm that waits becomes active [s].
        silence_s: Time without any command after which the session is over [s].
        blind_s: Time without a reading after which an arm can be held no longer [s].
        runaway_s: Time beyond the speed limit, and without getting slower, after which a hold counts as what
            drives the arm [s].
    """

    watchdog: WatchdogRules = field(default_factory=WatchdogRules)
    stale_s: float = 0.005
    ready_s: float = 0.01
    silence_s: float = 1.0
    blind_s: float = 0.01
    runaway_s: float = 0.2

    def require_watchful(self) -> None:
        """A real arm's watchdog can be made a little more patient, and not be set away.

        Raises:
            ConfigError: It was.
        """
        self.watchdog.require_watchful()
        for key, most_s in _MOST_PATIENT_S.items():
            require_at_most(key, getattr(self, key), most_s, unit=" s")

    def __post_init__(self) -> None:
        for key in ("stale_s", "ready_s", "silence_s", "blind_s", "runaway_s"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"{key} must be a positive number of seconds, not {value!r}.")


def random_session() -> int:
    """A session number that was never used before, in all probability; never 0."""
    return secrets.randbits(64) | 1


class RobotSession:
    """MONITOR -> COMMAND_WAIT -> COMMAND_ACTIVE, and the latched stop.

    Args:
        rules: What is asked of the client.
        limits: What is let through.
        hold: The robot's own torque.
        first: The first reading.
        dt_s: Time of a tick [s].
        given: Torque that the arm's drives give already, from which the hold begins [N m], shape (n_joints,);
            None: all that the hold wants, as by a simulated arm.
        real: Whether the arm can hurt: it is armed and recovered by those only who say that it may move.
        new_session: Draws session numbers.

    Attributes:
        mode: What is done with commands.
        stop: Why the arm has stopped; 0 if it has not.
        number: The present session's number.
        peer: Who commands; None while nobody has joined.
        last_sequence: Sequence of the last accepted command.
        moved_by: Sequence of the command whose torque is applied; 0 for the hold.
        tick_number: Ticks so far; a state's sequence.
        watchdog: Counts missed commands.
        stops: Every stop so far and its tick, the last hundred.
        ending: Whether the robot was told to end.
    """

    def __init__(
        self,
        rules: SessionRules,
        limits: Limits,
        hold: Hold,
        first: JointState,
        *,
        dt_s: float,
        given: FloatArray | None = None,
        real: bool = False,
        new_session: Callable[[], int] = random_session,
    ) -> None:
        self._limits = limits
        self._hold = hold
        self._real = real
        self._new_session = new_session
        self._stale, self._ready = ticks_in(rules.stale_s, dt_s), ticks_in(rules.ready_s, dt_s)
        self._silence, self._blind = ticks_in(rules.silence_s, dt_s), ticks_in(rules.blind_s, dt_s)
        self._runaway = ticks_in(rules.runaway_s, dt_s)
        self.watchdog = Watchdog(rules.watchdog, dt_s=dt_s)
        self.stop = NO_STOP
        self.mode = Mode.IDLE
        self.ending = False
        self._n_fast = self._n_blind = 0
        self._slowest = math.inf
        self.tick_number = 0
        self._shown, self._shown_at = NO_STOP, 0
        self.stops: list[tuple[int, Stop]] = []
        self.applied: FloatArray = np.zeros_like(first.q)
        self.end_session()
        if given is None:
            self.place(first)
        else:
            self.begin(first, given)

    def begin(self, reading: JointState, given: FloatArray) -> None:
        """The arm stands there when serving begins: hold it there, from the torque that its drives give.

        Args:
            reading: Where.
            given: [N m], shape (n_joints,).
        """
        self.place(reading)
        self.report(given)

    def place(self, reading: JointState) -> None:
        """The arm was put somewhere else: hold it there, from this instant on, until it is armed again."""
        if self.mode in (Mode.COMMAND_WAIT, Mode.COMMAND_ACTIVE):
            self.mode = Mode.MONITOR
        self._hold.release()
        self.applied = self._limits.clip(self._hold.torque(reading))

    def report(self, applied: FloatArray) -> None:
        """What the arm says it applied [N m]: the next torque changes from there, within the limits."""
        self.applied = self._limits.clip(applied)

    def end_session(self) -> None:
        """The client has gone: hold, and let the next one in under a new number."""
        self.number = self._new_session()
        self.peer: Peer = None
        self.last_sequence = self.moved_by = 0
        self.mode = Mode.STOPPED if self.stop else Mode.IDLE
        self._command: CommandFrame | None = None
        self._fresh = False
        self._n_ready = self._n_silent = 0
        self.watchdog.restart()

    def leapt(self, q: FloatArray, before: FloatArray, n_ticks: int) -> bool:
        """Whether these joint angles [rad] are further from those before than any motion of an arm leads."""
        return self._limits.leapt(q, before, n_ticks)

    def offer(self, command: CommandFrame, peer: Peer) -> Flag:
        """Take a genuine command, or refuse it.

        A later command of the same tick takes the place of an earlier one, but what an earlier one asked for
        besides torque is done all the same.

        Returns:
            What of its flags is obeyed: who wants to end wants nothing else.

        Raises:
            Refused: It is none of this session, old, or not allowed now; nothing was changed.
        """
        self._require_acceptable(command, peer)
        if command.flags and command.flags & ENDING:
            command = replace(command, flags=command.flags & (ENDING | Flag.HOLD))
        if self.peer is None:
            self.peer = peer
            if self.mode is Mode.IDLE:
                self.mode = Mode.MONITOR
        self.last_sequence = command.sequence
        self._n_silent = 0
        self._command, self._fresh = command, True
        if command.flags:
            self._obey(command.flags)
        return command.flags

    def tick(
        self,
        reading: JointState,
        *,
        fault: Stop = NO_STOP,
        n_blind: int = 0,
    ) -> FloatArray:
        """One tick of the robot.

        Args:
            reading: What the arm says now, or said last.
            fault: Something else that must stop the arm.
            n_blind: Periods for which the arm has said nothing; 0 if it says something now.

        Returns:
            Torque to apply until the next tick [N m], shape (n_joints,).
        """
        self.tick_number += 1
        fresh, self._fresh = self._fresh, False
        self._watch(fresh)
        self._n_blind = n_blind
        if self._n_blind > self._blind:
            fault |= Stop.TORQUE_OFF
        if fault and fault & Stop.SENSOR and not n_blind:
            self._hold.release()  # from where the arm is said to be now, without a pull towards before
        if beyond := self._beyond(reading):
            fault |= beyond
        if fault:
            self.protect(fault)
        elif fresh and not n_blind:
            self._recover(reading)
        if self.stop != self._shown:
            self._shown, self._shown_at = self.stop, self.tick_number
        self.applied = self._limits.clamp(self._wanted(reading), self.applied)
        return self.applied

    def stalled(self, n_ticks: int) -> None:
        """The robot itself has stood still: its arm went on with the last torque, unwatched.

        The ticks it slept through are ticks all the same, and none of them brought a command. To be called
        before what waited meanwhile is looked at.

        Args:
            n_ticks: For so long.
        """
        self.tick_number += n_ticks
        self._n_ready = 0
        if self.peer is None:
            return
        why = self._watchdog_says(n_ticks)
        if why and self.mode is Mode.COMMAND_ACTIVE:
            self.protect(why | Stop.STALLED)

    def protect(self, why: Stop) -> None:
        """Stop, and stay stopped until somebody recovers."""
        if not self.stop:
            self.stops = [*self.stops[-99:], (self.tick_number, why)]
        self.stop |= why
        self.mode = Mode.STOPPED

    def start_over(self) -> None:
        """The robot is served, perhaps again: what ended before is over, and its client with it."""
        if self.ending:
            self.ending = False
            self.stop &= ~Stop.ENDED
            self.end_session()

    def wind_up(self) -> None:
        """The robot is ending: stop who commands, and arm or recover nothing from now on."""
        self.ending = True
        if self.mode in (Mode.COMMAND_WAIT, Mode.COMMAND_ACTIVE):
            self.protect(Stop.ENDED)

    def _require_acceptable(self, command: CommandFrame, peer: Peer) -> None:
        if command.session != self.number:
            raise Refused(Cause.SESSION)
        if self.peer is not None and peer != self.peer:
            raise Refused(Cause.PEER)
        if command.sequence <= self.last_sequence:
            raise Refused(Cause.SEQUENCE)
        starts = NO_FLAG
        if command.flags:  # hardly ever: what a flag costs is not spent on a torque
            if command.flags & ENDING:
                return  # the wish to end is never too old, and its torque moves nothing
            starts = command.flags & STARTING
        if not 0 <= self.tick_number - command.answers <= self._stale:
            raise Refused(Cause.STALE)
        if (starts or self.mode is Mode.COMMAND_WAIT) and command.torque.any():
            raise Refused(Cause.FIRST_TORQUE)
        if starts:
            self._require_deliberate(command)

    def _require_deliberate(self, command: CommandFrame) -> None:
        """What may set an arm in motion asks for one thing, and knows what it asks it of."""
        if int(command.flags) & ~int(_WITH_A_START) not in (Flag.ARM, Flag.RECOVER):
            raise Refused(Cause.FLAGS)
        if self.ending:
            raise Refused(Cause.ENDING)
        if self._real and not command.flags & Flag.ACKNOWLEDGED:
            raise Refused(Cause.UNACKNOWLEDGED)
        # A stop that its client has not seen yet is not released by what was meant for an earlier one.
        seen = self._shown == self.stop and command.answers >= self._shown_at
        if command.flags & Flag.RECOVER and self.stop and not seen:
            raise Refused(Cause.STALE)

    def _obey(self, flags: Flag) -> None:
        if flags & Flag.STOP and self.mode in (Mode.COMMAND_WAIT, Mode.COMMAND_ACTIVE):
            self.protect(Stop.CLIENT)
        if flags & Flag.BYE:
            self.end_session()
        elif flags & Flag.ARM and self.mode is Mode.MONITOR:
            self.mode, self._n_ready = Mode.COMMAND_WAIT, 0
            self.watchdog.forgive()

    def _watch(self, fresh: bool) -> None:
        """Count what was missed; stop an armed robot, forget a silent client."""
        self._n_silent += 1
        if self.peer is not None:
            why = self._watchdog_says(0 if fresh else 1)
            if self.mode is Mode.COMMAND_WAIT:
                self._make_ready(fresh)
            elif why:
                self.protect(why)
        if self.peer is not None and self._n_silent > self._silence:
            self.end_session()

    def _watchdog_says(self, n_missed: int) -> Stop:
        """Why to stop after so many misses or, with none, after a command in time."""
        timeout = 0 if self._command is None else self._command.timeout_ticks
        armed = self.mode in (Mode.COMMAND_WAIT, Mode.COMMAND_ACTIVE)
        if n_missed:
            return self.watchdog.sleep(n_missed, armed=armed, timeout_ticks=timeout)
        return self.watchdog.tick(missed=False, armed=armed)

    def _make_ready(self, fresh: bool) -> None:
        """Active only after some commands in time, one after the other."""
        self._n_ready = self._n_ready + 1 if fresh else 0
        if self._n_ready >= self._ready:
            self.mode = Mode.COMMAND_ACTIVE
            self.watchdog.forgive()

    def _beyond(self, reading: JointState) -> Stop:
        """Limits that the arm is beyond, whoever moves it; and whether its hold does."""
        violated = self._limits.violated(reading)
        if not self.stop or not violated & Stop.SPEED_LIMIT:
            self._n_fast, self._slowest = 0, math.inf
            return NO_STOP if self.stop else violated
        speed = float(np.abs(reading.dq).max())
        # An arm that becomes slower is being braked, however long that takes.
        self._n_fast = 0 if speed < self._slowest else self._n_fast + 1
        self._slowest = min(speed, self._slowest)
        return Stop.TORQUE_OFF if self._n_fast > self._runaway else NO_STOP

    def _wanted(self, reading: JointState) -> FloatArray:
        """The client's torque while it may command, the robot's own otherwise."""
        command = self._command
        self.moved_by = 0
        if self.stop and self.stop & Stop.TORQUE_OFF:
            return np.zeros_like(reading.q)
        if self._n_blind:
            return self._hold.weight(reading)
        if self.mode is not Mode.COMMAND_ACTIVE or command is None:
            return self._hold.torque(reading)
        if command.flags and command.flags & _HOLDING:
            return self._hold.torque(reading)
        self._hold.release()
        self.moved_by = command.sequence
        push = self._limits.push_back(reading)
        # What is beyond the limit is cut before the push: it would outweigh it otherwise.
        return command.torque if push is None else self._limits.clip(command.torque) + push

    def _recover(self, reading: JointState) -> None:
        """A stopped arm at rest, within its limits, is released if the client asks for it now."""
        if self.ending or not self.stop or self._command is None:
            return  # one that was taken before the robot was told to end is not obeyed after it
        if not self._command.flags & Flag.RECOVER:
            return
        if (np.abs(reading.dq) < AT_REST_RAD_S).all() and not self._limits.violated(reading):
            if self.stop & Stop.TORQUE_OFF:
                self._hold.release()  # without torque, the arm is no longer where it was held
            self.stop = NO_STOP
            self.mode = Mode.MONITOR


_HOLDING = ENDING | STARTING | Flag.HOLD | Flag.RESET | Flag.HELLO
"""Flags of commands whose torque moves nothing."""
_WITH_A_START = Flag.HOLD | Flag.ACKNOWLEDGED
"""Flags that may come with one of ``STARTING``."""
