from __future__ import annotations

import ast
import math
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from spikearm.hardware.link import wire
from spikearm.hardware.link.key import TAG_BYTES, tag_of
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

KEY = bytes(range(32))
N = 7
CODEC = Codec(N, KEY)


def state(rng: np.random.Generator) -> StateFrame:
    q, dq, measured, applied = rng.normal(size=(4, N)) * 10.0 ** rng.integers(-300, 300, size=(4, N))
    return StateFrame(
        session=2**64 - 1,
        sequence=7,
        robot_ns=123,
        echo_ns=-5,
        held_ns=2**62,
        last_command=6,
        moved_by=5,
        mode=Mode.STOPPED,
        traits=Trait.LOCK_STEP | Trait.REAL,
        stop=Stop.SENSOR | Stop.PLANT,
        n_missed=2**32 - 1,
        longest_run=3,
        success_rate=0.1,
        t_s=1.0 / 3.0,
        dt_s=1e-3,
        q=q,
        dq=dq,
        measured=measured,
        applied=applied,
    )


def test_state_of_another_arm_is_refused():
    packet = Codec(N, KEY, arm=2**64 - 1).pack_state(state(np.random.default_rng(0)))
    assert Codec(N, KEY, arm=2**64 - 1).unpack_state(packet).sequence == 7
    with pytest.raises(Refused, match="another arm"):
        Codec(N, KEY, arm=1).unpack_state(packet)


def command(rng: np.random.Generator) -> CommandFrame:
    return CommandFrame(9, 2**63, 3, 77, -1, Flag.HOLD | Flag.ARM, 65535, rng.normal(size=N))


def same(left: object, right: object) -> bool:
    return all(
        np.array_equal(getattr(left, field.name), getattr(right, field.name)) for field in fields(left)
    )


def cause(unpack, packet: bytes) -> Cause:
    with pytest.raises(Refused) as caught:
        unpack(packet)
    return caught.value.cause


def signed(packet: bytes, at: int, value: bytes, key: bytes = KEY) -> bytes:
    """A genuine packet with other bytes in one place."""
    body = bytearray(packet[:-TAG_BYTES])
    body[at : at + len(value)] = value
    return bytes(body) + tag_of(bytes(body), key)


def test_what_arrives_is_bit_for_bit_what_was_sent():
    rng = np.random.default_rng(1)
    for _ in range(50):
        sent, told = state(rng), command(rng)
        assert same(CODEC.unpack_state(CODEC.pack_state(sent)), sent)
        assert same(CODEC.unpack_command(CODEC.pack_command(told)), told)


@pytest.mark.parametrize("n_joints", [1, 2, 7, 12])
def test_size_is_fixed_by_the_number_of_joints(n_joints):
    codec = Codec(n_joints, b"")
    told = CommandFrame(1, 1, 1, 1, -1, Flag(0), 0, np.zeros(n_joints))
    assert len(codec.pack_command(told)) == codec.command_bytes == 56 + 8 * n_joints + TAG_BYTES
    assert codec.state_bytes == 108 + 32 * n_joints + TAG_BYTES


