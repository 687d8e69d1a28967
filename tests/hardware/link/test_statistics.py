"""What a client says of its link, from states whose clocks have nothing in common with its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikearm.hardware.link.statistics import LinkStatistics
from spikearm.hardware.link.wire import Mode, StateFrame, Stop, Trait

DT_NS = 1_000_000


def state(sequence: int, **changes) -> StateFrame:
    two = np.zeros(2)
    frame = StateFrame(
        session=1,
        sequence=sequence,
        robot_ns=sequence * DT_NS,
        echo_ns=0,
        held_ns=0,
        last_command=sequence,
        moved_by=sequence,
        mode=Mode.COMMAND_ACTIVE,
        traits=Trait(0),
        stop=Stop(0),
        n_missed=0,
        longest_run=0,
        success_rate=1.0,
        t_s=1e-9 * sequence * DT_NS,
        dt_s=1e-3,
        q=two,
        dq=two,
        measured=two,
        applied=two,
    )
    return replace(frame, **changes)


def taken(states: list[StateFrame], arrived_ns: list[int]) -> LinkStatistics:
    statistics = LinkStatistics()
    before = state(1)
    for now, now_ns in zip(states, arrived_ns, strict=True):
        statistics.take(now, before, now_ns)
        before = now
    return statistics


@pytest.mark.parametrize("offset_ns", [0, 10**17, -(10**17)])
def test_delay_is_that_beyond_the_fastest_state_whatever_the_two_clocks_say(offset_ns):
    late_ns = [300_000, 100_000, 100_000, 2_600_000]
    states = [state(2 + k) for k in range(4)]
    arrived = [s.robot_ns + late + offset_ns for s, late in zip(states, late_ns, strict=True)]
    assert taken(states, arrived).delay_s == pytest.approx(2.5e-3)


def test_states_that_were_lost_are_counted():
    numbers = [k for k in range(2, 1000) if k % 100]
    assert taken([state(k) for k in numbers], [k * DT_NS for k in numbers]).n_skipped == 9


def test_round_trip_leaves_out_what_the_robot_waited_for_its_tick():
    states = [state(2, echo_ns=5_000_000, held_ns=700_000)]
    document = taken(states, [6_000_000]).document()
    assert document["round_trip_s"]["max"] == pytest.approx(300e-6, rel=0.1)
    assert document["states"] == 1


def test_success_is_that_of_an_active_arm_over_all_its_sessions():
    waiting = [state(k, mode=Mode.MONITOR, success_rate=0.2, n_missed=0) for k in range(2, 50)]
    active = [state(k, n_missed=max(0, k - 140), longest_run=max(0, k - 140)) for k in range(50, 150)]
    document = taken(waiting + active, list(range(148))).document()
    assert document["success_rate"] == pytest.approx(1.0 - 9 / 100, abs=2e-3)
    assert (document["robot_missed_commands"], document["robot_longest_run_of_misses"]) == (9, 9)
    assert document["success_rate_min_100"] == 1.0
    assert LinkStatistics().document()["success_rate"] is None
