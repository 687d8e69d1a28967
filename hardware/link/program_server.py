"""A network's end of a link: a program that runs here for a loop elsewhere."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikearm.hardware.backend import Program
from spikearm.hardware.link.channel import Channel, Peer
from spikearm.hardware.link.network_packets import (
    BUSY,
    CHUNK_BYTES,
    OTHER_NETWORK,
    Kind,
    Packet,
    PortValues,
    pack,
    unpack,
)
from spikearm.hardware.link.saved_state import MAX_STATE_BYTES, state_from_bytes, state_to_bytes
from spikearm.hardware.link.session import random_session
from spikearm.hardware.link.wire import Cause, Refused
from spikearm.models.network import NetworkSpec
from spikearm.records import COUNT_NAMES

SILENCE_S = 5.0
"""After so long without a word from its client, a network may be had by another one [s]."""
_AT_ONCE = 64
"""Packets looked at before the newest of them is answered."""
_OFFERED = 16
"""Sessions that are offered at a time."""


@dataclass(frozen=True)
class _Offer:
    """A session that nobody has entered yet."""

    hello: Packet
    peer: Peer
    session: int


class ProgramServer:
    """Serves one program to one client at a time.

    Of several questions that have come while a step was made, the newest is answered: a network that is
    slower than its loop takes samples of its inputs. A question that comes again is answered again,
    from memory.

    A hello is only ever an offer: it is answered with the number of a new session, and whoever asks something
    in that session has heard the answer, and has the key. Only then does it take the place of the old one,
    and the network goes back to its compiled state. An old hello, played again, changes nothing.

    Args:
        program: The compiled network.
        spec: Its description.
        digest: Of that description; a client with another one is turned away.
        channel: The wire.
        key: Shared key, or ``b""``.
        now_ns: Monotonic clock [ns].

    Attributes:
        refused: Packets that were refused, by cause.
        n_steps: Steps made.
        n_skipped: Questions that a newer one overtook.
    """

    def __init__(
        self,
        program: Program,
        spec: NetworkSpec,
        digest: bytes,
        channel: Channel,
        key: bytes,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._program = program
        self._digest = digest
        self._channel = channel
        self._key = key
        self._now_ns = now_ns
        self._inputs = PortValues(spec.inputs)
        self._outputs = PortValues(spec.outputs, extra=len(COUNT_NAMES))
        self._peer: Peer = None
        self._session = random_session()
        self._heard_ns = now_ns()
        self._offers: deque[_Offer] = deque(maxlen=_OFFERED)
        self._as_compiled = True
        self._last: Packet | None = None
        self._saved = bytearray()
        self.refused: Counter[Cause] = Counter()
        self.n_steps = self.n_skipped = 0

    def run(self, wanted: Callable[[], bool]) -> None:
        """Serve as long as ``wanted()`` is true; asked at least ten times a second."""
        while wanted():
            self.serve_once(0.1)

    def serve_once(self, timeout_s: float) -> None:
        """Wait for a question, and answer the newest there is."""
        came = self._channel.receive(timeout_s)
        newest: tuple[Packet, Peer] | None = None
        for _ in range(_AT_ONCE):
            if came is None:
                break
            asked = self._accepted(*came)
            if asked is not None:
                if newest is not None and newest[0].kind is Kind.STEP:
                    self.n_skipped += 1
                elif newest is not None:
                    self._answer(*newest)
                newest = asked
            came = self._channel.receive()
        if newest is not None:
            self._answer(*newest)

    def _accepted(self, data: bytes, peer: Peer) -> tuple[Packet, Peer] | None:
        """A question to be answered; what needs no thought is answered at once."""
        try:
            packet = unpack(data, self._key)
            if packet.answers:
                raise Refused(Cause.HEADER)
            if packet.kind is Kind.HELLO:
                self._welcome(packet, peer)
                return None
            if packet.session != self._session or peer != self._peer:
                self._enter(packet, peer)
            if self._last is not None and packet.sequence == self._last.sequence:
                self._channel.send(pack(self._last, self._key), peer)
                return None
            if self._last is not None and packet.sequence < self._last.sequence:
                raise Refused(Cause.SEQUENCE)
            if packet.kind is Kind.STEP and not np.isfinite(np.frombuffer(packet.payload, "<f8")).all():
                raise Refused(Cause.NOT_FINITE)
            if packet.kind is Kind.BYE:
                self._peer, self._session = None, random_session()
                return None
        except Refused as refusal:
            self.refused[refusal.cause] += 1
            return None
        except ValueError:
            self.refused[Cause.SIZE] += 1
            return None
        self._heard_ns = self._now_ns()
        return packet, peer

    def _welcome(self, hello: Packet, peer: Peer) -> None:
        """Offer a session to a client with the same network, unless somebody else is in one.

        A hello that was repeated because its answer was late is the same hello, and gets the same answer.
        """
        if hello.payload != self._digest or self._is_busy_for(peer):
            text = OTHER_NETWORK if hello.payload != self._digest else BUSY
            answer = Packet(Kind.ERROR, 0, hello.sequence, hello.client_ns, 0, text, answers=True)
        else:
            offer = next((o for o in self._offers if (o.hello, o.peer) == (hello, peer)), None)
            if offer is None:
                offer = _Offer(hello, peer, random_session())
                self._offers.append(offer)
            dt_ns = round(1e9 * self._program.dt_s)
            answer = Packet(
                Kind.HELLO, offer.session, hello.sequence, hello.client_ns, dt_ns, self._digest, answers=True
            )
        self._channel.send(pack(answer, self._key), peer)

    def _is_busy_for(self, peer: Peer) -> bool:
        """Whether somebody else is in session, and still there.

        A client on this machine that was killed leaves no socket behind, so nobody takes a packet for it;
        of one elsewhere, only its silence tells.
        """
        if self._peer is None or peer == self._peer:
            return False
        if self._now_ns() - self._heard_ns > round(1e9 * SILENCE_S):
            return False
        asked = Packet(Kind.ERROR, 0, 0, 0, 0, b"are you there?", answers=True)
        return self._channel.send(pack(asked, self._key), self._peer)

    def _enter(self, packet: Packet, peer: Peer) -> None:
        """Begin the session that this packet was sent in, if it was offered to its sender.

        Raises:
            Refused: It was not, or somebody else has been faster.
        """
        offer = next((o for o in self._offers if (o.session, o.peer) == (packet.session, peer)), None)
        if offer is None or packet.kind is Kind.BYE or self._is_busy_for(peer):
            raise Refused(Cause.SESSION)
        self._offers.remove(offer)
        self._peer, self._session, self._last = peer, offer.session, None
        self._as_compiled = False  # what the client before has taught it is not this one's

    def _answer(self, packet: Packet, peer: Peer) -> None:
        try:
            argument, payload = self._do(packet)
            kind = packet.kind
        except Refused as refusal:
            self.refused[refusal.cause] += 1
            return
        except Exception as error:  # noqa: BLE001 - whatever a substrate raises, the client must be told
            kind, argument, payload = Kind.ERROR, 0, str(error).encode()[:1000]
        answer = Packet(
            kind, self._session, packet.sequence, packet.client_ns, argument, payload, answers=True
        )
        self._last = answer
        self._channel.send(pack(answer, self._key), peer)

    def _do(self, packet: Packet) -> tuple[int, bytes]:
        """Argument and payload of the answer."""
        if not self._as_compiled:
            self._program.reset()
            self._as_compiled = True
            if packet.kind is Kind.RESET:
                return 0, b""
        if packet.kind is Kind.STEP:
            inputs, _ = self._inputs.unpack(packet.payload)
            result = self._program.step(inputs)
            self.n_steps += 1
            counts = np.array(result.counts)
            return 0, self._outputs.pack(result.outputs, counts)
        if packet.kind is Kind.RESET:
            self._program.reset()
            return 0, b""
        if packet.kind is Kind.SAVE:
            return self._save(packet.argument)
        if packet.kind is Kind.LOAD:
            return self._load(packet)
        raise Refused(Cause.HEADER)

    def _save(self, start: int) -> tuple[int, bytes]:
        if start == 0:
            self._saved = bytearray(state_to_bytes(self._program.state_dict()))
        return len(self._saved), bytes(self._saved[start : start + CHUNK_BYTES])

    def _load(self, packet: Packet) -> tuple[int, bytes]:
        """One more chunk; an empty one ends the state, which is then loaded."""
        if packet.argument == 0:
            self._saved = bytearray()
        if packet.argument != len(self._saved) or len(self._saved) > MAX_STATE_BYTES:
            raise Refused(Cause.SEQUENCE)
        if packet.payload:
            self._saved += packet.payload
        else:
            self._program.load_state_dict(state_from_bytes(bytes(self._saved)))
        return len(self._saved), b""
