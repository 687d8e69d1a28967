from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from spikearm.hardware.crossbar import events
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.devices import make_device
from spikearm.hardware.crossbar.due import due_pulses
from spikearm.hardware.crossbar.events import EventTraces
from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.pcm import PcmDevice
from spikearm.hardware.crossbar.pulses import pulses_to_reach

N_IN, N_OUT, DT_S = 40, 3, 1e-3


def _learning(config: CrossbarConfig, *, tau_s: float | None = None, seed: int = 0) -> PulseLearning:
    rng = np.random.default_rng(seed)
    weights, ranges = np.zeros((N_OUT, N_IN)), np.full(N_OUT, 2.0)
    matrix = CrossbarMatrix("test", weights, ranges, config, hold_s=0.256, per_spike=1 / DT_S, rng=rng)
    traces = None if tau_s is None else EventTraces(N_IN, N_OUT, tau_s=tau_s, dt_s=DT_S, per_spike=1 / DT_S)
    return PulseLearning(matrix, DeviceClock(DT_S), rng, traces)


def _spikes(n_steps: int, probability: float = 0.05, seed: int = 3):
    return (np.random.default_rng(seed).random((n_steps, N_IN)) < probability) / DT_S


def _without_pulses() -> CrossbarConfig:
    return replace(
        CrossbarConfig.ideal(), device=replace(PcmDevice.ideal(), set_step=1.0), pulse_threshold=1.0
    )


@pytest.mark.parametrize("tau_s", [0.001, 0.005, 0.012, 0.2])
@pytest.mark.parametrize("n_steps", [1, 100, events.LONGEST_WINDOW, 1000])
def test_event_driven_learning_equals_dense_learning(tau_s, n_steps):
    """The sum that PES asks for, in its two forms, for steps within and beyond a window."""
    assert events.suits(tau_s, DT_S)
    learning = _learning(_without_pulses(), tau_s=tau_s)
    rng = np.random.default_rng(1)
    x, errors = _spikes(n_steps), rng.normal(size=(n_steps, N_OUT))
    acts, dense = np.zeros(N_IN), np.zeros((N_IN, N_OUT))
    decay = np.exp(-DT_S / tau_s)
    for spikes, error in zip(x, errors, strict=True):
        acts = decay * acts + (1 - decay) * spikes
        dense += 1e-6 * np.outer(acts, error)
        learning.pes(spikes, error, 1e-6, Ledger().counts)
    learning.settle(Ledger().counts)
    np.testing.assert_allclose(learning.chi * 2.0, dense, rtol=1e-7, atol=1e-9 * np.abs(dense).max())


@pytest.mark.parametrize("rate", [3e-5, 1e-4])
def test_event_driven_learning_gives_as_many_pulses_as_dense_learning(rate):
    """Where pulses cannot follow the changes, too: a visit has the pulses of all steps since the last."""
    tau_s, n_steps = 0.005, 4000
    config = replace(CrossbarConfig(), device=make_device("reram-gong2018"))
    given = []
    for tau in (tau_s, None):
        learning, ledger, rng = _learning(config, tau_s=tau), Ledger(), np.random.default_rng(1)
        acts, decay = np.zeros(N_IN), np.exp(-DT_S / tau_s)
        for step, spikes in enumerate(_spikes(n_steps)):
            acts = decay * acts + (1 - decay) * spikes
            error = np.sin(2 * np.pi * step / 500 + np.arange(N_OUT)) + 0.1 * rng.normal(size=N_OUT)
            learning.pes(acts if tau is None else spikes, error, rate, ledger.counts)
        given.append(ledger.total().set_pulses + ledger.total().reset_pulses)
    event, dense = given
    assert dense > 10 * n_steps
    assert event == pytest.approx(dense, rel=0.1)


def test_a_filter_that_decays_too_fast_is_left_to_the_dense_form():
    assert not events.suits(1e-4, DT_S)
    assert not events.suits(0.0, DT_S)


def test_only_rows_that_spike_are_touched():
    learning, ledger = _learning(CrossbarConfig(), tau_s=0.01), Ledger()
    x = np.zeros(N_IN)
    x[[2, 9]] = 1 / DT_S
    learning.pes(x, np.ones(N_OUT), 1e-6, ledger.counts)
    assert ledger.total().learning_updates == 2 * N_OUT


