"""The client's end of a link: an arm that is somewhere else, as a plant like any other."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from spikearm.errors import ClosedError, ConfigError, LinkError
from spikearm.hardware.link.channel import Channel
from spikearm.hardware.link.conversation import ClientRules, Conversation
from spikearm.hardware.link.statistics import LinkStatistics
from spikearm.hardware.link.wire import NO_FLAG, Codec, Flag, Mode, StateFrame, Stop, Trait
from spikearm.hardware.torque_check import checked_torque
from spikearm.records import FloatArray, JointState


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
        interrupted: Whether somebody has asked to stop: it is not joined, armed or recovered then.

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
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._closed = self._armed = False
        self.statistics = LinkStatistics() if statistics is None else statistics
        self._robot = Conversation(
            channel, codec, rules or ClientRules(), self.statistics, now_ns, interrupted
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def dt_s(self) -> float:
        """Robot's period [s]."""
        return self._robot.state.dt_s

    @property
    def traits(self) -> Trait:
        """What kind of robot it is."""
        return self._robot.state.traits

    @property
    def lock_step(self) -> bool:
        """Whether the robot moves only when it is told to."""
        return self._robot.lock_step

    @property
    def mode(self) -> Mode:
        """What the robot does with commands."""
        return self._robot.state.mode

    @property
    def success_rate(self) -> float:
        """Share of the robot's last 100 ticks that had a new command, from 0 to 1."""
        return self._robot.state.success_rate

    @property
    def stop_reason(self) -> Stop:
        """Why the robot has stopped; 0 if it has not."""
        return self._robot.state.stop

    # -- the controller's Plant ----------------------------------------------------------------------

    def reset(self, *, seed: int | None = None) -> JointState:
        """Bring a simulated robot to its starting state; afterwards it is armed if it was before.

        Raises:
            LinkError: The robot is real: nothing but a motion can bring it anywhere.
            ProtectiveStopError: The robot has stopped: by this, if its plant cannot be reset.
            ClosedError: The plant was closed.
        """
        self._require_open()
        if not self.traits & Trait.RESETTABLE:
            raise LinkError("this robot cannot be reset: move it to its start with a path, or by hand.")
        armed = self._armed
        before = self._robot.sequence
        self._robot.send(Flag.HOLD | Flag.RESET, self._robot.zero, seed=-1 if seed is None else seed)
        self._robot.until(Flag.HOLD, lambda state: state.last_command > before, "did not reset")
        self._robot.require_no_stop()  # as it does if its plant could not be reset
        if armed:
            self.arm()
        return self.read()

    def read(self) -> JointState:
        """The newest reading that has arrived.

        Raises:
            ClosedError: The plant was closed.
        """
        self._require_open()
        state = self._robot.state
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
            ProtectiveStopError: The robot was armed and has stopped, or it ends.
            LinkError: The robot does not answer any more.
            ClosedError: The plant was closed.
        """
        self._require_open()
        torque = checked_torque(torque, len(self._robot.zero))
        if self._armed or self.stop_reason & Stop.ENDED:  # to look on, it need not be going
            self._robot.require_no_stop()
        if not self._armed:
            self._robot.send(Flag.HOLD, self._robot.zero)
            if self.lock_step:
                self._robot.await_answer()
            return self._robot.state.applied.copy()
        if not self.lock_step:
            before = self._robot.sequence
            self._robot.send(NO_FLAG, torque)  # first of all: the robot waits for it
            return self._newest_applied(torque, before)
        self._robot.send(NO_FLAG, torque)
        self._robot.await_answer()
        self._robot.require_no_stop()
        return self._robot.state.applied.copy()

    def close(self) -> None:
        """Give the arm back to its own hold; closing twice is not an error.

        A robot that does not hear it stops by itself, after too many missed commands.
        """
        if not self._closed:
            self._closed = True
            self._robot.say_goodbye()

    # -- what only a robot across a wire has ---------------------------------------------------------

    def arm(self) -> None:
        """From MONITOR to COMMAND_ACTIVE; until the first :meth:`write`, the robot holds.

        Raises:
            ProtectiveStopError: The robot has stopped; :meth:`recover` it first.
            ConfigError: The robot is real and nobody has acknowledged that it may move.
            LinkError: It did not become active in time.
        """
        self._require_open()
        self._robot.require_no_stop()
        self._robot.until(
            self._acknowledged(Flag.ARM),
            lambda state: state.mode is Mode.COMMAND_ACTIVE,
            "did not become active",
        )
        self._armed = True

    def recover(self) -> None:
        """Release a robot that has stopped; it is in MONITOR then, and has to be armed again.

        Raises:
            ConfigError: The robot is real and nobody has acknowledged that it may be energised.
            RobotEndedError: It was told to end.
            LinkError: It did not let itself be released: it moves, or is outside its limits.
        """
        self._require_open()
        self._armed = False
        if self.mode is Mode.STOPPED:
            self._robot.until(
                self._acknowledged(Flag.RECOVER),
                lambda state: state.mode is not Mode.STOPPED,
                "did not recover: it still moves, or stands outside its limits",
                allow_stop=True,
            )

    def catch_up(self) -> None:
        """Take what has come in the meantime, until a state that answers what is said now.

        Raises:
            ProtectiveStopError: The robot ends.
            LinkError: It does not answer in time.
        """
        self._require_open()
        before = self._robot.sequence
        self._robot.until(
            Flag.HOLD, lambda state: state.last_command > before, "did not answer", allow_stop=True
        )

    def require_no_stop(self) -> None:
        """Refuse to go on with a robot that has stopped; before anything is said of what it is going to do.

        Raises:
            ProtectiveStopError: It has; a RobotEndedError, if nobody can recover it.
        """
        self._robot.require_no_stop()

    def next_state(self) -> StateFrame:
        """Wait for a newer state than the last one; of several that have come, the newest.

        Raises:
            LinkError: None came in time.
        """
        return self._robot.next_state()

    # -- inside --------------------------------------------------------------------------------------

    def _newest_applied(self, torque: FloatArray, before: int) -> FloatArray:
        """What the arm is known to do with this torque, by what it did with the command before."""
        state = self._robot.state
        if not state.moved_by or state.last_command != before:
            return state.applied.copy()
        cut = state.applied - self._robot.torque_of(state.moved_by)
        known: FloatArray = torque + cut
        return known

    def _acknowledged(self, start: Flag) -> Flag:
        """The flags with which a robot is asked for what may move it."""
        if self._robot.rules.acknowledged:
            return Flag.HOLD | start | Flag.ACKNOWLEDGED
        if self.traits & Trait.REAL:
            raise ConfigError(
                "this robot is real. Clear its surroundings, keep a hand on its emergency stop, read "
                "docs/safety.md, and say so with --acknowledge-real-arm; without it, use --monitor."
            )
        return Flag.HOLD | start

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("the plant was closed; make a new one.")
