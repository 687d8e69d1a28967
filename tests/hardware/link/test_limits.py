from __future__ import annotations

import math
import re

import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.link.limits import LimitRules, Limits
from spikearm.hardware.link.wire import Stop
from spikearm.records import JointState

TORQUE = np.array((50.0, 20.0))
RANGE = np.array(((-1.0, 2.0), (-np.inf, np.inf)))
LIMITS = Limits(LimitRules(), TORQUE, RANGE, dt_s=1e-3)


def at(q=(0.0, 0.0), dq=(0.0, 0.0)) -> JointState:
    return JointState(np.array(q, dtype=float), np.array(dq, dtype=float), 0.0)


def test_torque_is_clamped_and_then_its_change():
    before = np.array((49.5, 0.0))
    np.testing.assert_array_equal(LIMITS.clamp(np.array((90.0, -90.0)), before), (50.0, -1.0))


def test_rate_means_the_same_change_in_a_second_at_any_period():
    for dt_s in (1e-3, 5e-3):
        limits = Limits(LimitRules(), TORQUE, RANGE, dt_s=dt_s)
        np.testing.assert_allclose(limits.clamp(TORQUE, np.zeros(2)), np.minimum(1000.0 * dt_s, TORQUE))


def test_torque_within_all_limits_is_not_touched():
    rng = np.random.default_rng(0)
    for _ in range(100):
        before = rng.uniform(-19, 19, 2)
        wanted = before + rng.uniform(-0.99, 0.99, 2)
        np.testing.assert_array_equal(LIMITS.clamp(wanted, before), wanted)


def test_no_sequence_of_wishes_leaves_the_limits():
    rng = np.random.default_rng(1)
    torque = np.zeros(2)
    for _ in range(3000):
        after = LIMITS.clamp(rng.normal(size=2) * 10.0 ** rng.integers(-3, 12), torque)
        assert (np.abs(after) <= TORQUE).all()
        assert (np.abs(after - torque) <= 1.0 + 1e-12).all()
        torque = after


def test_torque_that_was_outside_its_limit_is_inside_at_once():
    np.testing.assert_array_equal(LIMITS.clamp(np.array((80.0, 0.0)), np.array((80.0, -30.0))), (50.0, -20.0))


def test_share_lowers_the_limit():
    limits = Limits(LimitRules(torque_share=0.1, torque_rate_nm_s=1e9), TORQUE, RANGE, dt_s=1e-3)
    np.testing.assert_array_equal(limits.clamp(np.array((90.0, -90.0)), np.zeros(2)), (5.0, -2.0))


def test_hard_limits_are_noticed():
    assert LIMITS.violated(at()) == Stop(0)
    assert LIMITS.violated(at(q=(2.001, 0))) == Stop.JOINT_LIMIT
    assert LIMITS.violated(at(q=(-1.001, 0))) == Stop.JOINT_LIMIT
    assert LIMITS.violated(at(q=(0, 1e6))) == Stop(0)
    assert LIMITS.violated(at(dq=(0, -3.01))) == Stop.SPEED_LIMIT
    assert LIMITS.violated(at(q=(3, 0), dq=(9, 0))) == Stop.JOINT_LIMIT | Stop.SPEED_LIMIT


def test_outside_the_margins_nothing_pushes():
    assert LIMITS.push_back(at(q=(1.799, 50.0), dq=(2.499, -2.499))) is None
    assert LIMITS.push_back(at(q=(-0.799, 0.0))) is None


def test_push_grows_to_the_whole_torque_at_the_stop():
    for depth in (0.25, 0.5, 1.0):
        np.testing.assert_allclose(LIMITS.push_back(at(q=(1.8 + 0.2 * depth, 0))), (-50.0 * depth, 0))
        np.testing.assert_allclose(LIMITS.push_back(at(q=(-0.8 - 0.2 * depth, 0))), (50.0 * depth, 0))


def test_push_grows_to_the_whole_torque_at_the_speed_limit():
    np.testing.assert_allclose(LIMITS.push_back(at(dq=(0, 2.75))), (0, -10.0))
    np.testing.assert_allclose(LIMITS.push_back(at(dq=(-3.0, 0))), (50.0, 0))


def test_margin_damps_the_way_out_and_not_the_way_back():
    still = LIMITS.push_back(at(q=(1.9, 0)))
    outwards, inwards = (
        LIMITS.push_back(at(q=(1.9, 0), dq=(0.5, 0))),
        LIMITS.push_back(at(q=(1.9, 0), dq=(-2, 0))),
    )
    assert outwards[0] == pytest.approx(still[0] - 50.0)
    assert inwards[0] == still[0]