@pytest.mark.parametrize(
    ("chi", "threshold", "pulses"),
    [(0.29, 1.0, 2), (-0.29, 1.0, -2), (0.09, 1.0, 0), (0.05, 0.5, 1), (0.26, 0.5, 3), (0.05, 0.6, 0)],
)
def test_pulses_due(chi, threshold, pulses):
    assert due_pulses(chi, 0.1, threshold, 8) == pulses


def test_no_pair_gets_more_pulses_than_fit_into_a_step():
    assert due_pulses(1e9, 0.1, 1.0, 8) == 8
    assert due_pulses(-1e9, 0.1, 1.0, 8) == -8


def test_what_is_written_and_what_is_left_add_up_to_what_was_asked():
    """With equal steps: no weight change is ever lost, however small."""
    device = replace(PcmDevice.ideal(), set_step=0.01)
    learning = _learning(replace(CrossbarConfig.ideal(), device=device))
    rng, asked = np.random.default_rng(0), np.zeros((N_OUT, N_IN))
    for _ in range(200):
        delta = rng.normal(scale=0.004, size=(N_OUT, N_IN))
        asked += delta
        learning.add(delta, Ledger().counts)
    written = learning.matrix.weights_now()
    np.testing.assert_allclose(written + 2.0 * learning.chi.T, asked, atol=1e-9)
    assert np.abs(learning.chi).max() <= 0.01


def test_growing_weights_pulse_the_positive_device_and_shrinking_ones_the_other():
    learning, ledger = _learning(CrossbarConfig()), Ledger()
    delta = np.zeros((N_OUT, N_IN))
    delta[0, 0], delta[1, 1] = 0.5, -0.5
    before = learning.matrix.cells.g.copy()
    learning.add(delta, ledger.counts)
    changed = np.argwhere(learning.matrix.cells.g != before)
    np.testing.assert_array_equal(changed, [[0, 0], [N_OUT + 1, 1]])
    counts = ledger.total()
    assert counts.set_pulses == learning.matrix.cells.set_count.sum() == 16
    assert counts.rows_programmed == 16  # two rows, eight pulses each
    assert counts.reset_pulses == 0


def test_a_pulse_restarts_the_drift_of_its_device_only():
    learning = _learning(CrossbarConfig())
    learning.clock.steps[0] = 5001
    delta = np.zeros((N_OUT, N_IN))
    delta[2, 7] = 0.2
    learning.add(delta, Ledger().counts)
    born = learning.matrix.cells.born_s.reshape(N_IN, N_OUT, 2)
    assert born[7, 2, 0] == pytest.approx(5.0)
    assert np.count_nonzero(born != -25.0) == 1


def test_conductance_stays_in_the_device_range_for_ever():
    learning = _learning(CrossbarConfig())
    rng, cells = np.random.default_rng(1), learning.matrix.cells
    for step in range(3000):
        learning.clock.steps[0] = step
        learning.add(rng.normal(scale=0.2, size=(N_OUT, N_IN)), Ledger().counts)
        learning.refresh(Ledger().counts)
    low, high = cells.device.bounds_siemens
    assert cells.g.min() >= low == 0
    assert cells.g.max() <= high
    assert (cells.total >= 0).all()
    assert learning.refreshed[0] > 0
    sums = cells.total.reshape(N_IN, N_OUT).sum(axis=1)
    np.testing.assert_allclose(cells.row_g, sums, rtol=1e-9)


def test_a_device_that_drifted_below_its_smallest_target_stays_in_its_bounds_when_it_is_pulsed():
    device = PcmDevice(g_min_siemens=20e-6, reset_step=0.1)
    learning = _learning(CrossbarConfig(device=device))
    cells, rng = learning.matrix.cells, np.random.default_rng(1)
    learning.clock.rested_s[0] = 86_400.0
    learning.matrix.jump(86_400.0, learning.clock.now_s)
    learning.add(rng.normal(scale=0.5, size=(N_OUT, N_IN)), Ledger().counts)
    low, _ = device.bounds_siemens
    assert cells.g.min() < 15e-6
    assert cells.g.min() >= low


