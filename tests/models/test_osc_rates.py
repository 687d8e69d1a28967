import numpy as np
import pytest

from spikearm.models.osc_rates import amplitude, response


def test_without_dead_time_the_response_is_rectified_linear():
    x = np.linspace(-1.0, 1.5, 11)
    np.testing.assert_allclose(response(x, 200.0, 0.0), np.maximum(x, 0.0))


@pytest.mark.parametrize("activation", [0.05, 0.45, 1.0])
def test_dead_time_adds_to_every_interval(activation):
    interval_s = amplitude(200.0, 5e-4) / response(np.array([activation]), 200.0, 5e-4)[0]
    assert interval_s == pytest.approx(1.0 / (200.0 * activation) + 5e-4)


def test_dead_time_changes_nothing_at_the_typical_activation():
    np.testing.assert_allclose(response(np.array([0.45]), 300.0, 5e-4), 0.45)
