"""The client's end of a link: an arm that is somewhere else, as a plant like any other."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import numpy as np

from spikearm.errors import ClosedError, ConfigError, LinkError, NotFiniteError, ProtectiveStopError
from spikearm.hardware.link.channel import Channel
from spikearm.hardware.link.statistics import LinkStatistics
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
from spikearm.records import FloatArray, JointState

_REPEAT_S = 0.05
"""After this time without an answer, a question is asked again [s]."""
_REMEMBERED = 256
"""Commands whose torque is remembered, to compare it with what was applied."""


@dataclass(frozen=True)
class ClientRules:
    """How patient the client is.

    Attributes:
        connect_s: Time for the robot to answer at all, to arm and to recover [s].
        state_s: Time without a state after which the link counts as broken [s].
        timeout_ticks: Missed commands in a row at which the robot shall stop, carried by every command; 0
            leaves it to the robot. Only ever stricter than the robot's own limit.
        acknowledged: Whether somebody has said that a real arm may move.
    """

    connect_s: float = 3.0
    state_s: float = 0.5
    timeout_ticks: int = 0
    acknowledged: bool = False

    def __post_init__(self) -> None:
        for key in ("connect_s", "state_s"):
            if not getattr(self, key) > 0.0:
                raise ConfigError(f"{key} must be a positive number of seconds, not {getattr(self, key)!r}.")
        if not 0 <= self.timeout_ticks < 1 << 16:
            raise ConfigError(f"timeout_ticks must be from 0 to 65535, not {self.timeout_ticks!r}.")


class RemotePlant:
    """An arm behind a link; satisfies the controller's ``Plant``.

    In lock step the robot moves with every :meth:`write`, and only then: the torque it returns is the one
    that was applied. In real time the robot does not wait: :class:`LinkClock` returns with each new state,
    and :meth:`write` returns at once, with the newest that is known of what the arm applies: the torque
    itself, less what its limits cut off last time, if the robot did what it was last told to do; and what it
    really applied if it did something else, because a command was missed or the arm is on hold. So a learner
    that compares the two stands still while the torque is cut and while the link is down.

    Usable as a context manager. Made by :meth:`connect`.

    Args:
        channel: The wire.
        codec: Packs and unpacks.
        rules: How patient to be.
        statistics: Of an earlier session, to be continued; None begins new ones.
        now_ns: Monotonic clock [ns].

    Attributes:
        statistics: Of the link, since it was made.

    Raises:
        LinkError: Nobody answers, or another client is in session.
    """

    def __init__(
        self,
        channel: Channel,
        codec: Codec,
        *,
        rules: ClientRules | None = None,
        statistics: LinkStatistics | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._channel = channel
        self._codec = codec
        self._rules = rules or ClientRules()
        self._now_ns = now_ns
        self._zero = np.zeros(codec.n_joints)
        self._sent = np.zeros((_REMEMBERED, codec.n_joints))
        self._session = self._sequence = 0
        self._closed = self._armed = False
        self.statistics = LinkStatistics() if statistics is None else statistics
        try:
            self._state = self._join()
        except BaseException:
            channel.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def dt_s(self) -> float:
        """Robot's period [s]."""
        return self._state.dt_s

    @property
    def traits(self) -> Trait:
        """What kind of robot it is."""
        return self._state.traits

    @property
    def lock_step(self) -> bool:
        """Whether the robot moves only when it is told to."""
        return bool(self._state.traits & Trait.LOCK_STEP)

    @property
    def mode(self) -> Mode:
        """What the robot does with commands."""
        return self._state.mode

    @property
    def success_rate(self) -> float:
        """Share of the robot's last 100 ticks that had a new command, from 0 to 1."""
        return self._state.success_rate

    @property
    def stop_reason(self) -> Stop:
        """Why the robot has stopped; 0 if it has not."""
        return self._state.stop

    # -- the controller's Plant ----------------------------------------------------------------------

    def reset(self, *, seed: int | None = None) -> JointState:
        """Bring a simulated robot to its starting state; afterwards it is armed if it was before.

        Raises:
            LinkError: The robot is real: nothing but a motion can bring it anywhere.
            ClosedError: The plant was closed.
        """
        self._require_open()
        if not self.traits & Trait.RESETTABLE:
            raise LinkError("this robot cannot be reset: move it to its start with a path, or by hand.")
        armed = self._armed
        before = self._sequence
        self._send(Flag.HOLD | Flag.RESET, self._zero, seed=-1 if seed is None else seed)
        self._converse(Flag.HOLD, lambda state: state.last_command > before, "did not reset")
        if armed:
            self.arm()
        return self.read()

    def read(self) -> JointState:
        """The newest reading that has arrived.

        Raises:
            ClosedError: The plant was closed.
        """
        self._require_open()
        state = self._state
        return JointState(state.q.copy(), state.dq.copy(), state.t_s)

    def write(self, torque: FloatArray) -> FloatArray:
        """Send a torque.

        Args:
            torque: Commanded torque [N m], shape (n_joints,).

        Returns:
            The newest that is known of the torque applied [N m], shape (n_joints,).

        Raises:
            NotFiniteError: The torque is not finite; nothing was sent.
            ConfigError: The torque has the wrong shape; likewise.
            ProtectiveStopError: The robot has stopped.
            LinkError: The robot does not answer any more.
            ClosedError: The plant was closed.
        """
        self._require_open()
        torque = self._checked(torque)
        self._require_no_stop()
        if not self._armed:
            self._send(Flag.HOLD, self._zero)
            if self.lock_step:
                self._await_answer()
            return self._state.applied.copy()
        if not self.lock_step:
            applied = self._newest_applied(torque)
            self._send(Flag(0), torque)
            return applied
        self._send(Flag(0), torque)
        self._await_answer()
        self._require_no_stop()
        return self._state.applied.copy()

    def close(self) -> None:
        """Give the arm back to its own hold; closing twice is not an error.

        A robot that does not hear it stops by itself, after too many missed commands.
        """
        if self._closed:
            return
        self._closed = True
        with suppress(LinkError):
            for _ in range(5):
                self._send(Flag.HOLD | Flag.BYE, self._zero)
                goodbye_ns = self._now_ns() + 20_000_000
                if self._receive_until(goodbye_ns, lambda state: state.mode in (Mode.IDLE, Mode.STOPPED)):
                    break
        self._channel.close()

    # -- what only a robot across a wire has ---------------------------------------------------------

    def arm(self) -> None:
        """From MONITOR to COMMAND_ACTIVE; until the first :meth:`write`, the robot holds.

        Raises:
            ProtectiveStopError: The robot has stopped; :meth:`recover` it first.
            ConfigError: The robot is real and nobody has acknowledged that it may move.
            LinkError: It did not become active in time.
        """
        self._require_open()
        self._require_no_stop()
        if self.traits & Trait.REAL and not self._rules.acknowledged:
            raise ConfigError(
                "this robot is real. Clear its surroundings, keep a hand on its emergency stop, read "
                "docs/safety.md, and say so with --acknowledge-real-arm; without it, use --monitor."
            )
        self._converse(
            Flag.HOLD | Flag.ARM, lambda state: state.mode is Mode.COMMAND_ACTIVE, "did not become active"
        )
        self._armed = True

    def recover(self) -> None:
        """Release a robot that has stopped; it is in MONITOR then, and has to be armed again.

        Raises:
            LinkError: It did not let itself be released: it moves, or is outside its limits.
        """
        self._require_open()
        self._armed = False
        if self.mode is Mode.STOPPED:
            self._converse(
                Flag.HOLD | Flag.RECOVER,
                lambda state: state.mode is not Mode.STOPPED,
                "did not recover: it still moves, or stands outside its limits",
                allow_stop=True,
            )

    def stop(self) -> None:
        """Make an armed robot stop and stay stopped.

        Raises:
            LinkError: It did not say that it has.
        """
        self._require_open()
        self._armed = False
        self._converse(
            Flag.HOLD | Flag.STOP,
            lambda state: state.mode not in (Mode.COMMAND_WAIT, Mode.COMMAND_ACTIVE),
            "did not stop",
            allow_stop=True,
        )

    def next_state(self) -> StateFrame:
        """Wait for a newer state than the last one; of several that have come, the newest.

        Raises:
            LinkError: None came in time.
        """
        deadline_ns = self._now_ns() + round(1e9 * self._rules.state_s)
        if not self._receive_until(deadline_ns, lambda _: True):
            raise LinkError(
                f"no state from the robot for {self._rules.state_s:g} s: it was killed, frozen or unplugged. "
                "It stops its arm by itself; look there first, then recover."
            )
        while self._receive():
            pass
        return self._state

    # -- inside --------------------------------------------------------------------------------------

    def _join(self) -> StateFrame:
        """Learn the session's number, and be the one who is in it."""
        deadline_ns = self._now_ns() + round(1e9 * self._rules.connect_s)
        while self._now_ns() < deadline_ns:
            hello_ns = self._now_ns()
            hello = CommandFrame(0, 0, 0, hello_ns, -1, Flag.HELLO, 0, self._zero)
            self._channel.send(self._codec.pack_command(hello))
            welcome = self._welcome(hello_ns)
            if welcome is None:
                continue
            # A first command whose answer was lost has been taken all the same.
            self._state, self._session = welcome, welcome.session
            self._sequence = welcome.last_command
            self._send(Flag.HOLD, self._zero)
            joined_ns = self._now_ns() + round(1e9 * _REPEAT_S)
            if self._receive_until(joined_ns, lambda state: state.last_command == self._sequence):
                return self._state
        raise LinkError(
            f"nobody answers within {self._rules.connect_s:g} s. Is the robot served at this address, with "
            f"the same key, and has it {self._codec.n_joints} joints?"
        )

    def _welcome(self, hello_ns: int) -> StateFrame | None:
        """The answer to this hello and no other: an old one, played again, echoes another time."""
        deadline_ns = hello_ns + round(1e9 * _REPEAT_S)
        while (remaining_ns := deadline_ns - self._now_ns()) > 0:
            came = self._channel.receive(1e-9 * remaining_ns)
            if came is None:
                continue
            try:
                state = self._codec.unpack_state(came[0])
            except Refused as refusal:
                self.statistics.refused[refusal.cause] += 1
                continue
            if state.echo_ns != hello_ns:
                continue
            if not state.session:
                raise LinkError("another client is in session with this robot; end that one first.")
            return state
        return None

    def _receive(self, timeout_s: float = 0.0) -> bool:
        """Take one packet; whether there was one."""
        came = self._channel.receive(timeout_s)
        if came is None:
            return False
        try:
            state = self._codec.unpack_state(came[0])
            if state.session != self._session:
                raise Refused(Cause.SESSION)
            if state.sequence <= self._state.sequence and state.last_command <= self._state.last_command:
                raise Refused(Cause.SEQUENCE)
        except Refused as refusal:
            self.statistics.refused[refusal.cause] += 1
            return True
        self.statistics.take(state, self._state, self._now_ns())
        self._state = state
        return True

    def _receive_until(self, deadline_ns: int, wanted: Callable[[StateFrame], bool]) -> bool:
        """Receive until a new state is as wanted; False if that takes too long."""
        before = self._state
        while True:
            remaining_ns = deadline_ns - self._now_ns()
            if remaining_ns <= 0:
                return False
            self._receive(1e-9 * remaining_ns)
            if self._state is not before and wanted(self._state):
                return True

    def _await_answer(self) -> None:
        """In lock step: wait until the last command is done; ask again if its answer was lost."""
        deadline_ns = self._now_ns() + round(1e9 * self._rules.state_s)
        number = self._sequence
        while self._now_ns() < deadline_ns:
            repeat_ns = min(deadline_ns, self._now_ns() + round(1e9 * _REPEAT_S))
            if self._receive_until(repeat_ns, lambda state: state.last_command == number):
                return
            self._channel.send(self._last_packet)
        raise LinkError(f"the robot has not done command {number} within {self._rules.state_s:g} s.")

    def _converse(
        self, flags: Flag, until: Callable[[StateFrame], bool], failure: str, *, allow_stop: bool = False
    ) -> None:
        """Answer every state with these flags until the robot is as wanted."""
        deadline_ns = self._now_ns() + round(1e9 * self._rules.connect_s)
        while not until(self._state):
            if self._now_ns() > deadline_ns:
                raise LinkError(
                    f"the robot {failure} within {self._rules.connect_s:g} s; it is in mode "
                    f"{self.mode.name}, {100 * self._state.success_rate:.0f} % of commands were in time."
                )
            if not allow_stop:
                self._require_no_stop()
            self._send(flags, self._zero)
            if self.lock_step:
                self._await_answer()
            else:
                self.next_state()

    def _send(self, flags: Flag, torque: FloatArray, *, seed: int = -1) -> None:
        self._sequence += 1
        self._sent[self._sequence % _REMEMBERED] = torque
        self._last_packet = self._codec.pack_command(
            CommandFrame(
                session=self._session,
                sequence=self._sequence,
                answers=self._state.sequence,
                client_ns=self._now_ns(),
                seed=seed,
                flags=flags,
                timeout_ticks=self._rules.timeout_ticks,
                torque=torque,
            )
        )
        self._channel.send(self._last_packet)

    def _newest_applied(self, torque: FloatArray) -> FloatArray:
        """What the arm is known to do with this torque, by what it did with the one before."""
        state = self._state
        if not state.moved_by or state.last_command != self._sequence:
            return state.applied.copy()
        cut = state.applied - self._sent[state.moved_by % _REMEMBERED]
        known: FloatArray = torque + cut
        return known

    def _checked(self, torque: FloatArray) -> FloatArray:
        torque = np.asarray(torque, dtype=np.float64)
        if torque.shape != self._zero.shape:
            raise ConfigError(
                f"torque has shape {torque.shape}, not {self._zero.shape}: give one value per joint."
            )
        if not np.isfinite(torque).all():
            raise NotFiniteError(
                f"the torque must be finite, not {torque}. Nothing was sent: look for a division by zero or "
                "a diverged network upstream."
            )
        return torque

    def _require_no_stop(self) -> None:
        if self._state.mode is Mode.STOPPED:
            raise ProtectiveStopError(
                f"the robot has stopped by itself: {describe(self._state.stop)}. It holds its arm and "
                "takes no torque; find the cause, then recover it (--recover)."
            )

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the plant was closed; make a new one.")