def test_pulses_leave_a_device_where_it_is_that_was_written_beyond_the_largest_target():
    learning = _learning(CrossbarConfig())
    cells = learning.matrix.cells
    cells.g[0, 0] = 1.04 * cells.device.g_max_siemens
    cells.exponent[0, 0] = 0.0
    delta = np.zeros((N_OUT, N_IN))
    delta[0, 0] = 0.5
    learning.add(delta, Ledger().counts)
    assert cells.set_count[0, 0] == 8
    assert cells.g[0, 0] == pytest.approx(1.04 * cells.device.g_max_siemens)


@pytest.mark.parametrize("scheme", ["mixed-precision", "stochastic"])
def test_no_more_waits_than_the_pulses_of_one_step(scheme):
    """Otherwise what was asked for long ago would go on being written after the error has turned."""
    learning = _learning(CrossbarConfig(learning=scheme))
    cells, delta = learning.matrix.cells, np.full((N_OUT, N_IN), 1.5)
    for _ in range(5):
        learning.add(delta, Ledger().counts)
    assert cells.set_count.sum() == 5 * 8 * N_IN * N_OUT
    learning.add(-delta, Ledger().counts)
    assert cells.set_count[:, 1].sum() == 8 * N_IN * N_OUT
    assert np.abs(learning.chi).max() <= 8 * cells.device.mean_step


def test_refresh_keeps_the_weight_and_frees_the_pair():
    device = replace(PcmDevice.ideal(), set_step=0.03, set_saturation=1.0)
    learning = _learning(replace(CrossbarConfig.ideal(), device=device))
    cells, ledger = learning.matrix.cells, Ledger()
    cells.g[0] = np.array([0.8, 0.3]) * cells.device.g_max_siemens
    cells.g[1] = np.array([0.3, 0.8]) * cells.device.g_max_siemens
    cells.g[2] = np.array([0.8, 0.2]) * cells.device.g_max_siemens
    cells.refresh_all(0.0)
    before = cells.diff.copy()
    learning.refresh(ledger.counts)
    np.testing.assert_allclose(cells.diff, before, atol=1e-12)
    np.testing.assert_allclose(cells.g[:2] / cells.device.g_max_siemens, [[0.5, 0.0], [0.0, 0.5]], atol=1e-9)
    assert cells.g[2, 1] > 0  # the smaller one has not grown enough: left alone
    counts = ledger.total()
    n_set = pulses_to_reach(0.5, 0.03, 1.0)
    assert counts.reset_pulses == cells.reset_count.sum() == 4
    assert counts.set_pulses == cells.set_count.sum() == 2 * n_set
    assert counts.verify_reads == 2 * N_OUT + 2 * n_set


def test_refresh_makes_noise_begin_anew_and_a_pulse_does_not():
    learning = _learning(CrossbarConfig())
    cells = learning.matrix.cells
    cells.g[0] = np.array([0.95, 0.5]) * cells.device.g_max_siemens
    before = cells.z.copy()
    learning._pairs[0], learning._pulses[0] = 2, 1
    learning._write(1, 1, Ledger().counts)
    np.testing.assert_array_equal(cells.z, before)
    learning.refresh(Ledger().counts)
    assert learning.refreshed[0] == 1
    assert (cells.z[0] != before[0]).all()
    np.testing.assert_array_equal(cells.z[1:], before[1:])


def test_refresh_takes_the_time_of_its_resets_and_of_reading_after_every_pulse():
    device = replace(PcmDevice.ideal(), set_step=0.03, set_saturation=1.0)
    learning, ledger = _learning(replace(CrossbarConfig.ideal(), device=device)), Ledger()
    cells = learning.matrix.cells
    cells.g[:2] = np.array([0.8, 0.3]) * cells.device.g_max_siemens
    learning.refresh(ledger.counts)
    counts, n_set = ledger.total(), pulses_to_reach(0.5, 0.03, 1.0)
    assert (counts.rows_reset, counts.rows_programmed) == (1, n_set)
    assert counts.serial_verify_reads == 1 + n_set  # the row's devices at once, then after every pulse


