"""The robot's and the client's end of a link, joined by memory, on a clock that only the test moves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from spikearm.hardware.link.conversation import ClientRules
from spikearm.hardware.link.hold import Hold, HoldGains
from spikearm.hardware.link.limits import LimitRules, Limits
from spikearm.hardware.link.remote_plant import RemotePlant
from spikearm.hardware.link.served_plant import ServedPlant
from spikearm.hardware.link.server import RobotServer
from spikearm.hardware.link.session import RobotSession, SessionRules
from spikearm.hardware.link.wire import Codec, CommandFrame, Flag, Trait
from spikearm.records import FloatArray, JointState

PERIOD_NS = 1_000_000
PACKET_NS = 10_000
"""What it costs the robot to take one packet."""
KEY = bytes(range(32))
NOTHING = Flag(0)


class Masses:
    """Independent unit masses that carry a known weight: ``ddq = torque - weight``; satisfies ``Plant``."""

    dt_s = 1e-3

    def __init__(self, n_joints: int = 2, weight: float = 0.0, limit: float = 100.0) -> None:
        self.n_joints, self.weight, self.limit = n_joints, weight, limit
        self.applied: list[FloatArray] = []
        self.error: Exception | None = None
        self.broken = False
        self.n_closed = 0
        self.reset()

    def reset(self, *, seed: int | None = None) -> JointState:
        self.q, self.dq, self.t_s = np.zeros(self.n_joints), np.zeros(self.n_joints), 0.0
        self.seed = seed
        return self.read()

    def read(self) -> JointState:
        q = np.full(self.n_joints, np.nan) if self.broken else self.q.copy()
        return JointState(q, self.dq.copy(), self.t_s)

    def write(self, torque: FloatArray) -> FloatArray:
        if self.error is not None:
            raise self.error
        applied = np.clip(torque, -self.limit, self.limit)
        self.applied.append(applied)
        self.dq = self.dq + (applied - self.weight) * self.dt_s
        self.q = self.q + self.dq * self.dt_s
        self.t_s += self.dt_s
        return applied

    def close(self) -> None:
        self.n_closed += 1


class MassDynamics:
    """What a robot of masses knows of itself: not the weight it carries, unless told."""

    def __init__(self, n_joints: int = 2, weight: float = 0.0) -> None:
        self.weight = np.full(n_joints, weight)

    def update(self, q: FloatArray, dq: FloatArray) -> None:
        pass

    def mass_matrix(self) -> FloatArray:
        return np.eye(len(self.weight))

    def bias(self) -> FloatArray:
        return self.weight.copy()


class Rig:
    """A served robot.

    Args:
        plant: The arm; masses by default.
        dynamics: The robot's own; masses by default.
        lock_step: Whether the robot moves only when commanded.
        key: Shared key.
        limits: What is let through.
        rules: What the session asks.
        q_range: Ranges of the joints [rad], shape (n_joints, 2).
        new_session: Draws session numbers.
        traits: What kind of robot.
        record: Whether what clients say is kept.
    """

    def __init__(
        self,
        plant: ServedPlant | None = None,
        dynamics=None,
        *,
        lock_step: bool = False,
        key: bytes = KEY,
        limits: LimitRules | None = None,
        rules: SessionRules | None = None,
        torque_limits: FloatArray | None = None,
        q_range: FloatArray | None = None,
        new_session: Callable[[], int] | None = None,
        traits: Trait = Trait.RESETTABLE,
        record: bool = True,
    ) -> None:
        self.plant = Masses() if plant is None else plant
        n = len(self.plant.read().q)
        self.dynamics = MassDynamics(n) if dynamics is None else dynamics
        q_range = np.tile((-np.inf, np.inf), (n, 1)) if q_range is None else q_range
        first = self.plant.read()
        torque_limits = np.full(n, 100.0) if torque_limits is None else torque_limits
        self.codec = Codec(n, key)
        self.now_ns = self.client_skew_ns = 0
        self.frozen = False
        self.inwards: deque[tuple[bytes, object]] = deque(maxlen=1000)
        self.outwards: dict[object, deque[bytes]] = {}
        self.record, self.recorded = record, []
        self.session = RobotSession(
            rules or SessionRules(),
            Limits(limits or LimitRules(), torque_limits, q_range, dt_s=self.plant.dt_s),
            Hold(self.dynamics, HoldGains(), q_range, dt_s=self.plant.dt_s),
            first,
            dt_s=self.plant.dt_s,
            real=bool(traits & Trait.REAL),
            **({} if new_session is None else {"new_session": new_session}),
        )
        self.lock_step = lock_step
        self.server = RobotServer(
            self.plant,
            self.session,
            _RobotEnd(self),
            self.codec,
            first=first,
            traits=traits | (Trait.LOCK_STEP if lock_step else Trait(0)),
            now_ns=lambda: self.now_ns,
            sleep=self.sleep,
        )
        self.plants: list[RemotePlant] = []

    def connect(
        self, *, key: bytes | None = None, rules: ClientRules | None = None, interrupted=lambda: False
    ) -> RemotePlant:
        """A client in session, not armed."""
        codec = self.codec if key is None else Codec(self.codec.n_joints, key)
        plant = RemotePlant(
            _ClientEnd(self, peer=f"client {len(self.plants)}"),
            codec,
            rules=rules,
            now_ns=lambda: self.now_ns + self.client_skew_ns,
            interrupted=interrupted,
        )
        self.plants.append(plant)
        return plant

    def armed(self, **options) -> RemotePlant:
        """A client in session whose torque moves the arm."""
        plant = self.connect(**options)
        plant.arm()
        return plant

    def period(self) -> None:
        """One period of the robot."""
        if self.frozen:
            self.now_ns += PERIOD_NS
        elif self.lock_step:
            while self.inwards:
                self.server.handle_in_step(*self.inwards.popleft())
            self.now_ns += PERIOD_NS
        elif self.server.paced:
            self.server.tick_at_its_pace()
        else:
            self.server.collect_until(self.now_ns + PERIOD_NS)
            self.server.tick()

    def periods(self, n: int) -> None:
        """Some periods in which nobody says anything new."""
        for _ in range(n):
            self.period()

    def sleep(self, seconds: float) -> None:
        self.now_ns += round(1e9 * seconds)

    def command(self, torque=(0.0, 0.0), flags: Flag = NOTHING, **changes) -> CommandFrame:
        """A command that would be taken, but for the changes."""
        fields = {
            "session": self.session.number,
            "sequence": self.session.last_sequence + 1,
            "answers": self.session.tick_number,
            "client_ns": self.now_ns,
            "seed": -1,
            "flags": flags,
            "timeout_ticks": 0,
            "torque": np.asarray(torque, dtype=np.float64),
        }
        return CommandFrame(**{**fields, **changes})

    def close(self) -> None:
        for plant in self.plants:
            plant.close()


class _RobotEnd:
    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def send(self, packet, peer=None):
        self.rig.outwards.setdefault(peer, deque(maxlen=100)).append(packet)
        return True

    def receive(self, timeout_s=0.0):
        if self.rig.inwards:
            self.rig.now_ns += PACKET_NS
            return self.rig.inwards.popleft()
        self.rig.now_ns += max(1000, round(1e9 * timeout_s))
        return None

    def close(self):
        pass


class _ClientEnd:
    def __init__(self, rig: Rig, peer: object) -> None:
        self.rig, self.peer = rig, peer

    def send(self, packet, peer=None):
        if self.rig.record:
            self.rig.recorded.append(packet)
        self.rig.inwards.append((packet, self.peer))
        return True

    def receive(self, timeout_s=0.0):
        queue = self.rig.outwards.setdefault(self.peer, deque(maxlen=100))
        if not queue and timeout_s > 0.0:
            self.rig.period()
        return (queue.popleft(), "robot") if queue else None

    def close(self):
        pass
