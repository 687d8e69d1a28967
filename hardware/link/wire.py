"""What travels between robot and client: one fixed little-endian struct each way.

``header | body | BLAKE2s-128 tag``. The number of joints fixes the size, so a packet of any other size is
refused before anything in it is looked at; the tag is checked next. Numbers are doubles: what arrives is bit
for bit what was sent. There is nothing else on the wire: no objects, no text, nothing to be evaluated.
"""

from __future__ import annotations

import enum
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikearm.hardware.link.key import TAG_BYTES, has_tag, tag_of
from spikearm.records import FloatArray

MAGIC = b"SPKA"
VERSION = 2
_STATE, _COMMAND = 1, 2

HEADER = struct.Struct("<4sBBBxQQ")
"""Magic, version, kind of packet, number of joints, session, sequence."""


class Mode(enum.IntEnum):
    """What the robot does with commands; torque moves the arm only in ``COMMAND_ACTIVE``."""

    IDLE = 0
    MONITOR = 1
    COMMAND_WAIT = 2
    COMMAND_ACTIVE = 3
    STOPPED = 4


class Flag(enum.IntFlag):
    """What a command asks for besides its torque."""

    HELLO = 1
    ARM = 2
    HOLD = 4
    STOP = 8
    RECOVER = 16
    RESET = 32
    BYE = 64
    ACKNOWLEDGED = 128


ENDING = Flag.STOP | Flag.BYE
"""Wishes that are fulfilled whatever else is wrong with the command."""
STARTING = Flag.ARM | Flag.RECOVER
"""Wishes after which an arm may move; of a real one, somebody has to have said that it may."""


class Trait(enum.IntFlag):
    """What kind of robot answers."""

    LOCK_STEP = 1
    RESETTABLE = 2
    REAL = 4


class Stop(enum.IntFlag):
    """Why the robot has stopped by itself."""

    MISSED_IN_A_ROW = 1
    MISSED_TOO_OFTEN = 2
    CLIENT = 4
    JOINT_LIMIT = 8
    SPEED_LIMIT = 16
    SENSOR = 32
    PLANT = 64
    STALLED = 128
    TORQUE_OFF = 256
    ENDED = 512


NO_FLAG, NO_STOP = Flag(0), Stop(0)
"""Made once: to make one takes a microsecond, and every tick has several."""
_MODES = {mode.value: mode for mode in Mode}
_FLAGS, _TRAITS, _STOPS = (sum(bit.value for bit in kind) for kind in (Flag, Trait, Stop))
"""All bits that are known. Others are looked at as integers: an enum remembers every value asked of it."""


class Cause(enum.StrEnum):
    """Why a packet was refused."""

    SIZE = "wrong size"
    TAG = "bad tag"
    HEADER = "wrong magic, version or kind"
    JOINTS = "wrong number of joints"
    ARM = "another arm"
    SESSION = "wrong session"
    PEER = "another client"
    SEQUENCE = "sequence not newer"
    STALE = "stale"
    NOT_FINITE = "not finite"
    FIRST_TORQUE = "first torque not zero"
    FLAGS = "contradicting or unknown flags"
    UNACKNOWLEDGED = "not acknowledged"
    ENDING = "robot is ending"


@dataclass(frozen=True, slots=True)
class StateFrame:
    """What the robot says, once per tick.

    Attributes:
        session: Present session; 0 towards a client that cannot join.
        sequence: Number of the robot's tick.
        robot_ns: Robot's monotonic clock when the packet was sent [ns].
        echo_ns: ``client_ns`` of the last packet taken from this client [ns].
        held_ns: Time between the arrival of that packet and the sending of this one [ns].
        last_command: Sequence of the last command that was accepted.
        moved_by: Sequence of the command whose torque is applied; 0 for the robot's own hold.
        mode: What the robot does with commands.
        traits: What kind of robot it is.
        stop: Why it has stopped; 0 unless ``mode`` is ``STOPPED``.
        n_missed: Ticks of this session in which an armed robot had no new command.
        longest_run: Most such ticks in a row.
        success_rate: Share of the last 100 ticks with a new command, from 0 to 1.
        t_s: Time of the reading on the arm's clock [s].
        dt_s: Robot's period [s].
        q: Joint angles [rad], shape (n_joints,).
        dq: Joint velocities [rad/s], shape (n_joints,).
        measured: Torque as the joints measure it; what was applied, where they cannot [N m].
        applied: Torque applied in the tick before the reading [N m].
    """

    session: int
    sequence: int
    robot_ns: int
    echo_ns: int
    held_ns: int
    last_command: int
    moved_by: int
    mode: Mode
    traits: Trait
    stop: Stop
    n_missed: int
    longest_run: int
    success_rate: float
    t_s: float
    dt_s: float
    q: FloatArray
    dq: FloatArray
    measured: FloatArray
    applied: FloatArray


@dataclass(frozen=True, slots=True)
class CommandFrame:
    """What the client says in answer to a state.

    Attributes:
        session: The session; 0 with ``Flag.HELLO``.
        sequence: Number of the command, growing from 1 within a session.
        answers: Sequence of the state it was computed from.
        client_ns: Client's monotonic clock when it was sent [ns].
        seed: Seed of a reset, or -1.
        flags: What is asked for.
        timeout_ticks: Misses in a row the robot shall stop at, if its own limit is larger; 0: its own.
        torque: [N m], shape (n_joints,).
    """

    session: int
    sequence: int
    answers: int
    client_ns: int
    seed: int
    flags: Flag
    timeout_ticks: int
    torque: FloatArray