def test_margins_of_zero_push_nothing():
    limits = Limits(LimitRules(margin_rad=0.0, margin_rad_s=0.0), TORQUE, RANGE, dt_s=1e-3)
    assert limits.push_back(at(q=(1.99, 0), dq=(2.99, 0))) is None


def test_client_that_pushes_into_a_stop_is_kept_from_it():
    """A unit mass, pushed outwards with a third of the torque from 0.5 rad before its stop."""
    q, dq, torque, furthest = 1.5, 0.0, np.zeros(2), 0.0
    for _ in range(4000):
        state = at(q=(q, 0), dq=(dq, 0))
        push = LIMITS.push_back(state)
        wanted = np.array((17.0, 0.0)) + (0.0 if push is None else push)
        torque = LIMITS.clamp(wanted, torque)
        dq += torque[0] * 1e-3
        q += dq * 1e-3
        furthest = max(furthest, q)
    assert furthest < 2.0
    assert abs(dq) < 0.1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"torque_share": 0.0}, "above 0 and at most 1"),
        ({"torque_share": 1.1}, "above 0 and at most 1"),
        ({"torque_rate_nm_s": 0.0}, "torque_rate_nm_s must be a positive number"),
        ({"torque_rate_nm_s": math.inf}, "torque_rate_nm_s must be a positive number, not inf"),
        ({"speed_rad_s": math.inf}, "speed_rad_s must be a positive number, not inf"),
        ({"speed_rad_s": math.nan}, "speed_rad_s must be a positive number"),
        ({"margin_rad": -0.1}, "margin_rad must be 0 or a positive"),
        ({"margin_rad_s": 1.0}, "margin_rad_s = 1 must be below speed_rad_s = 1"),
        ({"margin_rad_s": 3.0, "speed_rad_s": 3.0}, "margin_rad_s = 3 must be below speed_rad_s = 3"),
    ],
)
def test_rules_out_of_range_are_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        LimitRules(**change)


def test_torque_of_a_real_arm_changes_by_1000_nm_s_at_most():
    rules = LimitRules(torque_rate_nm_s=1001.0)
    Limits(rules, TORQUE, RANGE, dt_s=5e-3)
    with pytest.raises(
        ConfigError, match="torque_rate_nm_s of a real arm must be at most 1000 N m/s, not 1001"
    ):
        Limits(rules, TORQUE, RANGE, dt_s=5e-3, real=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"speed_rad_s": 1e6}, "speed_rad_s of a real arm must be at most 3 rad/s, not 1e+06"),
        (
            {"margin_rad": 0.0},
            "margin_rad of a real arm must be at least 0.05 rad, not 0. Give a larger --margin-rad.",
        ),
        ({"margin_rad_s": 0.0}, "margin_rad_s of a real arm must be at least 0.1 rad/s, not 0"),
    ],
)
def test_limits_of_a_real_arm_cannot_be_set_away(change, said):
    Limits(LimitRules(**change), TORQUE, RANGE, dt_s=1e-3)
    with pytest.raises(ConfigError, match=re.escape(said)):
        Limits(LimitRules(**change), TORQUE, RANGE, dt_s=1e-3, real=True)


def test_a_turn_within_a_tick_is_a_leap_of_every_real_arm():
    widest = LimitRules(speed_rad_s=3.0, margin_rad=0.05, margin_rad_s=0.1)
    limits = Limits(widest, TORQUE, RANGE, dt_s=1e-2, real=True)
    turned = np.zeros(len(TORQUE))
    turned[0] = 0.1
    assert limits.leapt(turned, np.zeros(len(TORQUE)), 1)


def test_way_that_joints_may_have_gone_grows_with_the_time_since():
    limits = Limits(LimitRules(speed_rad_s=2.0), np.ones(2), np.tile((-9.0, 9.0), (2, 1)), dt_s=0.01)
    before = np.array([1.0, -1.0])
    for n_ticks in (1, 5, 1, 0):  # each asked for after another
        furthest = 0.05 + 0.02 * n_ticks
        for way in (np.array([furthest, 0.0]), np.array([0.0, -furthest])):
            assert not limits.leapt(before + 0.999 * way, before, n_ticks)
            assert limits.leapt(before + 1.001 * way, before, n_ticks)