class LinkClock:
    """The robot's period as the loop's clock: a tick is due when a new state has come.

    Args:
        plant: The robot.
        arm: Whether the start of a loop arms the robot; if not, it is only looked at.
    """

    def __init__(self, plant: RemotePlant, *, arm: bool = True) -> None:
        self._plant = plant
        self._arm = arm
        self._answer_now = False

    def start(self) -> None:
        """Arm the robot now, immediately before the first tick: an armed robot waits for nobody.

        Raises:
            ProtectiveStopError: It has stopped.
            LinkError: It does not become active.
        """
        if self._arm:
            self._plant.arm()
            self._answer_now = True  # the state that says so waits for its command

    def wait(self) -> float:
        """Wait for the next state; how much longer it took to come than the fastest so far [s].

        In lock step the state after the last command is there already.

        Raises:
            LinkError: None came in time.
        """
        if self._plant.lock_step or self._answer_now:
            self._answer_now = False
            return 0.0
        self._plant.next_state()
        return self._plant.statistics.delay_s


_REASONS = {
    Stop.MISSED_IN_A_ROW: "too many commands missed in a row",
    Stop.MISSED_TOO_OFTEN: "too large a share of commands missed",
    Stop.CLIENT: "the client told it to",
    Stop.JOINT_LIMIT: "a joint was beyond its range",
    Stop.SPEED_LIMIT: "a joint was faster than its limit",
    Stop.SENSOR: "a sensor gave no number",
    Stop.PLANT: "its drive or simulation failed",
}


def describe(stop: Stop) -> str:
    """Reasons of a stop in words."""
    return ", ".join(text for reason, text in _REASONS.items() if stop & reason) or "no reason given"
