"""Faults by seed and schedule: everything a wire and a robot do that nobody wants, whenever one wants it."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from spikearm.errors import ConfigError
from spikearm.hardware.link.channel import Channel, Peer
from spikearm.hardware.link.served_plant import ServedPlant
from spikearm.hardware.link.wire import Codec, Refused
from spikearm.records import FloatArray, JointState

_KEPT_FOR_REPLAY = 256


@dataclass(frozen=True)
class FaultPlan:
    """What goes wrong, how often, and when.

    The probabilities are per packet, each way. Faults come in spells: ``faults_for_s`` out of every
    ``faults_every_s``, beginning after ``faults_after_s``.

    Attributes:
        drop: Probability that a packet is lost.
        duplicate: That it comes twice.
        reorder: That it comes after the next one.
        flip: That one of its bits is turned over.
        replay: That an old packet comes again beside it.
        nan: That a genuine command carries a torque that is not a number.
        sensor_nan: Probability, per tick, that the arm's sensors give no number.
        wire_delay_s: Every packet comes so much later [s].
        wire_jitter_s: And by a random time up to this later still [s].
        freeze: Probability, per tick, that the whole robot stands still for ``freeze_s``.
        freeze_s: [s].
        faults_after_s: Nothing goes wrong before [s].
        faults_every_s: Time from one spell to the next [s].
        faults_for_s: Length of a spell [s]; infinite for faults without end.
        fault_seed: Seed of it all.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    flip: float = 0.0
    replay: float = 0.0
    nan: float = 0.0
    sensor_nan: float = 0.0
    wire_delay_s: float = 0.0
    wire_jitter_s: float = 0.0
    freeze: float = 0.0
    freeze_s: float = 0.05
    faults_after_s: float = 0.0
    faults_every_s: float = 1.0
    faults_for_s: float = math.inf
    fault_seed: int = 0

    def __post_init__(self) -> None:
        for key in _PROBABILITIES:
            if not 0.0 <= getattr(self, key) <= 1.0:
                raise ConfigError(f"{key} of the faults is a probability, not {getattr(self, key)!r}.")
        for key in ("wire_delay_s", "wire_jitter_s", "freeze_s", "faults_after_s", "faults_for_s"):
            value = getattr(self, key)
            endless = key == "faults_for_s"
            if not (value >= 0.0 and (endless or math.isfinite(value))):
                raise ConfigError(f"{key} of the faults must be 0 or more, not {value!r}.")
        if not (math.isfinite(self.faults_every_s) and self.faults_every_s > 0.0):
            raise ConfigError(f"faults_every_s must be a positive number, not {self.faults_every_s!r}.")
        if self.fault_seed < 0:
            raise ConfigError(f"fault_seed must be 0 or more, not {self.fault_seed!r}.")

    @property
    def any(self) -> bool:
        """Whether anything goes wrong at all."""
        return any(getattr(self, key) > 0.0 for key in (*_PROBABILITIES, "wire_delay_s", "wire_jitter_s"))

    def active(self, since_start_s: float) -> bool:
        """Whether things go wrong at this time after the start [s]."""
        t_s = since_start_s - self.faults_after_s
        return t_s >= 0.0 and t_s % self.faults_every_s < self.faults_for_s


_PROBABILITIES = ("drop", "duplicate", "reorder", "flip", "replay", "nan", "sensor_nan", "freeze")


