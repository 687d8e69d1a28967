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
        statistics.take_period(now)
        before = now
    return statistics


@pytest.mark.parametrize("offset_ns", [0, 10**17, -(10**17)])
def test_delay_is_that_beyond_the_fastest_state_whatever_the_two_clocks_say(offset_ns):
    late_ns = [300_000, 100_000, 100_000, 2_600_000]
    states = [state(2 + k) for k in range(4)]
    arrived = [s.robot_ns + late + offset_ns for s, late in zip(states, late_ns, strict=True)]
    assert taken(states, arrived).delay_s == pytest.approx(2.5e-3)


def test_period_is_measured_and_not_assumed():
    """A robot that says 1 ms and takes 1.03 ms, and loses a state now and then."""
    numbers = [k for k in range(2, 1000) if k % 100]
    statistics = taken([state(k) for k in numbers], [round(1.03 * k * DT_NS) for k in numbers])
    document = statistics.document()
    assert document["period_error_s"]["p50"] == pytest.approx(30e-6, rel=0.1)
    assert document["period_error_s"]["max"] == pytest.approx(60e-6, rel=0.1)
    assert document["states_skipped"] == 9


def test_states_that_nobody_waited_for_say_nothing_of_the_period():
    """Those that came while a path was planned are taken all at once."""
    statistics = LinkStatistics()
    arrived_ns = [2, *(500 + k / 100 for k in range(400)), 505, 506, 507]
    for k, ms in enumerate(arrived_ns):
        statistics.take(state(2 + k), state(1 + k), round(ms * 1e6))
        if k == 0 or ms >= 505:
            statistics.take_period(state(2 + k, session=1 if k == 0 else 2))
    document = statistics.document()
    assert document["period_error_s"]["max"] == pytest.approx(0.0, abs=1e-6)
    assert document["states"] == 404


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
