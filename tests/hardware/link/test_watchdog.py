from __future__ import annotations

import math

import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.link.watchdog import Watchdog, WatchdogRules
from spikearm.hardware.link.wire import Stop


def run(watchdog: Watchdog, missed: str, **options) -> list[Stop]:
    """One tick per letter; ``x`` is a miss."""
    return [watchdog.tick(missed=letter == "x", **options) for letter in missed]


def test_twenty_misses_in_a_row_stop():
    watchdog = Watchdog(WatchdogRules(), dt_s=1e-3)
    assert run(watchdog, 19 * "x") == 19 * [Stop(0)]
    assert run(watchdog, "x") == [Stop.MISSED_IN_A_ROW]


def test_one_command_in_time_starts_the_row_anew():
    watchdog = Watchdog(WatchdogRules(), dt_s=1e-3)
    assert not any(run(watchdog, 19 * "x" + "." + 19 * "x"))
    assert watchdog.longest_run == 19
    assert watchdog.n_missed == 38


def test_more_than_a_tenth_of_half_a_second_stops():
    watchdog = Watchdog(WatchdogRules(), dt_s=1e-3)
    stops = run(watchdog, 51 * ("x" + 8 * "."))
    assert stops.index(Stop.MISSED_TOO_OFTEN) == 50 * 9
    assert not any(run(Watchdog(WatchdogRules(), dt_s=1e-3), 1000 * ("x" + 9 * ".")))


def test_window_agrees_with_counting_anew():
    rng = np.random.default_rng(0)
    rules = WatchdogRules(max_missed_s=1e3, max_share=0.25, window_s=0.04)
    watchdog = Watchdog(rules, dt_s=1e-3)
    missed = rng.random(3000) < 0.22
    for tick, miss in enumerate(missed):
        stop = watchdog.tick(missed=bool(miss))
        count = missed[max(0, tick - 39) : tick + 1].sum()
        assert bool(stop) == (miss and count > 10)
        rate = 1.0 - missed[max(0, tick - 99) : tick + 1].sum() / 100
        assert watchdog.success_rate == pytest.approx(rate)


def test_ticks_that_never_were_are_misses():
    watchdog = Watchdog(WatchdogRules(), dt_s=1e-3)
    assert watchdog.sleep(19) == Stop(0)
    assert (watchdog.n_missed, watchdog.longest_run) == (19, 19)
    assert watchdog.success_rate == pytest.approx(0.81)
    run(watchdog, ".")
    assert watchdog.sleep(20) == Stop.MISSED_IN_A_ROW
    often = Watchdog(WatchdogRules(), dt_s=1e-3)
    stops = [often.sleep(17) | run(often, ".")[0] for _ in range(3)]
    assert stops == [Stop(0), Stop(0), Stop.MISSED_TOO_OFTEN]


def test_long_sleep_is_counted_as_fast_as_a_short_one():
    watchdog = Watchdog(WatchdogRules(), dt_s=1e-3)
    assert watchdog.sleep(10**9) == Stop.MISSED_IN_A_ROW | Stop.MISSED_TOO_OFTEN
    assert (watchdog.n_missed, watchdog.longest_run) == (10**9, 10**9)


def test_sleep_of_any_length_fits_a_state():
    watchdog = Watchdog(WatchdogRules(), dt_s=1e-3)
    assert watchdog.sleep(10**11) == Stop.MISSED_IN_A_ROW | Stop.MISSED_TOO_OFTEN
    assert watchdog.n_missed == watchdog.longest_run < 2**32


def test_rules_mean_the_same_time_at_any_period():
    for dt_s, n in ((1e-3, 20), (2e-3, 10), (5e-3, 4), (0.1, 1)):
        stops = run(Watchdog(WatchdogRules(max_share=1.0), dt_s=dt_s), n * "x")
        assert stops == (n - 1) * [Stop(0)] + [Stop.MISSED_IN_A_ROW]


def test_client_may_only_be_stricter():
    assert run(Watchdog(WatchdogRules(), dt_s=1e-3), 5 * "x", timeout_ticks=5)[-1] == Stop.MISSED_IN_A_ROW
    assert not any(run(Watchdog(WatchdogRules(), dt_s=1e-3), 19 * "x", timeout_ticks=60_000))
    assert (
        run(Watchdog(WatchdogRules(), dt_s=1e-3), 20 * "x", timeout_ticks=60_000)[-1] == Stop.MISSED_IN_A_ROW
    )


def test_robot_that_is_not_armed_is_not_stopped_but_its_rate_is_known():
    watchdog = Watchdog(WatchdogRules(), dt_s=1e-3)
    assert not any(run(watchdog, 70 * "x", armed=False))
    assert watchdog.success_rate == pytest.approx(0.3)
    assert watchdog.n_missed == watchdog.longest_run == 0


def test_new_start_forgives_but_does_not_forget():
    watchdog = Watchdog(WatchdogRules(), dt_s=1e-3)
    run(watchdog, 49 * ("x" + "."))
    watchdog.forgive()
    assert not any(run(watchdog, 19 * "x"))
    assert watchdog.n_missed == 68
    watchdog.restart()
    assert (watchdog.n_missed, watchdog.longest_run, watchdog.success_rate) == (0, 0, 1.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"max_missed_s": 0}, "max_missed_s of the watchdog must be a positive number, not 0"),
        ({"window_s": math.inf}, "window_s of the watchdog must be a positive number"),
        ({"max_share": 1.5}, "from 0 to 1, not 1.5"),
    ],
)
def test_rules_out_of_range_are_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        WatchdogRules(**change)
