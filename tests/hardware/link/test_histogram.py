from __future__ import annotations

import numpy as np
import pytest

from spikearm.hardware.link.histogram import Histogram


def test_percentiles_agree_with_those_of_all_times():
    times_s = np.random.default_rng(0).lognormal(-8.0, 1.0, size=20_000)
    histogram = Histogram()
    for time_s in times_s:
        histogram.add(time_s)
    for percent in (1.0, 50.0, 99.0, 99.9):
        exact = np.percentile(times_s, percent, method="inverted_cdf")
        assert histogram.percentile_s(percent) == pytest.approx(exact, abs=1.01e-6)
    assert histogram.max_s == times_s.max()
    assert histogram.n == 20_000


def test_long_and_negative_times_are_counted():
    histogram = Histogram()
    for time_s in (5.0, -1.0, 0.0):
        histogram.add(time_s)
    assert histogram.document() == {"p50": pytest.approx(1e-6), "p99": 5.0, "p99_9": 5.0, "max": 5.0}


def test_nothing_measured_is_none():
    assert set(Histogram().document().values()) == {None}
