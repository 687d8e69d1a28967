"""A network that runs elsewhere, as a program like any other; its age is told with every output."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import nengo
import numpy as np

from spikearm.errors import ClosedError, LinkError, NetworkLostError, StateError
from spikearm.hardware.backend import Backend, StepResult
from spikearm.hardware.cost import CostModel
from spikearm.hardware.link.address import Address, open_client_socket, require_safe
from spikearm.hardware.link.channel import Channel, DatagramChannel
from spikearm.hardware.link.greeting import REPEAT_S
from spikearm.hardware.link.network_packets import (
    BUSY,
    CHUNK_BYTES,
    MAX_PACKET_BYTES,
    OTHER_NETWORK,
    Kind,
    Packet,
    PortValues,
    pack,
    spec_digest,
    unpack,
)
from spikearm.hardware.link.program_server import SILENCE_S
from spikearm.hardware.link.saved_state import state_from_bytes, state_to_bytes
from spikearm.hardware.link.wire import Refused
from spikearm.hardware.nengo_state import StateArray
from spikearm.hardware.ports import Ports
from spikearm.models.network import InputPort, NetworkSpec, OutputPort, PortedNetwork
from spikearm.records import COUNT_NAMES, NO_COUNTS, FloatArray, OpCounts

_PATIENCE_S = 5.0
_AT_ONCE = 64
"""Packets looked at in search of an answer: a flood must not keep the loop from its tick."""


_JOIN_S = SILENCE_S + 1.0
"""How long a network is waited for that is busy [s]."""


class _BusyError(LinkError):
    """Somebody else is in session."""


class RemoteProgram:
    """A compiled network at the other end of a wire.

    A step asks, and waits for its answer up to ``wait_s``. If that has not come, the last output there is is
    given again, with its age: the network is sampled and held. The age is the time since it was asked for.

    Without ``wait_s`` the loop stands still while the network answers, as it does for one in this process:
    the remote one then does exactly the same, and its answers are of age 0. One that has not answered after
    5 s is lost.

    Args:
        channel: The wire.
        spec: The network's description.
        digest: Of that description.
        key: Shared key, or ``b""``.
        wait_s: How long a step waits for its own answer in real time [s]; None lets time stand still for it.
        now_ns: Monotonic clock [ns].

    Raises:
        LinkError: Nobody answers, or the other end has another network.
    """

    def __init__(
        self,
        channel: Channel,
        spec: NetworkSpec,
        digest: bytes,
        key: bytes,
        *,
        wait_s: float | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._channel = channel
        self._key = key
        self._wait_s = wait_s
        self._now_ns = now_ns
        self._inputs = PortValues(spec.inputs)
        self._outputs = PortValues(spec.outputs, extra=len(COUNT_NAMES))
        self._ports = _mirrored(spec)
        self._held: dict[str, FloatArray] = {name: np.zeros(n) for name, n in spec.outputs.items()}
        self._held_ns: int | None = None
        self._session = self._sequence = 0
        self._joined_ns = now_ns()
        self._closed = False
        try:
            welcome = self._join(digest)
            self._session = welcome.session
            self._ask(Kind.RESET, 0, b"")  # enters the session
        except BaseException:
            channel.close()
            raise
        self._dt_s = 1e-9 * welcome.argument

    @property
    def dt_s(self) -> float:
        """Network time step [s]."""
        return self._dt_s

    def step(self, inputs: Mapping[str, FloatArray]) -> StepResult:
        """Ask for a step.

        Raises:
            PortError: An input is missing, unknown, of the wrong shape, or not finite; nothing was asked.
            NetworkLostError: The other end has failed, or does not answer while time stands still.
            ClosedError: The program is closed.
        """
        self._require_open()
        self._ports.write(inputs)
        question = self._send(Kind.STEP, 0, self._inputs.pack(inputs))
        asked_ns = self._asked_ns
        deadline_ns = asked_ns + round(1e9 * (_PATIENCE_S if self._wait_s is None else self._wait_s))
        repeat_ns = asked_ns + round(1e9 * REPEAT_S)
        counts, answered = self._take_answers()
        while not answered and (now_ns := self._now_ns()) < deadline_ns:
            if now_ns >= repeat_ns:
                self._channel.send(question)
                repeat_ns = now_ns + round(1e9 * REPEAT_S)
            more, answered = self._take_answers(1e-9 * (min(deadline_ns, repeat_ns) - now_ns))
            counts = counts + more
        if not answered and self._wait_s is None:
            raise NetworkLostError(
                f"the network at the other end has not answered for {_PATIENCE_S:g} s: was it ended, or "
                "taken over by another loop?"
            )
        outputs = {name: value.copy() for name, value in self._held.items()}
        return StepResult(outputs, counts, self._age_s(answered))

    def reset(self) -> None:
        """Go back to the compiled state, learned weights included."""
        self._require_open()
        self._ask(Kind.RESET, 0, b"")
        self._held = {name: np.zeros_like(value) for name, value in self._held.items()}
        self._held_ns = None

    def state_dict(self) -> dict[str, StateArray]:
        """Everything needed to resume exactly here, learned weights included."""
        self._require_open()
        data = bytearray()
        while True:
            answer = self._ask(Kind.SAVE, len(data), b"")
            data += answer.payload
            if len(data) >= answer.argument:
                return state_from_bytes(bytes(data))

    def load_state_dict(self, state: Mapping[str, StateArray]) -> None:
        """Resume from a saved state.

        Raises:
            StateError: The state belongs to another network, or is incomplete. Nothing was changed.
        """
        self._require_open()
        data = state_to_bytes(state)
        for start in (*range(0, len(data), CHUNK_BYTES), len(data)):
            try:
                self._ask(Kind.LOAD, start, data[start : start + CHUNK_BYTES])
            except LinkError as error:
                raise StateError(str(error)) from error

    def close(self) -> None:
        """Leave; the network stays served. Closing twice is not an error."""
        if self._closed:
            return
        self._closed = True
        self._send(Kind.BYE, 0, b"")
        self._channel.close()

    def _age_s(self, answered: bool) -> float:
        """Time since what is given was asked for [s]; infinite before there is any."""
        if answered and self._wait_s is None:
            return 0.0  # the loop's time stood still
        return math.inf if self._held_ns is None else 1e-9 * (self._now_ns() - self._held_ns)

    def _take_answers(self, timeout_s: float = 0.0) -> tuple[OpCounts, bool]:
        """Take all answers there are; counts of their steps, and whether the newest has come."""
        counts = NO_COUNTS
        came = self._channel.receive(timeout_s)
        for _ in range(_AT_ONCE):
            if came is None:
                break
            answer = self._genuine(came[0])
            if answer is not None and answer.kind is Kind.ERROR and self._is_answer(answer):
                said = answer.payload.decode(errors="replace")
                raise NetworkLostError(f"the network at the other end failed: {said}")
            if answer is not None and answer.kind is Kind.STEP and self._is_news(answer):
                try:
                    values, numbers = self._outputs.unpack(answer.payload)
                except Refused:
                    return counts, False
                if not (np.isfinite(numbers).all() and (numbers >= 0.0).all()):
                    return counts, False  # energy is modelled by them, and summed over the whole run
                self._held = values
                self._held_ns = answer.client_ns
                counts = counts + OpCounts(*numbers.tolist())
                if self._is_answer(answer):
                    return counts, True
            came = self._channel.receive()
        return counts, False

    def _is_news(self, answer: Packet) -> bool:
        """An answer to one of this program's own questions, and to a later one than the last."""
        oldest_ns = self._joined_ns if self._held_ns is None else self._held_ns
        return oldest_ns < answer.client_ns <= self._asked_ns

    def _is_answer(self, answer: Packet) -> bool:
        """Whether it answers the last question; an earlier run's may have had the same number."""
        return (answer.sequence, answer.client_ns) == (self._sequence, self._asked_ns)

    def _join(self, digest: bytes) -> Packet:
        """Ask for a session until nobody else is in one.

        Raises:
            LinkError: There is none to be had.
        """
        deadline_ns = self._now_ns() + round(1e9 * _JOIN_S)
        while True:
            try:
                return self._ask(Kind.HELLO, 0, digest)
            except _BusyError:
                # A client that was killed is forgotten after a while.
                if self._now_ns() > deadline_ns:
                    raise
                self._channel.receive(REPEAT_S)

    def _ask(self, kind: Kind, argument: int, payload: bytes) -> Packet:
        """Ask, and wait for the answer however long a healthy network may take.

        Raises:
            LinkError: There is none, or it is a refusal.
        """
        question = self._send(kind, argument, payload)
        deadline_ns = self._now_ns() + round(1e9 * _PATIENCE_S)
        repeat_ns = self._now_ns() + round(1e9 * REPEAT_S)
        while (now_ns := self._now_ns()) < deadline_ns:
            if now_ns >= repeat_ns:
                self._channel.send(question)
                repeat_ns = now_ns + round(1e9 * REPEAT_S)
            came = self._channel.receive(1e-9 * max(0, repeat_ns - now_ns))
            answer = None if came is None else self._genuine(came[0])
            if answer is None or not self._is_answer(answer):
                continue
            if answer.kind is Kind.ERROR and answer.payload == BUSY:
                raise _BusyError("another loop is in session with this network; end that one first.")
            if answer.kind is Kind.ERROR and answer.payload == OTHER_NETWORK:
                raise LinkError(
                    "the other end serves another network. Give both ends the same arm, network, backend and "
                    "seed (`--config` with the same file does)."
                )
            if answer.kind is Kind.ERROR:
                raise LinkError(f"the other end refuses: {answer.payload.decode(errors='replace')}.")
            if answer.kind is kind:
                return answer
        raise LinkError(
            f"no network answers within {_PATIENCE_S:g} s. Is it served at this address, with the same key "
            "(`spikearm backend serve`), and does it say that it is ready? On a new machine this takes "
            "a minute or two."
        )

    def _genuine(self, data: bytes) -> Packet | None:
        try:
            answer = unpack(data, self._key)
        except Refused:
            return None
        return answer if answer.answers and self._session in (0, answer.session) else None

    def _send(self, kind: Kind, argument: int, payload: bytes) -> bytes:
        self._sequence += 1
        self._asked_ns = self._now_ns()
        packet = Packet(kind, self._session, self._sequence, self._asked_ns, argument, payload)
        data = pack(packet, self._key)
        self._channel.send(data)
        return data

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError("this program is closed; compile the network again to go on.")


