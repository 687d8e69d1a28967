"""The robot's end of a link: any plant behind the wire, at its own pace or in lock step with the client."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from spikearm.finite import all_finite
from spikearm.hardware.link.arm_clock import cycles_passed
from spikearm.hardware.link.attempts import Attempts
from spikearm.hardware.link.channel import Channel, Peer
from spikearm.hardware.link.elapsed import elapsed_ns
from spikearm.hardware.link.largest import LargestTorque
from spikearm.hardware.link.senses import Sensed, Senses, torque_of_joints
from spikearm.hardware.link.served_plant import KeepsTime, LetsGo, ServedPlant, reading_is_finite
from spikearm.hardware.link.session import RobotSession
from spikearm.hardware.link.wire import (
    NO_STOP,
    Cause,
    Codec,
    CommandFrame,
    Flag,
    Refused,
    StateFrame,
    Stop,
    Trait,
)
from spikearm.records import FloatArray, JointState

_PACKETS_PER_TICK = 64
"""Packets looked at in one tick: a flood costs its own packets, not the tick."""
_HELLOS_PER_TICK = 4
_STEP_WAIT_S, _STEP_SILENCE_S = 0.1, 5.0
"""In lock step: time between two looks at whether to go on, and after which a silent client is forgotten."""
_SPIN_S = 1.5e-4
"""Last part of a wait that is spent awake: a wait that ends by itself ends some 50 us late."""


class RobotServer:
    """Serves one arm to one client at a time.

    In real time the robot is the master of time: each period it takes the commands that have come, applies
    the session's torque, and sends the new reading. Its periods are those of the arm, if the arm has a clock
    of its own; then packets are looked at once per period, so that the time they have waited for it counts as
    time on the wire. In lock step it moves only when a command tells it to,
    and answers each command once it is done; a command that comes again is answered again but not obeyed
    again.

    Args:
        plant: The arm.
        session: Its session.
        channel: The wire.
        codec: Packs and unpacks.
        first: The arm's first reading, which the session holds it by.
        traits: What kind of robot this is.
        now_ns: Monotonic clock, on which a suspended machine stood still [ns].
        sleep: Sleeps for some seconds.

    Attributes:
        refused: Packets that were refused, by cause.
        n_accepted: Commands that were accepted.
        reading: The arm's last reading.
        n_overruns: Ticks that began more than a period late.
        paced: Whether the arm has a clock of its own.
        largest: Largest torque that each joint was given, and its largest change.
        energised: Whether the arm was given torque, and has not been let go since.
        blind: Whether the arm could not be read when it was last looked at.
    """

    def __init__(
        self,
        plant: ServedPlant,
        session: RobotSession,
        channel: Channel,
        codec: Codec,
        *,
        first: JointState,
        traits: Trait,
        now_ns: Callable[[], int] = elapsed_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._plant = plant
        self._session = session
        self._channel, self._codec, self._traits = channel, codec, traits
        self._now_ns = now_ns
        self._sleep = sleep
        self._dt_s, self._period_ns = plant.dt_s, round(1e9 * plant.dt_s)
        self.reading, self._read_at, self._read_ns = first, session.tick_number, now_ns()
        self._applied = np.zeros_like(self.reading.q)
        self._unaccounted: FloatArray | None = None
        self.largest = LargestTorque(len(self._applied))
        self._senses = Senses(plant, len(self._applied))
        self._measured = self._senses.torque()
        self._letting_go = plant if isinstance(plant, LetsGo) else None
        self._has_let_go = self.energised = False
        self.paced = isinstance(plant, KeepsTime) and plant.paces
        self._echo_ns = self._arrived_ns = 0
        self._tried, self.blind = Attempts(plant), False
        self._unasked: Callable[[JointState, FloatArray], None] | None = None
        self.refused: Counter[Cause] = Counter()
        self.n_accepted = self.n_overruns = 0

    @property
    def fault(self) -> str:
        """What the plant said when it last failed."""
        return self._tried.said

    def begin(self, require: Callable[[JointState, FloatArray], None]) -> None:
        """Serve anew; hold a real arm from where it stands now: it may have sunk since it was opened.

        One that cannot be read gets no torque until it is recovered; that is asked of it then.

        Args:
            require: Raises if the arm is not to be held from this reading, with this torque [N m].
        """
        self._session.start_over()
        self._tried.now = NO_STOP
        if not self._traits & Trait.REAL:
            return
        found = self._tried.make(self._senses.read)
        self.blind = found is None
        self._unasked = require if found is None else None
        if found is None:
            self._session.protect(Stop.PLANT | Stop.TORQUE_OFF)
            return
        given = self._applied if found.measured is None else found.measured
        require(found.reading, given)
        self._keep(found)
        self._applied = given
        self.largest.begin_anew()
        self._session.begin(found.reading, given)

    def run(self, wanted: Callable[[], bool]) -> None:
        """Serve as long as ``wanted()`` is true; asked at least ten times a second."""
        if self._traits & Trait.LOCK_STEP:
            self._serve_lock_step(wanted)
        elif self.paced:
            while wanted():
                self.tick_at_its_pace()
        else:
            self._serve_real_time(wanted)

    # -- real time -----------------------------------------------------------------------------------

    def _serve_real_time(self, wanted: Callable[[], bool]) -> None:
        due_ns = self._now_ns()
        while wanted():
            due_ns = self.collect_until(due_ns + self._period_ns)
            self.tick()

    def collect_until(self, due_ns: int) -> int:
        """Take packets as they come, so that their time of arrival is known; and all that are there.

        Returns:
            When the period has ended [ns]: later than ``due_ns`` if the robot has stood still. After a stall
            the grid moves, and the ticks slept through are counted at once: a burst of ticks would move an
            arm that nobody has looked at.
        """
        n_left, n_hellos = _PACKETS_PER_TICK, _HELLOS_PER_TICK
        while True:
            remaining_s = 1e-9 * (due_ns - self._now_ns())
            came = self._channel.receive(max(0.0, remaining_s - _SPIN_S)) if n_left else None
            late_ns = self._now_ns() - due_ns
            if late_ns > self._period_ns and not self.paced:  # an arm's own clock says it better
                self._overrun(late_ns // self._period_ns)
                due_ns += late_ns
            if came is not None:
                n_left -= 1
                n_hellos -= self._take(*came, may_answer=n_hellos > 0)
            elif remaining_s <= 0.0:
                return due_ns
            elif not n_left:
                self._sleep(remaining_s)

    def tick_at_its_pace(self) -> None:
        """One period of an arm with a clock of its own, which wants its torque soon after its reading.

        What came while the reading was waited for answers the state before: a client has a whole period.
        """
        began_ns = self._now_ns()
        if (n_passed := self._look()) > 1:
            self._overrun(n_passed - 1)
        if self._tried.now & Stop.PLANT or n_passed < 1:
            # An arm that has failed, or whose clock stands still, may keep no time.
            self.collect_until(began_ns + self._period_ns)
        self.collect_until(self._now_ns())
        self._apply(self._wanted())
        self._tell()

    def _overrun(self, n_ticks: int) -> None:
        self.n_overruns += 1
        self._session.stalled(n_ticks)

    def tick(self) -> None:
        """One period: torque, then the new reading to whoever is in session."""
        self._move(self._wanted())
        self._tell()

    # -- lock step -----------------------------------------------------------------------------------

    def _serve_lock_step(self, wanted: Callable[[], bool]) -> None:
        n_in_vain = 0  # and no clock: a client on this machine slept as long
        while wanted():
            came = self._channel.receive(_STEP_WAIT_S)
            n_in_vain = n_in_vain + 1 if came is None else 0
            if came is not None:
                self.handle_in_step(*came)
            elif self._session.peer is not None and n_in_vain * _STEP_WAIT_S > _STEP_SILENCE_S:
                self._session.end_session()

    def handle_in_step(self, packet: bytes, peer: Peer) -> None:
        """Take one packet; an accepted command is one tick."""
        session = self._session
        before = session.last_sequence, session.number
        self._take(packet, peer, may_answer=True)
        if (session.last_sequence, session.number) == before:
            self._answer_again(packet, peer)
            return
        applied = session.applied
        torque = self._wanted()
        if session.moved_by or session.stop:
            self._move(torque)
        else:
            session.applied = applied  # no time has passed in which it could have changed
        self._tell()

    def _answer_again(self, packet: bytes, peer: Peer) -> None:
        """The answer to the last command may have been lost: a state is no secret and moves nothing."""
        try:
            command = self._codec.unpack_command(packet)
        except Refused:
            return
        last = self._session.peer, self._session.number, self._session.last_sequence
        if (peer, command.session, command.sequence) == last:
            self._send(peer)

    # -- both ----------------------------------------------------------------------------------------

    def _take(self, packet: bytes, peer: Peer, *, may_answer: bool) -> bool:
        """Look at one packet; whether it was answered here and now, which only a hello is."""
        try:
            command = self._codec.unpack_command(packet)
            if command.session == 0 and command.flags == Flag.HELLO:
                if may_answer:
                    self._welcome(command, peer)
                return may_answer
            flags = self._session.offer(command, peer)
        except Refused as refusal:
            self.refused[refusal.cause] += 1
            return False
        self.n_accepted += 1
        self._echo_ns, self._arrived_ns = command.client_ns, self._now_ns()
        if flags:  # hardly ever: what a flag costs is not spent on a torque
            self._obey(command, flags, peer)
        return False

    def _obey(self, command: CommandFrame, flags: Flag, peer: Peer) -> None:
        if flags & Flag.BYE:
            self._say_goodbye(command, peer)
        if flags & Flag.RESET and self._traits & Trait.RESETTABLE:
            self._reset(command)
        if flags & Flag.RECOVER:
            self._recover()

    def _recover(self) -> None:
        """Of the plant, once its client knows that it failed; ask what could not be asked when it began."""
        if self._session.stop & Stop.PLANT:
            self._tried.recover()
        if (require := self._unasked) is not None and not self.blind and not self._tried.now:
            given = np.zeros_like(self._applied) if self._measured is None else self._measured
            self._tried.make(lambda: require(self.reading, given))
            self._unasked = require if self._tried.now else None

    def _welcome(self, hello: CommandFrame, peer: Peer) -> None:
        """Tell a newcomer the session's number, unless somebody else is in it; nothing changes by it."""
        free = self._session.peer is None or self._session.peer == peer
        frame = self._frame(
            session=self._session.number if free else 0, echo_ns=hello.client_ns, arrived_ns=self._now_ns()
        )
        self._channel.send(self._codec.pack_state(frame), peer)

    def _say_goodbye(self, command: CommandFrame, peer: Peer) -> None:
        """The last word of a session, so that its client knows that the arm is on hold."""
        frame = self._frame(session=command.session, echo_ns=command.client_ns, arrived_ns=self._now_ns())
        frame = replace(frame, last_command=command.sequence)
        self._channel.send(self._codec.pack_state(frame), peer)

    def _reset(self, command: CommandFrame) -> None:
        seed = None if command.seed < 0 else command.seed
        found = self._seen(lambda: self._senses.reset(seed=seed))
        if found is None:
            return
        self._keep(found)
        self._applied = np.zeros_like(self._applied)
        self.largest.begin_anew()
        self._tried.now = NO_STOP
        self._session.place(self.reading)

    def _wanted(self) -> FloatArray:
        return self._session.tick(self.reading, fault=self._tried.now, n_blind=self._n_blind())

    def _n_blind(self) -> int:
        """Periods since the last reading, by this machine's clock, too: a look that fails may take long."""
        if not self.blind:
            return 0
        n_ticks = self._session.tick_number - self._read_at
        if not self._traits & Trait.LOCK_STEP:  # in which a client may think as long as it likes
            n_ticks = max(n_ticks, (self._now_ns() - self._read_ns) // self._period_ns)
        return max(1, n_ticks)

    def _move(self, torque: FloatArray) -> None:
        self._apply(torque)
        self._look()

    def _apply(self, torque: FloatArray) -> None:
        """Apply a torque, or let go; a failing plant stops the arm, not the server."""
        self._tried.now = NO_STOP
        if self._session.stop and self._session.stop & Stop.TORQUE_OFF:
            if self._letting_go is not None:
                self._let_go(self._letting_go)
                return
            if self._traits & Trait.REAL and not self.energised:
                self._report(np.zeros_like(torque))
                return  # a write, of no torque as well, would switch its drives on
        self._has_let_go, self.energised = False, True  # also by a failing write: how far did it come?
        applied = self._tried.make(lambda: torque_of_joints(self._plant.write(torque), len(torque)))
        if applied is None:
            self._report(self._applied)
        elif all_finite(applied):
            self._applied = self._unaccounted = applied
        else:
            self._tried.note(Stop.PLANT, f"the arm says that it applied {applied}")

    def _tell(self) -> None:
        """The end of a tick, after every torque: its state, then what only the next one needs of it."""
        if self._session.peer is not None:
            self._send(self._session.peer)
        applied, self._unaccounted = self._unaccounted, None
        if applied is not None:
            self.largest.take(applied)
            self._session.report(applied)

    def _let_go(self, plant: LetsGo) -> None:
        """Once, and again until it has worked; nothing is written while the torque is to be off."""
        if not self._has_let_go:
            self._tried.make(plant.let_go)
            self._has_let_go = not self._tried.now
            self.energised &= not self._has_let_go
        self.largest.begin_anew()
        self._report(np.zeros_like(self._applied))

    def _report(self, supposed: FloatArray) -> None:
        """What an arm does that takes no torque, its joints know at best; from there it goes on."""
        self._applied = supposed if self._measured is None else self._measured
        self._session.report(self._applied)

    def _look(self) -> int:
        """Read, from an arm that takes no torque as well; a failing sensor stops the arm likewise.

        Returns:
            Periods since the reading before that were no tick, and this one; 0 without a reading.
        """
        found = self._seen(self._senses.read, may_miss=True)
        if found is None:
            return 0
        reading, before, read_ns = found.reading, self.reading, self._read_ns
        n_passed = n_counted = self._session.tick_number - self._read_at
        self._keep(found)
        if self.paced:  # before the session has counted the cycles that it skipped
            n_passed = cycles_passed(
                reading.t_s - before.t_s, here_ns=self._read_ns - read_ns, dt_s=self._dt_s
            )
        if self._session.leapt(reading.q, before.q, max(n_counted, n_passed)):
            self._tried.note(Stop.SENSOR, f"the joints leapt from {before.q} to {reading.q} rad")
        return n_passed - max(0, n_counted - 1)

    def _seen(self, look: Callable[[], Sensed], *, may_miss: bool = False) -> Sensed | None:
        """What the sensors say; None, and blind, if they fail or say what is no number."""
        self.blind = True
        found = self._tried.make(look, may_miss=may_miss)
        if found is None or reading_is_finite(*found):
            return found
        reading, measured = found
        self._tried.note(
            Stop.SENSOR, f"the sensors gave q = {reading.q}, dq = {reading.dq}, torque {measured}"
        )
        return None

    def _keep(self, found: Sensed) -> None:
        self.reading, self._measured = found
        self._read_at, self._read_ns = self._session.tick_number, self._now_ns()
        self.blind = False

    def _send(self, peer: Peer) -> None:
        frame = self._frame(session=self._session.number, echo_ns=self._echo_ns, arrived_ns=self._arrived_ns)
        self._channel.send(self._codec.pack_state(frame), peer)

    def _frame(self, *, session: int, echo_ns: int, arrived_ns: int) -> StateFrame:
        own, watchdog, now_ns = self._session, self._session.watchdog, self._now_ns()
        return StateFrame(
            session=session,
            sequence=own.tick_number,
            robot_ns=now_ns,
            echo_ns=echo_ns,
            held_ns=now_ns - arrived_ns,
            last_command=own.last_sequence,
            moved_by=own.moved_by,
            mode=own.mode,
            traits=self._traits,
            stop=own.stop,
            n_missed=watchdog.n_missed,
            longest_run=watchdog.longest_run,
            success_rate=watchdog.success_rate,
            t_s=self.reading.t_s,
            dt_s=self._dt_s,
            q=self.reading.q,
            dq=self.reading.dq,
            measured=self._applied if self._measured is None else self._measured,
            applied=self._applied,
        )
