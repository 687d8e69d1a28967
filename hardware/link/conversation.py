"""The client's side of a session: what it says, what it hears, and how long it waits for an answer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikearm.errors import ConfigError, LinkError, ProtectiveStopError, RobotEndedError
from spikearm.hardware.link.channel import Channel
from spikearm.hardware.link.greeting import REPEAT_S, greet
from spikearm.hardware.link.statistics import LinkStatistics
from spikearm.hardware.link.stops import describe, what_next
from spikearm.hardware.link.wire import (
    Cause,
    Codec,
    CommandFrame,
    Flag,
    Mode,
    Refused,
    StateFrame,
    Stop,
    Trait,
)
from spikearm.records import FloatArray
from spikearm.timesteps import ticks_in

_REMEMBERED = 256
"""Commands whose torque is remembered, to compare it with what was applied."""
_AT_ONCE = 64
"""Packets that are looked at in search of a newer state: a flood must not keep the client from answering."""
_MOST_TICKS = (1 << 16) - 1
"""Longest time-out that a command can carry."""
_NS = 1_000_000_000
_LOCK_STEP = int(Trait.LOCK_STEP)
"""As a plain number: it is asked for several times per tick, and an enum takes a microsecond to answer."""
_LOOK_THERE = (
    "Look there first: one that still runs holds its arm by itself, and is recovered with --recover; one "
    "that has ended has let it go, and is served again (`spikearm robot serve`)."
)


@dataclass(frozen=True)
class ClientRules:
    """How patient the client is.

    Attributes:
        connect_s: Time for the robot to answer at all, to arm and to recover [s].
        state_s: Time without a state after which the link counts as broken [s].
        timeout_s: Time of missed commands at which the robot shall stop [s], carried by every command; 0
            leaves it to the robot. Only ever stricter than the robot's own limit.
        acknowledged: Whether somebody has said that a real arm may move.
    """

    connect_s: float = 3.0
    state_s: float = 0.5
    timeout_s: float = 0.0
    acknowledged: bool = False

    def __post_init__(self) -> None:
        for key in ("connect_s", "state_s"):
            value = getattr(self, key)
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"{key} must be a positive number of seconds, not {value!r}.")
        if not (math.isfinite(self.timeout_s) and self.timeout_s >= 0.0):
            raise ConfigError(f"timeout_s must be 0 or a positive number, not {self.timeout_s!r}.")

    def timeout_ticks(self, dt_s: float) -> int:
        """The time-out in ticks of the robot's period [s]; 0 for none."""
        return min(ticks_in(self.timeout_s, dt_s), _MOST_TICKS) if self.timeout_s else 0