def test_set_pulses_scatter_by_six_tenths_of_their_size():
    learning, ledger = _learning(CrossbarConfig()), Ledger()
    cells = learning.matrix.cells
    before = cells.g[:, 0] / cells.device.g_max_siemens
    learning.add(np.full((N_OUT, N_IN), 0.06), ledger.counts)
    assert ledger.total().set_pulses == N_IN * N_OUT
    steps = (cells.g[:, 0] / cells.device.g_max_siemens - before) / (0.03 * (1.0 - before))
    assert steps.mean() == pytest.approx(1.0, abs=0.2)
    assert steps.std() == pytest.approx(0.6, abs=0.12)


def test_refresh_writes_with_the_scatter_of_its_pulses():
    """Against pulses applied one by one: g += a (1 - x) (1 + s xi), a = 0.03, s = 0.6."""
    learning = _learning(CrossbarConfig())
    cells = learning.matrix.cells
    g_max = cells.device.g_max_siemens
    cells.g[:] = np.array([0.8, 0.3]) * g_max
    cells.refresh_all(0.0)
    for _ in range(N_IN):
        learning.refresh(Ledger().counts)
    renewed = cells.reset_count[:, 0] > 0
    assert renewed.sum() >= 40
    written = cells.g[renewed, 0] / g_max
    rng, x = np.random.default_rng(0), np.zeros(20_000)
    for _ in range(pulses_to_reach(0.5, 0.03, 1.0)):
        x = np.clip(x + 0.03 * (1.0 - x) * (1.0 + 0.6 * rng.standard_normal(x.size)), 0.0, 1.0)
    assert written.mean() == pytest.approx(x.mean(), abs=0.03)
    assert written.std() == pytest.approx(x.std(), rel=0.3)


@pytest.mark.parametrize("x", [0.1, 0.5, 0.9])
def test_pulses_to_reach_a_target_reach_it(x):
    n = pulses_to_reach(x, 0.03, 1.0)
    assert 1 - 0.97 ** (n - 1) < x <= 1 - 0.97**n
    assert pulses_to_reach(x, 0.03, 0.0) == pytest.approx(np.ceil(x / 0.03))


def test_refresh_visits_every_row_in_turn():
    learning = _learning(CrossbarConfig())
    rows = []
    for _ in range(N_IN + 2):
        rows.append(int(learning.next_row[0]))
        learning.refresh(Ledger().counts)
    assert rows == [*range(N_IN), 0, 1]


def test_a_range_that_is_too_narrow_is_reported_once(caplog):
    learning = _learning(CrossbarConfig())
    learning.matrix.cells.g[::10, 0] = learning.matrix.cells.device.g_max_siemens
    with caplog.at_level(logging.WARNING):
        for _ in range(3 * N_IN):
            learning.refresh(Ledger().counts)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 1
    assert "learn no further; raise learned_output_range or set learned_weight_range above 2" in messages[0]


def test_wear_counts_every_pulse():
    learning, ledger = _learning(CrossbarConfig()), Ledger()
    rng = np.random.default_rng(2)
    for _ in range(100):
        learning.add(rng.normal(scale=0.05, size=(N_OUT, N_IN)), ledger.counts)
    wear = learning.wear()
    assert wear.set_mean * wear.n_devices == pytest.approx(ledger.total().set_pulses)
    assert wear.set_max >= wear.set_mean > 0
    assert wear.reset_max == 0
    assert wear.endurance_used == wear.set_max / 1e9


def test_no_row_that_needs_refresh_is_passed_over():
    """The cheap look is at conductances before drift, which are never smaller."""
    learning = _learning(CrossbarConfig())
    rng, cells = np.random.default_rng(5), learning.matrix.cells
    cells.g[:] = rng.uniform(0, cells.device.g_max_siemens, cells.g.shape)
    cells.exponent[:] = rng.uniform(0, 0.1, cells.g.shape)
    learning.clock.rested_s[0] = 3600.0
    expected = 0
    for pair in range(cells.n_pairs):
        places = cells.g[pair] * (3645.0 / 20.0) ** -cells.exponent[pair] / cells.device.g_max_siemens
        expected += places.max() > 0.75 and places.min() > 0.25
    for _ in range(N_IN):
        learning.refresh(Ledger().counts)
    assert learning.refreshed[0] == expected > 0
