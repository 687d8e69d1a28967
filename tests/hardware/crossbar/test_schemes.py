"""Learning schemes, and weights of several pairs of devices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.crossbar import srtio3
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.devices import make_device
from spikearm.hardware.crossbar.events import EventTraces
from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.pcm import PcmDevice
from spikearm.records import OpCounts

N_IN, N_OUT, DT_S = 40, 3, 1e-3
EQUAL = replace(PcmDevice.ideal(), set_step=0.01)


def make_learning(config: CrossbarConfig, *, tau_s: float | None = None) -> PulseLearning:
    rng = np.random.default_rng(0)
    weights, ranges = np.zeros((N_OUT, N_IN)), np.full(N_OUT, 2.0)
    matrix = CrossbarMatrix("test", weights, ranges, config, hold_s=0.256, per_spike=1 / DT_S, rng=rng)
    traces = None if tau_s is None else EventTraces(N_IN, N_OUT, tau_s=tau_s, dt_s=DT_S, per_spike=1 / DT_S)
    return PulseLearning(matrix, DeviceClock(DT_S), rng, traces)


def delta_at(row: int, pulses: dict[int, int]) -> np.ndarray:
    """Changes worth so many pulses of a hundredth of the range, by column, in one row."""
    delta = np.zeros((N_OUT, N_IN))
    for column, n in pulses.items():
        delta[column, row] = 2.0 * 0.01 * n
    return delta


def ideal(**settings) -> CrossbarConfig:
    return replace(CrossbarConfig.ideal(), device=EQUAL, **settings)


# Schemes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau_s", [None, 0.01])
def test_stochastic_pulses_are_right_on_average_and_keep_nothing(tau_s):
    learning = make_learning(ideal(learning="stochastic"), tau_s=tau_s)
    n_steps, error = 4000, np.array([1.0, -0.5, 0.0])
    x = np.full(N_IN, 1.0 / DT_S)
    for _ in range(n_steps):
        learning.pes(x, error, 2e-8, Ledger().counts)
    learning.settle(Ledger().counts)
    activity = n_steps / DT_S if tau_s is None else n_steps / DT_S - 10 / DT_S
    asked = 2e-8 * error[:, None] * np.full(N_IN, activity)
    written = learning.matrix.weights_now()
    # Each weight is a sum of rare pulses: sqrt(n) of them is the deviation.
    deviation = 0.02 * np.sqrt(np.abs(asked).max() / 0.02)
    np.testing.assert_allclose(written, asked, atol=4.5 * deviation)
    assert written.mean(axis=1) == pytest.approx(asked.mean(axis=1), abs=deviation)
    assert not written[2].any()
    assert not learning.chi.any()


def test_sign_pulses_go_to_every_weight_of_the_active_rows():
    learning, ledger = make_learning(ideal(learning="sign")), Ledger()
    acts = np.zeros(N_IN)
    acts[[1, 2, 3]] = [0.4, 0.6, 80.0]  # [Hz]; the first rounds to 0
    learning.pes(acts, np.array([0.1, -2.0, 0.0]), -1e-6, ledger.counts)
    changed = learning.matrix.weights_now() / (2.0 * 0.01)
    expected = np.zeros((N_OUT, N_IN))
    expected[0, [2, 3]], expected[1, [2, 3]] = -1, 1
    np.testing.assert_allclose(changed, expected)
    assert ledger.total().set_pulses == 4
    assert ledger.total().learning_updates == 2 * N_OUT


def test_sign_pulses_wait_for_an_error_worth_it():
    learning, ledger = make_learning(ideal(learning="sign")), Ledger()
    learning.pes(np.full(N_IN, 50.0), np.full(N_OUT, 1e-5), -1.0, ledger.counts)
    assert ledger.total() == OpCounts()


def test_sign_pulses_serve_other_rules_too():
    learning = make_learning(ideal(learning="sign"))
    delta = np.zeros((N_OUT, N_IN))
    delta[0, 0], delta[2, 5] = 1e-9, -1e-9
    learning.add(delta, Ledger().counts)
    np.testing.assert_allclose(learning.matrix.weights_now(), 0.02 * np.sign(delta))


@pytest.mark.parametrize("scheme", ["mixed-precision", "stochastic", "sign"])
def test_same_seed_same_conductances(scheme):
    g = []
    for _ in range(2):
        learning, rng = make_learning(CrossbarConfig(learning=scheme)), np.random.default_rng(4)
        for _ in range(100):
            learning.pes(100.0 * rng.random(N_IN), rng.normal(size=N_OUT), 1e-6, Ledger().counts)
            learning.refresh(Ledger().counts)
        g.append(learning.matrix.cells.g)
    np.testing.assert_array_equal(g[0], g[1])
    assert g[0].max() > 0


def test_unknown_scheme_is_refused():
    with pytest.raises(UnknownNameError, match=r"no learning scheme named 'signs'.*Did you mean 'sign'"):
        CrossbarConfig(learning="signs")


# Several pairs per weight -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_pairs", [2, 4, 7])
def test_pairs_take_turns(n_pairs):
    learning = make_learning(ideal(devices_per_synapse=n_pairs))
    delta = np.zeros((N_OUT, N_IN))
    delta[1, 3] = 2.0 * 0.01 / n_pairs  # one pulse on one of the pairs
    for _ in range(2 * n_pairs + 1):
        learning.add(delta, Ledger().counts)
    taken = learning.matrix.cells.set_count[3 * N_OUT + 1, ::2]
    np.testing.assert_array_equal(taken, [3] + [2] * (n_pairs - 1))
    assert learning.counter[0] == 1


def test_the_counter_is_shared_by_all_weights():
    learning = make_learning(ideal(devices_per_synapse=3))
    delta = np.full((N_OUT, N_IN), 2.0 * 0.01 / 3)
    learning.add(delta, Ledger().counts)
    taken = learning.matrix.cells.set_count[:, ::2]
    np.testing.assert_array_equal(taken.argmax(axis=1), np.arange(N_IN * N_OUT) % 3)


@pytest.mark.parametrize("n_pairs", [1, 4])
def test_what_is_written_and_what_is_left_add_up_to_what_was_asked(n_pairs):
    learning = make_learning(ideal(devices_per_synapse=n_pairs))
    rng, asked = np.random.default_rng(0), np.zeros((N_OUT, N_IN))
    for _ in range(100):
        delta = rng.normal(scale=0.004, size=(N_OUT, N_IN))
        asked += delta
        learning.add(delta, Ledger().counts)
    np.testing.assert_allclose(learning.matrix.weights_now() + 2.0 * learning.chi.T, asked, atol=1e-9)


def test_scatter_of_pulses_averages_over_pairs():
    def error(n_pairs: int) -> float:
        device = replace(PcmDevice.ideal(), set_step=0.03, set_scatter=0.6)
        learning = make_learning(replace(CrossbarConfig.ideal(), device=device, devices_per_synapse=n_pairs))
        delta = np.full((N_OUT, N_IN), 0.6)
        for _ in range(20):
            learning.add(delta / 20, Ledger().counts)
        return float((learning.matrix.weights_now() + 2.0 * learning.chi.T).std())

    # The same weight by n times as many pulses, each n times as small.
    assert error(4) == pytest.approx(error(1) / 2, rel=0.25)


def test_programming_scatter_averages_over_pairs():
    weights = np.random.default_rng(1).normal(size=(30, 60))

    def error(n_pairs: int) -> float:
        config = CrossbarConfig(devices_per_synapse=n_pairs, programmed_s=0.0)
        config = replace(config, device=PcmDevice(drift_scale=0.0, noise_scale=0.0))
        rng = np.random.default_rng(2)
        matrix = CrossbarMatrix("", weights, None, config, hold_s=0.256, per_spike=None, rng=rng)
        return float((matrix.weights_now() - weights).std())

    assert error(4) == pytest.approx(error(1) / 2, rel=0.15)


def test_pairs_of_a_weight_share_a_tile_and_its_converters():
    config = replace(CrossbarConfig.ideal(), tile_cols=8, adcs_per_tile=2, devices_per_synapse=4)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(5, 10))
    matrix = CrossbarMatrix("", weights, None, config, hold_s=0.256, per_spike=None, rng=rng)
    matrix.calibrate(np.ones((1, 10)))
    ledger, x = Ledger(), rng.uniform(-1, 1, 10)
    np.testing.assert_allclose(matrix.read(x, ledger.counts), weights @ x, rtol=1e-9, atol=1e-12)
    assert matrix.n_col_tiles == 3  # two weights of four pairs in eight columns
    counts = ledger.total()
    assert counts.tile_reads == 3
    assert counts.active_macs == 10 * 5 * 4
    assert counts.conversions == 5
    assert counts.read_conductance_siemens == pytest.approx((x**2 / _unit(x) ** 2) @ matrix.cells.row_g)


def _unit(x: np.ndarray) -> float:
    return float(2.0 ** np.ceil(np.log2(np.abs(x).max())))


def test_more_pairs_than_columns_are_refused():
    with pytest.raises(ConfigError, match="devices_per_synapse must be a whole number from 1 to 8, not 9"):
        CrossbarConfig(tile_cols=8, adcs_per_tile=4, devices_per_synapse=9)


def test_pulses_of_either_polarity_are_given_one_after_the_other():
    """Weights of one row that take turns at G+ up and G- down cannot be written in one go."""
    config = replace(ideal(), device=replace(EQUAL, reset_step=0.01, learn_start=0.5))
    for n_pulses, n_slots in ((1, 1), (2, 2), (4, 4)):
        learning, ledger = make_learning(config), Ledger()
        learning.add(delta_at(2, {0: n_pulses}), ledger.counts)
        counts = ledger.total()
        assert counts.rows_programmed + counts.rows_reset == n_slots
    learning, ledger = make_learning(config), Ledger()
    learning.add(delta_at(2, {0: 1, 1: 1}), ledger.counts)  # the second one is the turn of G-
    counts = ledger.total()
    assert (counts.set_pulses, counts.reset_pulses) == (counts.rows_programmed, counts.rows_reset) == (1, 1)


# Half-selected devices --------------------------------------------------------------------------------


def test_half_selected_devices_move_with_their_row_and_column():
    device = replace(PcmDevice.ideal(), set_step=0.1, set_saturation=1.0)
    config = replace(CrossbarConfig.ideal(), device=device, rows_gated=False, half_select_disturb=0.01)
    learning = make_learning(config)
    delta = np.zeros((N_OUT, N_IN))
    delta[1, 4] = 2.0 * 0.1
    learning.add(delta, Ledger().counts)
    places = learning.matrix.cells.places().reshape(N_IN, N_OUT, 2)
    assert places[4, 1, 0] == pytest.approx(0.1)
    disturbed = np.argwhere(places > 0)
    # The row has the bit lines of G- as well, the bit line of the pulse only devices of G+.
    assert len(disturbed) == 2 * N_OUT + (N_IN - 1)
    np.testing.assert_allclose(places[4, [0, 2]], 0.001)
    np.testing.assert_allclose(places[4, 1, 1], 0.001)
    np.testing.assert_allclose(np.delete(places[:, 1, 0], 4), 0.001)


def test_a_pulse_downwards_disturbs_downwards():
    device = replace(EQUAL, reset_step=0.01, learn_start=0.5)
    config = replace(ideal(), device=device, rows_gated=False, half_select_disturb=0.01)
    learning = make_learning(config)
    learning.counter[0] = 1  # the turn of G-
    learning.add(delta_at(4, {1: 1}), Ledger().counts)
    places = learning.matrix.cells.places().reshape(N_IN, N_OUT, 2)
    assert places[4, 1, 1] == pytest.approx(0.49)
    np.testing.assert_allclose(places[4, [0, 2]], 0.4999)
    np.testing.assert_allclose(places[4, 1, 0], 0.4999)
    np.testing.assert_allclose(np.delete(places[:, 1, 1], 4), 0.4999)
    np.testing.assert_allclose(np.delete(places[:, 1, 0], 4), 0.5)


def test_half_selected_power_laws_move_by_their_own_response():
    """Far up its range Nb:SrTiO3 hardly answers to a pulse, and less to part of one."""
    device = replace(make_device("nb-srtio3"), device_scatter=0.0)
    config = replace(CrossbarConfig.ideal(), device=device, rows_gated=False, half_select_disturb=0.01)
    learning = make_learning(config)
    cells = learning.matrix.cells
    before = 1 / srtio3.resistance_ohm(5000)
    cells.g[:] = before
    learning.add(np.where(np.arange(N_OUT * N_IN).reshape(N_OUT, N_IN) == 0, 1.0, 0.0), Ledger().counts)
    n_pulses = cells.set_count[0, 0]
    all_pulses = 1 / srtio3.resistance_ohm(5000 + n_pulses) - before
    assert n_pulses > 0
    assert (cells.g[1, 0] - before) / all_pulses == pytest.approx(0.01, rel=1e-6)


def test_half_selection_needs_a_passive_array():
    with pytest.raises(ConfigError, match="half-selected devices exist in passive arrays only"):
        CrossbarConfig(half_select_disturb=0.01)
