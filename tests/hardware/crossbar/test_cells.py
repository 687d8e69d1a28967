from __future__ import annotations

import numpy as np
import pytest

from spikearm.hardware.crossbar import flicker
from spikearm.hardware.crossbar.cells import Cells
from spikearm.hardware.crossbar.pcm import PcmDevice, drift_factor, read_noise_variance

G_MAX = 25e-6
HOLD_S = 0.256


def _cells(x: float, *, device: PcmDevice | None = None, shape=(64, 64), seed=0, programmed_s=0.0) -> Cells:
    target = np.full((*shape, 2), x * G_MAX)
    rng = np.random.default_rng(seed)
    exact = PcmDevice(programming_scale=0.0) if device is None else device
    return Cells(target, exact, hold_s=HOLD_S, programmed_s=programmed_s, rng=rng)


def _visit_all(cells: Cells, now_s: float, round_: int, rng: np.random.Generator) -> None:
    cells.visit(0, cells.n_pairs, now_s, round_, rng)


@pytest.mark.parametrize("age_s", [20.0, 60.0, 3600.0])
@pytest.mark.parametrize("x", [0.1, 0.5, 1.0])
def test_held_and_drawn_noise_add_up_to_the_device_law(x, age_s):
    """Over devices: the spread of held conductances, and the variance drawn at each read, in total."""
    cells = _cells(x, device=PcmDevice(programming_scale=0.0, drift_scale=0.0))
    cells.jump(age_s - 20.0 + 1e-9, age_s - 20.0, np.random.default_rng(1))
    held = cells.total.var() / 2 / (x * G_MAX) ** 2
    drawn = cells.var.mean() / 2 / (x * G_MAX) ** 2
    expected = read_noise_variance(x, age_s, 250e-9)
    assert drawn > 0
    # Conductance cannot fall below zero, which takes a little off the widest distribution.
    assert held + drawn == pytest.approx(expected, rel=0.05)


def test_drift_follows_every_devices_own_law_and_clock():
    cells = _cells(0.5, device=PcmDevice(programming_scale=0.0, noise_scale=0.0))
    cells.born_s[::2] = 50.0
    cells.refresh_all(100.0)
    elapsed = np.where(np.arange(cells.n_pairs) % 2, 100.0, 50.0)[:, None]
    expected = cells.g * drift_factor(elapsed, cells.exponent, 20.0)
    np.testing.assert_allclose(cells.total, expected.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(cells.diff, expected[:, 0] - expected[:, 1], atol=1e-18)


def test_what_a_device_conducts_does_not_depend_on_the_ages_of_others():
    """Ages share a table; 0 s and 25.6 s have the same place in it."""
    mixed, alone = _cells(0.5), _cells(0.5)
    mixed.born_s[::2] = 25.6
    alone.born_s[:] = 25.6
    mixed.refresh_all(25.6)
    alone.refresh_all(25.6)
    np.testing.assert_array_equal(mixed.diff[::2], alone.diff[::2])
    np.testing.assert_array_equal(mixed.var[::2], alone.var[::2])
    alone.born_s[:] = 0.0
    alone.refresh_all(25.6)
    np.testing.assert_array_equal(mixed.diff[1::2], alone.diff[1::2])


def test_row_sums_stay_exact_over_many_visits():
    cells, rng = _cells(0.3), np.random.default_rng(3)
    for round_ in range(50):
        first = 97 * round_ % 3000
        cells.visit(first, first + 900, round_ * HOLD_S, round_, rng)
    sums = cells.total.reshape(cells.n_rows, cells.n_cols).sum(axis=1)
    np.testing.assert_allclose(cells.row_g, sums, rtol=1e-12)


def test_noise_components_stay_of_unit_variance():
    cells, rng = _cells(0.5), np.random.default_rng(4)
    for round_ in range(200):
        _visit_all(cells, round_ * HOLD_S, round_, rng)
    np.testing.assert_allclose(cells.z.std(axis=(0, 1)), 1.0, rtol=0.03)


def test_noise_lasts_as_long_as_in_an_exact_simulation_of_every_component():
    """Means over 3 s: what is left of the noise after averaging, against components stepped each ms.

    White noise of the same variance would leave a 50th of the deviation.
    """
    cells = _cells(0.5, device=PcmDevice(programming_scale=0.0, drift_scale=0.0), shape=(16, 16))
    rng = np.random.default_rng(5)
    age_s, n_steps = 1000.0, 3000
    cells.jump(age_s - 20.0, age_s - 20.0, rng)
    n_devices = 2 * cells.n_pairs
    held, held_mean = [], np.zeros(cells.n_pairs)
    n_visits = round(n_steps * 1e-3 / HOLD_S)
    for round_ in range(n_visits):
        _visit_all(cells, age_s - 20.0, round_, rng)
        held.append(cells.diff.copy())
    held_mean = np.mean(held, axis=0)

    taus = flicker.TIME_CONSTANTS_S
    shares = np.array([flicker.development(age_s, tau) for tau in taus])
    total = read_noise_variance(0.5, age_s, 250e-9) - 0.015**2
    weights = np.sqrt(total * shares / shares.sum())
    keep, kick = flicker.transition(np.full(len(taus), 1e-3), taus)
    z = rng.standard_normal((n_devices, len(taus)))
    sums = np.zeros(n_devices)
    for _ in range(n_steps):
        z = keep * z + kick * rng.standard_normal(z.shape)
        sums += z @ weights
    exact = 0.5 * G_MAX * sums / n_steps
    exact_pairs = exact[: cells.n_pairs] - exact[cells.n_pairs :]
    assert held_mean.std() == pytest.approx(exact_pairs.std(), rel=0.12)
    white = np.sqrt(2 * total) * 0.5 * G_MAX / np.sqrt(n_steps)
    assert held_mean.std() > 20 * white


def test_conductance_never_leaves_zero_to_the_noise():
    cells = _cells(0.02, shape=(32, 32))
    rng = np.random.default_rng(6)
    for round_ in range(20):
        _visit_all(cells, 1e5 + round_, round_, rng)
        assert (cells.total >= 0).all()
        assert (np.abs(cells.diff) <= cells.total + 1e-18).all()


def test_the_ideal_device_never_changes():
    cells = _cells(0.5, device=PcmDevice.ideal())
    before = cells.diff.copy()
    cells.jump(1e6, 1e6, np.random.default_rng(0))
    np.testing.assert_array_equal(cells.diff, before)
    assert not cells.var.any()


@pytest.mark.parametrize("tau_s", [0.1, 1.0, 1e4])
def test_transitions_compose(tau_s):
    tau = np.array([tau_s])
    keep, kick = flicker.transition(np.array([0.3]), tau)
    keep2, kick2 = flicker.transition(np.array([0.6]), tau)
    assert keep[0] ** 2 == pytest.approx(keep2[0])
    assert keep[0] ** 2 * kick[0] ** 2 + kick[0] ** 2 == pytest.approx(kick2[0] ** 2)


def test_development_is_exact_where_it_takes_short_cuts():
    for ratio in (1e-5, 1e-3, 0.5, 19.0, 21.0, 1e6):
        assert flicker.development(ratio / 2, 1.0) == pytest.approx(-np.expm1(-ratio), rel=1e-4)