class FaultyChannel:
    """A channel on which things go wrong, both ways.

    Args:
        channel: The true one.
        plan: What goes wrong.
        codec: Signs commands that carry no number, as a client with a fault of its own would.
        rng: Draws the faults.
        now_ns: Monotonic clock [ns].
        sleep: Sleeps for some seconds.

    Attributes:
        injected: Faults so far, by kind.
    """

    def __init__(
        self,
        channel: Channel,
        plan: FaultPlan,
        codec: Codec,
        rng: np.random.Generator,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._channel = channel
        self._plan = plan
        self._codec = codec
        self._rng = rng
        self._now_ns = now_ns
        self._sleep = sleep
        self._start_ns = now_ns()
        self._order = itertools.count()
        self._inwards, self._outwards = _Line(), _Line()
        self._next_freeze_ns = self._start_ns
        self.injected: Counter[str] = Counter()

    @property
    def active(self) -> bool:
        """Whether things go wrong now."""
        return self._plan.active(1e-9 * (self._now_ns() - self._start_ns))

    def send(self, packet: bytes, peer: Peer = None) -> bool:
        """Send, or worse."""
        self._spoil(self._outwards, packet, peer)
        self._release()
        return True

    def receive(self, timeout_s: float = 0.0) -> tuple[bytes, Peer] | None:
        """The next packet that is due, spoilt or not; None if none came within the time."""
        self._freeze()
        deadline_ns = self._now_ns() + round(1e9 * timeout_s)
        while True:
            self._release()
            ready = self._inwards.pop(self._now_ns())
            if ready is not None:
                return ready
            wake_ns = min(deadline_ns, self._inwards.next_ns, self._outwards.next_ns)
            came = self._channel.receive(max(0.0, 1e-9 * (wake_ns - self._now_ns())))
            if came is not None:
                self._spoil(self._inwards, self._with_nan(came[0]), came[1])
            elif self._now_ns() >= deadline_ns:
                return self._inwards.pop(self._now_ns())

    def close(self) -> None:
        """Close the true channel; what is still on its way is lost."""
        self._channel.close()

    def _release(self) -> None:
        """Send what is due."""
        while (due := self._outwards.pop(self._now_ns())) is not None:
            self._channel.send(*due)

    def _spoil(self, line: _Line, packet: bytes, peer: Peer) -> None:
        now_ns = self._now_ns()
        if not self.active:
            line.push(now_ns, next(self._order), packet, peer)
            return
        plan = self._plan
        if self._happens("drop", plan.drop):
            return
        late_s = plan.wire_delay_s + plan.wire_jitter_s * self._rng.random()
        self.injected["delay"] += late_s > 0.0
        if self._happens("reorder", plan.reorder):
            late_s += 1.5e-3  # the packet of the next tick overtakes it
        if self._happens("flip", plan.flip):
            packet = self._flipped(packet)
        due_ns = now_ns + round(1e9 * late_s)
        line.push(due_ns, next(self._order), packet, peer)
        if self._happens("duplicate", plan.duplicate):
            line.push(due_ns, next(self._order), packet, peer)
        if line.kept and self._happens("replay", plan.replay):
            old = line.kept[int(self._rng.integers(len(line.kept)))]
            line.push(due_ns, next(self._order), *old)
        line.kept.append((packet, peer))

    def _with_nan(self, packet: bytes) -> bytes:
        """A genuine command whose first torque is not a number."""
        if not self.active or not self._happens("nan", self._plan.nan):
            return packet
        try:
            command = self._codec.unpack_command(packet)
        except Refused:
            return packet
        torque = command.torque.copy()
        torque[0] = math.nan
        return self._codec.pack_command(replace(command, torque=torque))

    def _flipped(self, packet: bytes) -> bytes:
        bit = int(self._rng.integers(8 * len(packet)))
        spoilt = bytearray(packet)
        spoilt[bit // 8] ^= 1 << bit % 8
        return bytes(spoilt)

    def _freeze(self) -> None:
        """Stand still, at most once a tick of 1 ms: this is asked several times in each."""
        now_ns = self._now_ns()
        if not self._plan.freeze or now_ns < self._next_freeze_ns:
            return
        self._next_freeze_ns = now_ns + 1_000_000
        if self.active and self._happens("freeze", self._plan.freeze):
            self._sleep(self._plan.freeze_s)

    def _happens(self, kind: str, probability: float) -> bool:
        happens = probability > 0.0 and float(self._rng.random()) < probability
        self.injected[kind] += happens
        return happens


class _Line:
    """Packets on their way in one direction."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, bytes, Peer]] = []
        self.kept: deque[tuple[bytes, Peer]] = deque(maxlen=_KEPT_FOR_REPLAY)

    @property
    def next_ns(self) -> float:
        """When the next packet is due [ns]; infinite if there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def push(self, due_ns: int, order: int, packet: bytes, peer: Peer) -> None:
        heapq.heappush(self._heap, (due_ns, order, packet, peer))

    def pop(self, now_ns: int) -> tuple[bytes, Peer] | None:
        if not self._heap or self._heap[0][0] > now_ns:
            return None
        _, _, packet, peer = heapq.heappop(self._heap)
        return packet, peer


class FaultyPlant:
    """An arm whose sensors now and then give no number.

    Args:
        plant: The true one.
        plan: How often.
        rng: Draws the faults.
        active: Whether things go wrong now.

    Attributes:
        injected: Faults so far, by kind.
    """

    def __init__(
        self,
        plant: ServedPlant,
        plan: FaultPlan,
        rng: np.random.Generator,
        *,
        active: Callable[[], bool],
    ) -> None:
        self._plant = plant
        self._probability = plan.sensor_nan
        self._rng = rng
        self._active = active
        self.injected: Counter[str] = Counter()

    @property
    def dt_s(self) -> float:
        """Period [s]."""
        return self._plant.dt_s

    def reset(self, *, seed: int | None = None) -> JointState:
        """Bring the arm to its starting state."""
        return self._plant.reset(seed=seed)

    def read(self) -> JointState:
        """What the sensors say, or nothing that is a number."""
        state = self._plant.read()
        if self._probability and self._active() and self._rng.random() < self._probability:
            self.injected["sensor_nan"] += 1
            return replace(state, q=np.full_like(state.q, math.nan))
        return state

    def write(self, torque: FloatArray) -> FloatArray:
        """Apply a torque [N m], shape (n_joints,); returns what was applied."""
        return self._plant.write(torque)

    def close(self) -> None:
        """Torque off."""
        self._plant.close()
