"""What travels between a loop and a network that runs elsewhere: one header, and bytes of a known size.

``header | payload | BLAKE2s-128 tag``. The payload of a step is its ports' values, sorted by the ports'
names, as little-endian doubles: its size follows from the network's description, a digest of which is
compared before the first step.
"""

from __future__ import annotations

import dataclasses
import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2s
from typing import Any

import numpy as np

from spikearm.hardware.link.key import TAG_BYTES, has_tag, tag_of
from spikearm.hardware.link.wire import Cause, Refused
from spikearm.models.network import NetworkSpec
from spikearm.records import FloatArray

_MAGIC = b"SPKN"
_VERSION = 3
_HEADER = struct.Struct("<4sBB?xQQqq")

CHUNK_BYTES = 8192
"""Part of a saved state that travels in one packet."""
MAX_PACKET_BYTES = 1 << 14
BUSY, OTHER_NETWORK = b"busy", b"another network"
"""What a hello is told while another client is in session."""


class Kind(enum.IntEnum):
    """What is asked for; the answer is of the same kind. A goodbye has none."""

    HELLO = 1
    STEP = 2
    RESET = 3
    SAVE = 4
    LOAD = 5
    ERROR = 6
    BYE = 7


_KINDS = frozenset(int(kind) for kind in Kind)


@dataclass(frozen=True, slots=True)
class Packet:
    """A question, or the answer to it.

    Attributes:
        kind: What is asked for.
        session: Number of the session; 0 with a hello.
        sequence: Number of the question.
        client_ns: Client's monotonic clock when it asked [ns].
        argument: Of a saved state, where the chunk begins or, in an answer, how long the whole is; time
            step of the program [ns] in the answer to a hello.
        payload: The rest.
        answers: Whether it comes from the network's end: a question that is sent back is no answer.
    """

    kind: Kind
    session: int
    sequence: int
    client_ns: int
    argument: int
    payload: bytes
    answers: bool = False


def pack(packet: Packet, key: bytes) -> bytes:
    """A packet as bytes."""
    head = _HEADER.pack(
        _MAGIC,
        _VERSION,
        packet.kind,
        packet.answers,
        packet.session,
        packet.sequence,
        packet.client_ns,
        packet.argument,
    )
    body = head + packet.payload
    return body + tag_of(body, key)


def unpack(data: bytes, key: bytes) -> Packet:
    """A packet from bytes.

    Raises:
        Refused: It is none of this protocol, or was damaged.
    """
    if not _HEADER.size + TAG_BYTES <= len(data) <= MAX_PACKET_BYTES:
        raise Refused(Cause.SIZE)
    if not has_tag(data, key):
        raise Refused(Cause.TAG)
    magic, version, kind, answers, session, sequence, client_ns, argument = _HEADER.unpack_from(data)
    if (magic, version) != (_MAGIC, _VERSION) or kind not in _KINDS:
        raise Refused(Cause.HEADER)
    payload = data[_HEADER.size : -TAG_BYTES]
    return Packet(Kind(kind), session, sequence, client_ns, argument, payload, answers)


class PortValues:
    """Values of some ports as bytes and back.

    Args:
        sizes: Size of each port by name.
        extra: Numbers after them that belong to no port.
    """

    def __init__(self, sizes: Mapping[str, int], *, extra: int = 0) -> None:
        self._sizes = dict(sorted(sizes.items()))
        self._n = sum(self._sizes.values()) + extra
        self._extra = extra

    def pack(self, values: Mapping[str, FloatArray], extra: FloatArray | None = None) -> bytes:
        """All values, in the order of their names, and what comes after them."""
        parts = [values[name] for name in self._sizes]
        if extra is not None:
            parts.append(extra)
        return np.concatenate(parts).astype("<f8").tobytes()

    def unpack(self, payload: bytes) -> tuple[dict[str, FloatArray], FloatArray]:
        """Values by name, and what comes after them; they may be anything that a double can be.

        Raises:
            Refused: There are more or fewer.
        """
        if len(payload) != 8 * self._n:
            raise Refused(Cause.SIZE)
        numbers = np.frombuffer(payload, dtype="<f8").astype(np.float64)
        values, start = {}, 0
        for name, size in self._sizes.items():
            values[name] = numbers[start : start + size]
            start += size
        return values, numbers[start:]


def spec_digest(spec: NetworkSpec, *, dt_s: float, seed: int, substrate: str) -> bytes:
    """Tells networks apart that only look alike: BLAKE2s-128 over every field of the description."""
    digest = blake2s(digest_size=16)
    _feed(digest, (type(spec).__name__, spec, dt_s, seed, substrate))
    return digest.digest()


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            digest.update(f"field {field.name}".encode())
            _feed(digest, getattr(value, field.name))
    elif isinstance(value, tuple | list):
        digest.update(f"list {len(value)}".encode())
        for item in value:
            _feed(digest, item)
    else:
        digest.update(f"{type(value).__name__} {value!r};".encode())
