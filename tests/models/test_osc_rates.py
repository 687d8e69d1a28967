import nengo
import numpy as np
import pytest

from spikearm.models.osc_rates import DEAD_TIME_S, HIDDEN_HZ, TAU_S, amplitude, response, ripple


@pytest.mark.parametrize("neurons", ["rates", "spikes"])
def test_without_ripple_and_dead_time_the_response_is_rectified_linear(neurons):
    x = np.linspace(-1.0, 1.5, 11)
    np.testing.assert_allclose(response(x, 0.0, 200.0, neurons), np.maximum(x, 0.0), atol=1e-6)


def test_rippling_input_is_rectified_at_every_moment(rng):
    mean, deviation = np.array((-0.5, -0.1, 0.0, 0.2, 1.0)), 0.3
    moments = np.maximum(mean[:, None] + deviation * rng.standard_normal((5, 200_000)), 0.0)
    expected = response(mean, np.full(5, deviation**2), 200.0, "spikes")
    np.testing.assert_allclose(expected, moments.mean(axis=1), atol=2e-3)


@pytest.mark.parametrize("activation", [0.1, 0.4, 1.0])
def test_ripple_is_that_of_a_regular_spike_train(activation):
    dt_s, interval_s = 1e-5, 1.0 / (HIDDEN_HZ * activation)
    spikes = np.diff(np.floor(np.arange(0.0, 2.0, dt_s) / interval_s + 0.5)) / dt_s / HIDDEN_HZ
    filtered = nengo.Lowpass(TAU_S).filt(spikes[:, None], dt=dt_s)[len(spikes) // 2 :]
    assert ripple(np.array([activation]))[0] == pytest.approx(filtered.var(), rel=0.05)


@pytest.mark.parametrize("activation", [0.05, 0.45, 1.0])
def test_dead_time_adds_to_every_interval(activation):
    counted = response(np.array([activation]), 0.0, 200.0, "dead time")[0]
    interval_s = amplitude(200.0, "dead time") / counted
    assert interval_s == pytest.approx(1.0 / (200.0 * activation) + DEAD_TIME_S)


def test_dead_time_changes_nothing_at_the_typical_activation():
    np.testing.assert_allclose(response(np.array([0.45]), 0.0, 300.0, "dead time"), 0.45)
