import numpy as np

from spikearm.controller.laws.integral import Integral

ERROR = np.array((1.0, -2.0))


def test_integral_is_gain_times_time_times_error():
    integral = Integral(2, ki=10.0, dt_s=1e-3, limit=9.0)
    for _ in range(100):
        value = integral.update(ERROR)
    np.testing.assert_allclose(value, (1.0, -2.0))


def test_without_gain_it_stays_zero():
    integral = Integral(2, ki=0.0, dt_s=1e-3, limit=9.0)
    np.testing.assert_array_equal(integral.update(ERROR), 0.0)


def test_frozen_integral_shrinks_but_does_not_grow():
    integral = Integral(2, ki=10.0, dt_s=1e-3, limit=9.0)
    before = integral.update(ERROR).copy()
    integral.frozen = True
    np.testing.assert_array_equal(integral.update(ERROR), before)
    after = integral.update(-0.5 * ERROR)
    np.testing.assert_allclose(after, 0.5 * before)


def test_integral_is_bounded_both_ways():
    integral = Integral(2, ki=1e6, dt_s=1e-3, limit=2.0)
    np.testing.assert_array_equal(integral.update(ERROR), (2.0, -2.0))


def test_reset_forgets_value_and_freeze():
    integral = Integral(2, ki=10.0, dt_s=1e-3, limit=9.0)
    first = integral.update(ERROR).copy()
    integral.update(ERROR)
    integral.frozen = True
    integral.reset()
    np.testing.assert_array_equal(integral.update(ERROR), first)