class Refused(Exception):  # noqa: N818 - an outcome, counted by cause and never seen by a user
    """A packet that is not what it should be."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


class Codec:
    """Packs and unpacks the packets of one arm.

    Args:
        n_joints: Number of joints.
        key: Shared key, or ``b""``.
        arm: Which arm, 64 bits; a state says it, and that of another arm is refused.
    """

    def __init__(self, n_joints: int, key: bytes, *, arm: int = 0) -> None:
        self.n_joints = n_joints
        self._key = key
        self._arm = arm
        self._state = struct.Struct(f"<4sBBBxQQqqqQQBBHIIddd{4 * n_joints}dQ")
        self._command = struct.Struct(f"<4sBBBxQQQqqHHxxxx{n_joints}d")

    @property
    def state_bytes(self) -> int:
        """Size of a state on the wire."""
        return self._state.size + TAG_BYTES

    @property
    def command_bytes(self) -> int:
        """Size of a command on the wire."""
        return self._command.size + TAG_BYTES

    def pack_state(self, frame: StateFrame) -> bytes:
        """A state as bytes."""
        body = self._state.pack(
            MAGIC,
            VERSION,
            _STATE,
            self.n_joints,
            frame.session,
            frame.sequence,
            frame.robot_ns,
            frame.echo_ns,
            frame.held_ns,
            frame.last_command,
            frame.moved_by,
            frame.mode,
            frame.traits,
            frame.stop,
            frame.n_missed,
            frame.longest_run,
            frame.success_rate,
            frame.t_s,
            frame.dt_s,
            *frame.q.tolist(),
            *frame.dq.tolist(),
            *frame.measured.tolist(),
            *frame.applied.tolist(),
            self._arm,
        )
        return body + tag_of(body, self._key)

    def unpack_state(self, packet: bytes) -> StateFrame:
        """A state from bytes.

        Raises:
            Refused: It is none of this arm, or was damaged.
        """
        fields = self._unpack(packet, self._state, _STATE)
        if fields[-1] != self._arm:
            raise Refused(Cause.ARM)
        if not all(map(math.isfinite, fields[16:-1])):
            raise Refused(Cause.NOT_FINITE)
        mode = _MODES.get(fields[11])
        if mode is None or fields[12] & ~_TRAITS or fields[13] & ~_STOPS:
            raise Refused(Cause.HEADER)
        q, dq, measured, applied = np.array(fields[19:-1]).reshape(4, self.n_joints)
        stop = Stop(fields[13]) if fields[13] else NO_STOP
        # By position: the struct has them in the order of the frame, and nineteen names take their time.
        values: tuple[Any, ...] = (
            *fields[4:11],
            mode,
            Trait(fields[12]),
            stop,
            *fields[14:19],
            q,
            dq,
            measured,
            applied,
        )
        return StateFrame(*values)

    def pack_command(self, frame: CommandFrame) -> bytes:
        """A command as bytes."""
        body = self._command.pack(
            MAGIC,
            VERSION,
            _COMMAND,
            self.n_joints,
            frame.session,
            frame.sequence,
            frame.answers,
            frame.client_ns,
            frame.seed,
            frame.flags,
            frame.timeout_ticks,
            *frame.torque.tolist(),
        )
        return body + tag_of(body, self._key)

    def unpack_command(self, packet: bytes) -> CommandFrame:
        """A command from bytes.

        Raises:
            Refused: It is none of this arm, was damaged, or has an unknown flag or no number as a torque,
                unless it asks to end.
        """
        fields = self._unpack(packet, self._command, _COMMAND)
        asked = fields[9] & _FLAGS
        if asked != fields[9] and not asked & ENDING:
            raise Refused(Cause.FLAGS)
        torque = np.array(fields[11:])
        if not all(map(math.isfinite, fields[11:])):
            if not asked & ENDING:
                raise Refused(Cause.NOT_FINITE)
            torque[:] = 0.0
        flags = Flag(asked) if asked else NO_FLAG
        values: tuple[Any, ...] = (*fields[4:9], flags, fields[10], torque)
        return CommandFrame(*values)

    def _unpack(self, packet: bytes, form: struct.Struct, kind: int) -> tuple[Any, ...]:
        if len(packet) != form.size + TAG_BYTES:
            raise Refused(self._wrong_size(packet, kind))
        if not has_tag(packet, self._key):
            raise Refused(Cause.TAG)
        fields: tuple[Any, ...] = form.unpack_from(packet)
        if fields[:3] != (MAGIC, VERSION, kind):
            raise Refused(Cause.HEADER)
        if fields[3] != self.n_joints:
            raise Refused(Cause.JOINTS)
        return fields

    def _wrong_size(self, packet: bytes, kind: int) -> Cause:
        """Genuine packets of an arm with another number of joints have another size."""
        if len(packet) < HEADER.size + TAG_BYTES or not has_tag(packet, self._key):
            return Cause.SIZE
        magic, version, its_kind, n_joints, *_ = HEADER.unpack_from(packet)
        known = (magic, version, its_kind) == (MAGIC, VERSION, kind) and n_joints != self.n_joints
        return Cause.JOINTS if known else Cause.SIZE
