from __future__ import annotations

import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.link.watchdog import Watchdog, WatchdogRules
from spikearm.hardware.link.wire import Stop


def run(watchdog: Watchdog, missed: str, **options) -> list[Stop]:
    """One tick per letter; ``x`` is a miss."""
    return [watchdog.tick(missed=letter == "x", **options) for letter in missed]


def test_twenty_misses_in_a_row_stop():
    watchdog = Watchdog(WatchdogRules())
    assert run(watchdog, 19 * "x") == 19 * [Stop(0)]
    assert run(watchdog, "x") == [Stop.MISSED_IN_A_ROW]


def test_one_command_in_time_starts_the_row_anew():
    watchdog = Watchdog(WatchdogRules())
    assert not any(run(watchdog, 19 * "x" + "." + 19 * "x"))
    assert watchdog.longest_run == 19
    assert watchdog.n_missed == 38


def test_more_than_a_tenth_of_half_a_second_stops():
    watchdog = Watchdog(WatchdogRules())
    stops = run(watchdog, 51 * ("x" + 8 * "."))
    assert stops.index(Stop.MISSED_TOO_OFTEN) == 50 * 9
    assert not any(run(Watchdog(WatchdogRules()), 1000 * ("x" + 9 * ".")))


def test_window_agrees_with_counting_anew():
    rng = np.random.default_rng(0)
    rules = WatchdogRules(max_in_a_row=10**6, max_share=0.25, window_ticks=40)
    watchdog = Watchdog(rules)
    missed = rng.random(3000) < 0.22
    for tick, miss in enumerate(missed):
        stop = watchdog.tick(missed=bool(miss))
        count = missed[max(0, tick - 39) : tick + 1].sum()
        assert bool(stop) == (miss and count > 10)
        rate = 1.0 - missed[max(0, tick - 99) : tick + 1].sum() / 100
        assert watchdog.success_rate == pytest.approx(rate)


def test_client_may_only_be_stricter():
    assert run(Watchdog(WatchdogRules()), 5 * "x", timeout_ticks=5)[-1] == Stop.MISSED_IN_A_ROW
    assert not any(run(Watchdog(WatchdogRules()), 19 * "x", timeout_ticks=60_000))
    assert run(Watchdog(WatchdogRules()), 20 * "x", timeout_ticks=60_000)[-1] == Stop.MISSED_IN_A_ROW


def test_robot_that_is_not_armed_is_not_stopped_but_its_rate_is_known():
    watchdog = Watchdog(WatchdogRules())
    assert not any(run(watchdog, 70 * "x", armed=False))
    assert watchdog.success_rate == pytest.approx(0.3)
    assert watchdog.n_missed == watchdog.longest_run == 0


def test_new_start_forgives_but_does_not_forget():
    watchdog = Watchdog(WatchdogRules())
    run(watchdog, 49 * ("x" + "."))
    watchdog.forgive()
    assert not any(run(watchdog, 19 * "x"))
    assert watchdog.n_missed == 68
    watchdog.restart()
    assert (watchdog.n_missed, watchdog.longest_run, watchdog.success_rate) == (0, 0, 1.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"max_in_a_row": 0}, "must be at least 1, not 0"),
        ({"window_ticks": 0}, "must be at least 1"),
        ({"max_share": 1.5}, "from 0 to 1, not 1.5"),
    ],
)
def test_rules_out_of_range_are_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        WatchdogRules(**change)