class Conversation:
    """One session with a robot, from joining it on.

    Args:
        channel: The wire; it is closed with the conversation, and if nobody answers.
        codec: Packs and unpacks.
        rules: How patient to be.
        statistics: Of the link.
        now_ns: Monotonic clock [ns].
        interrupted: Whether somebody has asked to stop: nothing is joined, armed or recovered then.

    Attributes:
        rules: How patient it is.
        statistics: Of the link.
        state: The newest state.
        sequence: Number of the last command.
        zero: No torque [N m], shape (n_joints,).

    Raises:
        LinkError: Nobody answers, another client is in session, or the robot has another arm.
    """

    def __init__(
        self,
        channel: Channel,
        codec: Codec,
        rules: ClientRules,
        statistics: LinkStatistics,
        now_ns: Callable[[], int] = time.monotonic_ns,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._channel = channel
        self._codec = codec
        self.rules = rules
        self.statistics = statistics
        self._now_ns = now_ns
        self._interrupted = interrupted
        self.zero = np.zeros(codec.n_joints)
        self._sent = np.zeros((_REMEMBERED, codec.n_joints))
        self._session = self.sequence = self._timeout_ticks = 0
        try:
            self.state = self._join()
        except BaseException:
            channel.close()
            raise

    @property
    def lock_step(self) -> bool:
        """Whether the robot moves only when it is told to."""
        return bool(int(self.state.traits) & _LOCK_STEP)

    def send(self, flags: Flag, torque: FloatArray, *, seed: int = -1) -> None:
        """Answer the newest state.

        Args:
            flags: What is asked for.
            torque: [N m], shape (n_joints,).
            seed: Of a reset; -1 for none.
        """
        self.sequence += 1
        self._sent[self.sequence % _REMEMBERED] = torque
        self._last_packet = self._codec.pack_command(
            CommandFrame(
                session=self._session,
                sequence=self.sequence,
                answers=self.state.sequence,
                client_ns=self._now_ns(),
                seed=seed,
                flags=flags,
                timeout_ticks=self._timeout_ticks,
                torque=torque,
            )
        )
        self._channel.send(self._last_packet)

    def torque_of(self, sequence: int) -> FloatArray:
        """Torque of a recent command [N m], shape (n_joints,)."""
        torque: FloatArray = self._sent[sequence % _REMEMBERED]
        return torque

    def next_state(self, patience_s: float | None = None) -> StateFrame:
        """Wait for a newer state than the last one; of several that have come, the newest.

        Args:
            patience_s: How long [s]; None takes that of the rules.

        Raises:
            LinkError: None came in time.
        """
        patience_s = self.rules.state_s if patience_s is None else patience_s
        if not self._receive_until(self._in(patience_s), lambda _: True):
            raise LinkError(
                f"no state from the robot for {patience_s:g} s: it has ended, or was killed, frozen or "
                f"unplugged. {_LOOK_THERE}"
            )
        for _ in range(_AT_ONCE):
            if not self.receive():
                break
        return self.state

    def await_answer(self) -> None:
        """In lock step: wait until the last command is done; ask again if its answer was lost.

        Raises:
            LinkError: It is not done in time.
        """
        deadline_ns = self._in(self.rules.state_s)
        number = self.sequence
        while self._now_ns() < deadline_ns:
            repeat_ns = min(deadline_ns, self._in(REPEAT_S))
            if self._receive_until(repeat_ns, lambda state: state.last_command == number):
                return
            self._channel.send(self._last_packet)
        raise LinkError(
            f"the robot has not done command {number} within {self.rules.state_s:g} s: it has ended, or was "
            f"killed, frozen or unplugged. {_LOOK_THERE}"
        )

    def until(
        self, flags: Flag, wanted: Callable[[StateFrame], bool], failure: str, *, allow_stop: bool = False
    ) -> None:
        """Answer every state with these flags until the robot is as wanted.

        Args:
            flags: What is asked for.
            wanted: Whether a state is what was asked for.
            failure: What the robot did not do otherwise.
            allow_stop: Whether a robot that has stopped is asked all the same, unless it is ending.

        Raises:
            LinkError: It takes too long, or somebody has asked to stop.
            ProtectiveStopError: The robot has stopped.
        """
        deadline_ns = self._in(self.rules.connect_s)
        while not wanted(self.state):
            self._require_wanted()
            if self._now_ns() > deadline_ns:
                raise LinkError(
                    f"the robot {failure} within {self.rules.connect_s:g} s; it is in mode "
                    f"{self.state.mode.name}, {100 * self.state.success_rate:.0f} % of commands were in time."
                )
            if not allow_stop or self.state.stop & Stop.ENDED:
                self.require_no_stop()
            self.send(flags, self.zero)
            if self.lock_step:
                self.await_answer()
            else:
                self.next_state(self.rules.connect_s)

    def require_no_stop(self) -> None:
        """Refuse to go on with a robot that has stopped.

        Raises:
            ProtectiveStopError: It has; a RobotEndedError, if nobody can recover it.
        """
        if self.state.mode is Mode.STOPPED:
            stop = self.state.stop
            if stop & Stop.ENDED:
                raise RobotEndedError(f"the robot has stopped: {describe(stop)}. {what_next(stop)}")
            raise ProtectiveStopError(f"the robot has stopped by itself: {describe(stop)}. {what_next(stop)}")

    def receive(self, timeout_s: float = 0.0) -> bool:
        """Take one packet; whether there was one."""
        came = self._channel.receive(timeout_s)
        if came is None:
            return False
        try:
            state = self._codec.unpack_state(came[0])
            if state.session != self._session:
                raise Refused(Cause.SESSION)
            if state.sequence <= self.state.sequence and state.last_command <= self.state.last_command:
                raise Refused(Cause.SEQUENCE)
        except Refused as refusal:
            self.statistics.refused[refusal.cause] += 1
            return True
        self.statistics.take(state, self.state, self._now_ns())
        self.state = state
        return True

    def say_goodbye(self) -> None:
        """Give the arm back to its own hold, and close the wire.

        A robot that does not hear it stops by itself, after too many missed commands.
        """
        first = self.sequence + 1
        try:
            for _ in range(5):
                self.send(Flag.HOLD | Flag.BYE, self.zero)
                # Its mode says nothing: a robot that has stopped may not have heard.
                if self._receive_until(self._in(0.02), lambda state: state.last_command >= first):
                    break
        finally:
            self._channel.close()

    def _require_wanted(self) -> None:
        if self._interrupted():
            raise LinkError("interrupted before the robot was joined, recovered or armed.")

    def _in(self, seconds: float) -> int:
        """A time from now [ns]."""
        return self._now_ns() + round(seconds * _NS)

    def _join(self) -> StateFrame:
        """Learn the session's number, and be the one who is in it."""
        deadline_ns, busy = self._in(self.rules.connect_s), False
        while self._now_ns() < deadline_ns:
            self._require_wanted()
            welcome = greet(self._channel, self._codec, self._now_ns, on_refused=self._note)
            if welcome is None:
                continue
            if busy := not welcome.session:
                self._pause(welcome.echo_ns + round(_NS * REPEAT_S))
                continue  # a client that died is forgotten after a while
            # A first command whose answer was lost has been taken all the same.
            self.state, self._session = welcome, welcome.session
            self._timeout_ticks = self.rules.timeout_ticks(welcome.dt_s)
            self.sequence = welcome.last_command
            self.send(Flag.HOLD, self.zero)
            joined_ns = self._in(REPEAT_S)
            if self._receive_until(joined_ns, lambda state: state.last_command == self.sequence):
                return self.state
        if busy:
            raise LinkError("another client is in session with this robot; end that one first.")
        raise LinkError(
            f"nobody answers within {self.rules.connect_s:g} s. Is the robot served at this address, with "
            f"the same key, and has it {self._codec.n_joints} joints?"
        )

    def _note(self, refusal: Refused) -> None:
        """Count what is no state of this arm.

        Raises:
            LinkError: It is a state of another.
        """
        self.statistics.refused[refusal.cause] += 1
        if refusal.cause is Cause.ARM:
            raise LinkError(
                "the robot at this address is another arm than the one this run is for: "
                "another weight, other ranges or other torque limits. Give both ends the same --arm."
            )

    def _pause(self, until_ns: int) -> None:
        """Let time go by; what comes meanwhile is for nobody."""
        while (remaining_ns := until_ns - self._now_ns()) > 0:
            self._channel.receive(1e-9 * remaining_ns)

    def _receive_until(self, deadline_ns: int, wanted: Callable[[StateFrame], bool]) -> bool:
        """Receive until a new state is as wanted; False if that takes too long."""
        before = self.state
        while True:
            remaining_ns = deadline_ns - self._now_ns()
            if remaining_ns <= 0:
                return False
            self.receive(1e-9 * remaining_ns)
            if self.state is not before and wanted(self.state):
                return True