@pytest.mark.parametrize("key", [b"", KEY])
def test_every_single_turned_bit_is_found(key):
    codec = Codec(N, key)
    packet = codec.pack_command(command(np.random.default_rng(2)))
    for bit in range(8 * len(packet)):
        spoilt = bytearray(packet)
        spoilt[bit // 8] ^= 1 << bit % 8
        assert cause(codec.unpack_command, bytes(spoilt)) is Cause.TAG


def test_packet_without_the_key_is_refused():
    packet = Codec(N, bytes(32)).pack_command(command(np.random.default_rng(3)))
    assert cause(CODEC.unpack_command, packet) is Cause.TAG
    packet = Codec(N, b"").pack_command(command(np.random.default_rng(3)))
    assert cause(CODEC.unpack_command, packet) is Cause.TAG


@pytest.mark.parametrize("size", [0, 1, 15, 16, 40, CODEC.command_bytes - 1, CODEC.command_bytes + 1, 2048])
def test_packet_of_another_size_is_refused(size):
    assert cause(CODEC.unpack_command, bytes(size)) is Cause.SIZE
    assert cause(CODEC.unpack_state, bytes(size)) is Cause.SIZE


@pytest.mark.parametrize(("at", "value"), [(0, b"X"), (4, b"\x01"), (5, b"\x01")])
def test_packet_of_another_protocol_version_or_kind_is_refused(at, value):
    packet = signed(CODEC.pack_command(command(np.random.default_rng(4))), at, value)
    assert cause(CODEC.unpack_command, packet) is Cause.HEADER


def test_genuine_packet_of_an_arm_with_other_joints_is_told_apart():
    told = CommandFrame(1, 1, 1, 1, -1, Flag(0), 0, np.zeros(6))
    assert cause(CODEC.unpack_command, Codec(6, KEY).pack_command(told)) is Cause.JOINTS
    packet = signed(CODEC.pack_command(command(np.random.default_rng(5))), 6, b"\x06")
    assert cause(CODEC.unpack_command, packet) is Cause.JOINTS


def test_state_of_an_unknown_mode_is_refused():
    packet = CODEC.pack_state(state(np.random.default_rng(6)))
    at = 24 + 5 * 8
    assert packet[at] == Mode.STOPPED
    assert cause(CODEC.unpack_state, signed(packet, at, b"\x63")) is Cause.HEADER


FLAGS_AT, TRAITS_AT = 48, 65
"""Where a command's flags are (2 bytes), and a state's traits (1) and reasons to stop (2)."""


def test_flags_that_nobody_knows_are_refused_unless_it_asks_to_end():
    packet = CODEC.pack_command(replace(command(np.random.default_rng(9)), flags=Flag.HOLD))
    assert packet[FLAGS_AT : FLAGS_AT + 2] == b"\x04\x00"
    assert cause(CODEC.unpack_command, signed(packet, FLAGS_AT, b"\x04\x80")) is Cause.FLAGS
    assert CODEC.unpack_command(signed(packet, FLAGS_AT, b"\x08\x80")).flags == Flag.STOP


def test_state_with_traits_or_stops_that_nobody_knows_is_refused():
    packet = CODEC.pack_state(state(np.random.default_rng(10)))
    assert packet[TRAITS_AT : TRAITS_AT + 3] == b"\x05\x60\x00"
    for unknown in (b"\x08\x00\x00", b"\x05\x60\x80"):
        assert cause(CODEC.unpack_state, signed(packet, TRAITS_AT, unknown)) is Cause.HEADER


def test_bits_that_nobody_knows_are_not_remembered():
    """Python keeps every value of a flag that it was ever asked for."""
    rng = np.random.default_rng(11)
    told, said = CODEC.pack_command(command(rng)), CODEC.pack_state(state(rng))
    before = [len(kind._value2member_map_) for kind in (Flag, Trait, Stop)]
    for high in range(0x10, 0x100):
        for packet, unpack, at, value in (
            (told, CODEC.unpack_command, FLAGS_AT, bytes((0, high))),
            (told, CODEC.unpack_command, FLAGS_AT, bytes((Flag.BYE, high))),
            (said, CODEC.unpack_state, TRAITS_AT, bytes((high,))),
            (said, CODEC.unpack_state, TRAITS_AT, bytes((0, 0, high))),
        ):
            with suppress(Refused):
                unpack(signed(packet, at, value))
    grown = [len(kind._value2member_map_) for kind in (Flag, Trait, Stop)]
    assert grown == before


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(bad):
    rng = np.random.default_rng(7)
    told = command(rng)
    told.torque[3] = bad
    assert cause(CODEC.unpack_command, CODEC.pack_command(told)) is Cause.NOT_FINITE
    for name in ("q", "dq", "measured", "applied"):
        sent = state(rng)
        getattr(sent, name)[0] = bad
        assert cause(CODEC.unpack_state, CODEC.pack_state(sent)) is Cause.NOT_FINITE
    for name in ("success_rate", "t_s", "dt_s"):
        sent = replace(state(rng), **{name: bad})
        assert cause(CODEC.unpack_state, CODEC.pack_state(sent)) is Cause.NOT_FINITE


def test_random_bytes_are_never_accepted():
    rng = np.random.default_rng(8)
    for _ in range(2000):
        assert cause(CODEC.unpack_command, rng.bytes(CODEC.command_bytes)) is Cause.TAG


def test_nothing_on_the_wire_is_evaluated():
    """No module of the link can turn bytes into objects or code."""
    for path in Path(wire.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"pickle", "marshal", "shelve", "dill", "yaml", "eval", "exec", "compile"}, path
        allowed = [node.value for node in ast.walk(tree) if getattr(node, "arg", "") == "allow_pickle"]
        assert not any(ast.literal_eval(value) for value in allowed), path
