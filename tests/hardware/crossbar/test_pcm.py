from __future__ import annotations

import numpy as np
import pytest

from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.pcm import (
    PcmDevice,
    drift_exponent,
    drift_factor,
    read_noise_variance,
    set_increment,
)


@pytest.mark.parametrize(("x", "sigma_us"), [(0.1, 0.448), (0.5, 0.953), (1.0, 1.055)])
def test_programming_scatter_has_the_published_values(x, sigma_us):
    assert 1e6 * PcmDevice().scatter_siemens(np.array(25e-6 * x)) == pytest.approx(sigma_us, abs=1e-3)


@pytest.mark.parametrize(("seconds", "left"), [(1, 0.998), (60, 0.935), (3600, 0.776), (86_400, 0.665)])
def test_mean_drift_has_the_published_values(seconds, left):
    exponents = drift_exponent(0.5, np.random.default_rng(0).standard_normal(100_000))
    assert drift_factor(seconds, exponents, 20.0).mean() == pytest.approx(left, abs=1.5e-3)


@pytest.mark.parametrize(("x", "relative"), [(0.1, 0.16), (0.5, 0.058), (1.0, 0.037)])
def test_read_noise_at_20_s_has_the_published_values(x, relative):
    assert np.sqrt(read_noise_variance(x, 20.0, 250e-9)) == pytest.approx(relative, rel=0.03)


def test_formulas_are_finite_over_the_whole_range():
    x = np.linspace(0.0, 1.0, 101)
    for values in (drift_exponent(x, 0.0), read_noise_variance(x, 20.0, 250e-9)):
        assert np.isfinite(values).all()
        assert (values >= 0).all()


def test_set_pulses_shrink_towards_the_maximum():
    x, steps = 0.0, []
    for _ in range(100):
        steps.append(set_increment(x, x, 0.0, 0.03, 0.6, 1.0))
        x += steps[-1]
    assert steps[0] == pytest.approx(0.03)
    assert np.all(np.diff(steps) < 0)
    # The recursion x <- x + a (1 - x) has the closed form 1 - (1 - a)^n.
    assert x == pytest.approx(1 - 0.97**100)


def test_programming_scatters_to_both_sides_of_the_largest_target():
    device, rng = PcmDevice(), np.random.default_rng(0)
    reached = device.program(np.full(50_000, device.g_max_siemens), rng)
    assert reached.mean() == pytest.approx(25e-6, abs=0.02e-6)
    assert reached.std() == pytest.approx(1.055e-6, rel=0.02)
    assert np.mean(reached > device.g_max_siemens) == pytest.approx(0.5, abs=0.01)


def test_bounds_are_six_deviations_beyond_the_outermost_targets_and_never_negative():
    """Of write-verify, or of the ends that pulses reach, whichever is farther."""
    alike = PcmDevice(bound_scatter=(0.0, 0.0))
    assert alike.bounds_siemens == (0.0, pytest.approx(25e-6 + 6 * 1.055e-6, rel=1e-3))
    assert PcmDevice().bounds_siemens == (0.0, pytest.approx(25e-6 * (1 + 6 * 0.1)))
    assert PcmDevice.ideal().bounds_siemens == (0.0, 25e-6)


def test_programming_scatters_around_the_target_and_stays_in_range():
    device = PcmDevice()
    rng = np.random.default_rng(0)
    reached = device.program(np.full(50_000, 12.5e-6), rng)
    assert reached.mean() == pytest.approx(12.5e-6, rel=2e-3)
    assert reached.std() == pytest.approx(0.953e-6, rel=0.02)
    low, high = device.bounds_siemens
    for target in (0.0, 25e-6):
        edge = device.program(np.full(1000, target), rng)
        assert edge.min() >= low
        assert edge.max() <= high


def test_an_ideal_device_reaches_every_target():
    target = np.linspace(0, 25e-6, 11)
    device = PcmDevice.ideal()
    np.testing.assert_array_equal(device.program(target, np.random.default_rng(0)), target)
    assert not device.changes_by_itself


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"g_max_siemens": -25e-6}, "g_max_siemens must be a positive number, not -2.5e-05"),
        ({"drift_t0_s": float("nan")}, "drift_t0_s must be a positive number, not nan"),
        ({"noise_scale": -1.0}, "noise_scale must be 0 or a positive number, not -1.0"),
        ({"set_step": 1.5}, "set_step is relative to the device's range and at most 1, not 1.5"),
        ({"set_saturation": 2.0}, r"set_saturation must lie in \[0, 1\], not 2.0"),
    ],
)
def test_an_impossible_device_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        PcmDevice(**changes)