@dataclass(frozen=True)
class RemoteBackend:
    """A substrate at the other end of a wire.

    Attributes:
        substrate: The same backend here, for its name and its cost model; it compiles nothing.
        address: Where its network is served.
        key: Shared key, or ``b""``.
        wait_s: How long a step waits for its own answer in real time [s]; None lets time stand still for it.
    """

    substrate: Backend
    address: Address
    key: bytes = b""
    wait_s: float | None = None

    @property
    def name(self) -> str:
        """The substrate's name."""
        return self.substrate.name

    @property
    def cost_model(self) -> CostModel:
        """What the operations of the substrate cost."""
        return self.substrate.cost_model

    @property
    def has_dead_time(self) -> bool:
        """Whether its neurons drop what is above the threshold."""
        return self.substrate.has_dead_time

    def compile(self, spec: NetworkSpec, *, dt_s: float, seed: int) -> RemoteProgram:
        """Join the network that is served at the address; it must be the same, to the last number.

        Raises:
            AddressError: The address must not be used without a key, or does not exist.
            LinkError: Nobody answers there, or another network is served.
        """
        require_safe(self.address, has_key=bool(self.key))
        digest = spec_digest(spec, dt_s=dt_s, seed=seed, substrate=self.substrate.name)
        sock = open_client_socket(self.address, served_by="backend serve")
        channel = DatagramChannel(sock, max_bytes=MAX_PACKET_BYTES)
        return RemoteProgram(channel, spec, digest, self.key, wait_s=self.wait_s)


def _mirrored(spec: NetworkSpec) -> Ports:
    """Ports of a network that is not here, for the checks that every program makes of its inputs."""
    ported = PortedNetwork(
        nengo.Network(),
        {name: InputPort(size) for name, size in spec.inputs.items()},
        {name: OutputPort(size) for name, size in spec.outputs.items()},
    )
    return Ports(ported)
