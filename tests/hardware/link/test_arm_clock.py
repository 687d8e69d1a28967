"""How far the clock of an arm is believed."""

from __future__ import annotations

import pytest

from spikearm.hardware.link.arm_clock import cycles_passed


@pytest.mark.parametrize(
    ("arm_s", "here_s", "n_cycles"),
    [
        (0.001, 0.001, 1),
        (0.0, 0.005, 0),  # no reading came
        (0.0121, 0.001, 12),  # the reading before came late
        (0.03, 0.0, 30),
        (5.0, 5.0, 5000),
        (5.0, 0.001, 33),
        (1e300, 0.001, 33),
        (float("inf"), 0.001, 33),  # the difference of two finite times
        (-1e300, 0.001, 0),
    ],
)
def test_clock_of_an_arm_is_believed_within_reason_of_this_machines(arm_s, here_s, n_cycles):
    assert cycles_passed(arm_s, here_ns=round(1e9 * here_s), dt_s=1e-3) == n_cycles
