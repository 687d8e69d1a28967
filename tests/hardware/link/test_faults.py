from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from rig import PERIOD_NS, Masses

from spikearm.errors import ConfigError
from spikearm.hardware.link.faults import FaultPlan, FaultyChannel, FaultyPlant
from spikearm.hardware.link.wire import Cause, Codec, CommandFrame, Flag, Refused

CODEC = Codec(2, b"")


class Wire:
    """What was sent, and what is to be received."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.sent: list[bytes] = []
        self.waiting: list[bytes] = []
        self.slept_s = 0.0

    def send(self, packet, peer=None):
        self.sent.append(packet)
        return True

    def receive(self, timeout_s=0.0):
        if self.waiting:
            return self.waiting.pop(0), "peer"
        self.now_ns += max(1000, round(1e9 * timeout_s))
        return None

    def close(self):
        pass

    def sleep(self, seconds):
        self.slept_s += seconds
        self.now_ns += round(1e9 * seconds)


def packet(sequence: int) -> bytes:
    return CODEC.pack_command(CommandFrame(1, sequence, 0, 0, -1, Flag(0), 0, np.ones(2)))


def passed(plan: FaultPlan, n: int = 2000) -> tuple[list[bytes], FaultyChannel, Wire]:
    """What comes out of a wire with these faults into which one packet is put per period."""
    wire = Wire()
    channel = FaultyChannel(
        wire,
        plan,
        CODEC,
        np.random.default_rng(plan.fault_seed),
        now_ns=lambda: wire.now_ns,
        sleep=wire.sleep,
    )
    out = []
    for i in range(n):
        wire.waiting.append(packet(i + 1))
        due = (i + 1) * PERIOD_NS
        while wire.now_ns < due:
            came = channel.receive(1e-9 * (due - wire.now_ns))
            if came is not None:
                out.append(came[0])
    return out, channel, wire


def sequences(packets: list[bytes]) -> list[int]:
    return [CODEC.unpack_command(p).sequence for p in packets]


def test_without_faults_everything_passes_in_order():
    out, _, _ = passed(FaultPlan(), n=200)
    assert sequences(out) == list(range(1, 201))
    assert not FaultPlan().any


def test_dropped_packets_are_gone():
    out, channel, _ = passed(FaultPlan(drop=0.1))
    assert 2000 - len(out) == channel.injected["drop"]
    assert 140 < channel.injected["drop"] < 260


def test_duplicates_come_twice():
    out, channel, _ = passed(FaultPlan(duplicate=0.1))
    assert len(out) == 2000 + channel.injected["duplicate"] > 2100
    assert sorted(set(sequences(out))) == list(range(1, 2001))


def test_reordered_packets_come_after_the_next():
    out, channel, _ = passed(FaultPlan(reorder=0.1))
    numbers = sequences(out)
    assert sum(b < a for a, b in pairwise(numbers)) >= 0.7 * channel.injected["reorder"]
    assert channel.injected["reorder"] > 100


def test_flipped_bits_are_refused():
    out, channel, _ = passed(FaultPlan(flip=0.1))
    refused = []
    for p in out:
        try:
            CODEC.unpack_command(p)
        except Refused as refusal:
            refused.append(refusal.cause)
    assert len(refused) == channel.injected["flip"] > 100
    assert set(refused) == {Cause.TAG}


def test_replayed_packets_are_old_ones():
    out, channel, _ = passed(FaultPlan(replay=0.1))
    assert len(out) == 2000 + channel.injected["replay"] > 2100
    assert len(set(out)) == 2000


def test_commands_without_a_number_are_genuine_otherwise():
    out, channel, _ = passed(FaultPlan(nan=0.1))
    causes = []
    for p in out:
        try:
            CODEC.unpack_command(p)
        except Refused as refusal:
            causes.append(refusal.cause)
    assert len(causes) == channel.injected["nan"] > 100
    assert set(causes) == {Cause.NOT_FINITE}


def test_delay_and_jitter_come_late_and_lose_nothing():
    out, channel, _ = passed(FaultPlan(wire_delay_s=0.0032, wire_jitter_s=0.002), n=300)
    assert channel.injected["delay"] == 300
    assert sorted(sequences(out)) == list(range(1, len(out) + 1))
    assert 294 <= len(out) <= 297


def test_frozen_robot_sleeps():
    _, channel, wire = passed(FaultPlan(freeze=0.01, freeze_s=0.02), n=1000)
    assert wire.slept_s == pytest.approx(0.02 * channel.injected["freeze"])
    assert channel.injected["freeze"] >= 2


def test_same_seed_same_faults():
    plan = FaultPlan(drop=0.05, duplicate=0.05, reorder=0.05, flip=0.05, replay=0.05, nan=0.05)
    assert passed(plan, n=300)[0] == passed(plan, n=300)[0]
    other = FaultPlan(drop=0.05, fault_seed=1)
    assert passed(FaultPlan(drop=0.05), n=300)[0] != passed(other, n=300)[0]


def test_faults_come_in_spells():
    plan = FaultPlan(drop=1.0, faults_after_s=0.0995, faults_every_s=0.2, faults_for_s=0.05)
    numbers = sequences(passed(plan, n=500)[0])
    missing = sorted(set(range(1, 501)) - set(numbers))
    assert missing == [*range(101, 151), *range(301, 351)]


def test_states_on_their_way_out_suffer_too():
    wire = Wire()
    channel = FaultyChannel(
        wire, FaultPlan(drop=1.0), CODEC, np.random.default_rng(0), now_ns=lambda: wire.now_ns
    )
    channel.send(b"state", "peer")
    assert wire.sent == []
    assert channel.injected["drop"] == 1


def test_sensors_fail_while_faults_are_active():
    active = [True]
    plant = FaultyPlant(
        Masses(), FaultPlan(sensor_nan=0.2), np.random.default_rng(0), active=lambda: active[0]
    )
    failed = sum(np.isnan(plant.read().q).all() for _ in range(1000))
    assert 150 < failed == plant.injected["sensor_nan"] < 250
    active[0] = False
    assert np.isfinite([plant.read().q for _ in range(100)]).all()
    assert plant.dt_s == 1e-3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"drop": 1.5}, "drop of the faults is a probability, not 1.5"),
        ({"freeze": -0.1}, "freeze of the faults is a probability"),
        ({"wire_delay_s": -1.0}, "wire_delay_s of the faults must be 0 or more"),
        ({"wire_delay_s": float("inf")}, "wire_delay_s of the faults must be 0 or more, not inf"),
        ({"wire_jitter_s": float("inf")}, "wire_jitter_s of the faults must be 0 or more, not inf"),
        ({"freeze_s": float("inf")}, "freeze_s of the faults must be 0 or more, not inf"),
        ({"faults_every_s": 0.0}, "faults_every_s must be a positive number"),
        ({"fault_seed": -1}, "fault_seed must be 0 or more"),
    ],
)
def test_plan_out_of_range_is_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        FaultPlan(**change)
