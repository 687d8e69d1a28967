from __future__ import annotations

import math

import numpy as np
import pytest

from spikearm.controller.fallback import Fallback, FallbackRules, Rung
from spikearm.errors import ConfigError, NetworkLostError

GOOD = np.array((2.0, -4.0))
NAN = np.array((1.0, math.nan))
RULES = FallbackRules(stale_s=0.01, hold_s=0.003, fade_s=0.004, stop_s=0.02)


def test_good_output_passes_untouched():
    fallback = Fallback(RULES, 2, dt_s=1e-3)
    for _ in range(5):
        assert fallback.torque(GOOD, 0.0) is GOOD
        assert fallback.rung is Rung.NETWORK
    assert fallback.torque(GOOD, 0.01) is GOOD


@pytest.mark.parametrize(
    ("output", "age_s"), [(NAN, 0.0), (GOOD * 9, 0.011), (GOOD * 9, math.nan), (GOOD, math.inf)]
)
def test_last_good_output_is_held_and_then_fades(output, age_s):
    fallback = Fallback(RULES, 2, dt_s=1e-3)
    fallback.torque(GOOD, 0.0)
    torques = [(fallback.torque(output, age_s), fallback.rung) for _ in range(9)]
    np.testing.assert_array_equal([t for t, _ in torques[:3]], [GOOD] * 3)
    assert [rung for _, rung in torques] == [Rung.HELD] * 3 + [Rung.LAW_ALONE] * 6
    np.testing.assert_allclose([t for t, _ in torques[3:]], np.outer((0.75, 0.5, 0.25, 0, 0, 0), GOOD))


def test_network_that_comes_back_fades_in():
    fallback = Fallback(RULES, 2, dt_s=1e-3)
    fallback.torque(GOOD, 0.0)
    for _ in range(9):
        fallback.torque(NAN, 0.0)
    back = [fallback.torque(GOOD, 0.0) for _ in range(5)]
    np.testing.assert_allclose(back, np.outer((0.25, 0.5, 0.75, 1.0, 1.0), GOOD))
    assert fallback.rung is Rung.NETWORK


def test_torque_never_jumps_while_the_network_comes_and_goes():
    rng = np.random.default_rng(0)
    fallback = Fallback(FallbackRules(hold_s=0.005, fade_s=0.05), 2, dt_s=1e-3)
    before = fallback.torque(GOOD, 0.0)
    usable = True
    for _ in range(2000):
        usable ^= bool(rng.random() < 0.03)
        after = fallback.torque(GOOD if usable else NAN, 0.0)
        assert np.abs(after - before).max() <= 4.0 / 50 + 1e-12
        before = after


@pytest.mark.parametrize(
    ("output", "age_s", "why"), [(NAN, 0.0, "not finite"), (GOOD, 5.0, "stale .*5 s old")]
)
def test_network_that_stays_away_ends_the_run(output, age_s, why):
    fallback = Fallback(RULES, 2, dt_s=1e-3)
    for _ in range(20):
        fallback.torque(output, age_s)
    with pytest.raises(NetworkLostError, match=f"has been {why}"):
        fallback.torque(output, age_s)


def test_reset_believes_in_the_network_again():
    fallback = Fallback(RULES, 2, dt_s=1e-3)
    fallback.torque(GOOD, 0.0)
    for _ in range(19):
        fallback.torque(NAN, 0.0)
    fallback.reset()
    assert fallback.rung is Rung.NETWORK
    np.testing.assert_array_equal(fallback.torque(NAN, 0.0), 0.0)
    assert fallback.torque(GOOD, 0.0) is GOOD


@pytest.mark.parametrize(
    "change", [{"stale_s": 0.0}, {"hold_s": -1.0}, {"fade_s": 0.0}, {"stop_s": math.inf}]
)
def test_rules_out_of_range_are_refused(change):
    with pytest.raises(ConfigError, match=r"must be"):
        FallbackRules(**change)
