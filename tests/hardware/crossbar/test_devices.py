"""Every device: its published values, its refusals, and its behaviour under pulses for ever."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.crossbar import srtio3
from spikearm.hardware.crossbar.backend import CrossbarBackend
from spikearm.hardware.crossbar.cells import Cells
from spikearm.hardware.crossbar.clock import DeviceClock
from spikearm.hardware.crossbar.conductance import OWN_HIGH, OWN_LOW
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.cost import cost_of
from spikearm.hardware.crossbar.device import Device
from spikearm.hardware.crossbar.devices import DEVICES, make_device, name_of
from spikearm.hardware.crossbar.learning import PulseLearning
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.reram import SoftBoundsDevice
from spikearm.hardware.crossbar.srtio3 import StrontiumTitanateDevice
from spikearm.hardware.crossbar.write_verify import write_verify
from spikearm.records import OpCounts

N_IN, N_OUT, DT_S = 20, 3, 1e-3
LEARNING = [name for name, device in DEVICES.items() if device.learns]


def make_learning(config: CrossbarConfig, seed: int = 0, n_in: int = N_IN) -> PulseLearning:
    rng = np.random.default_rng(seed)
    weights, ranges = np.zeros((N_OUT, n_in)), np.full(N_OUT, 2.0)
    matrix = CrossbarMatrix("test", weights, ranges, config, hold_s=0.256, per_spike=1 / DT_S, rng=rng)
    return PulseLearning(matrix, DeviceClock(DT_S), rng)


def without_noise(device: Device) -> Device:
    exact = {"programming_scale": 0.0, "set_scatter": 0.0, "device_scatter": 0.0, "asymmetry_scatter": 0.0}
    exact |= {"bound_scatter": (0.0, 0.0)}
    return replace(device, **exact, noise_scale=0.0, drift_scale=0.0)


# Descriptions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEVICES)
def test_device_names_its_source_and_is_found_by_name(name):
    assert make_device(name).source
    assert name_of(make_device(name)) == name
    assert CrossbarConfig(device=name).device == DEVICES[name]


def test_unknown_device_is_refused_with_a_suggestion():
    with pytest.raises(UnknownNameError, match=r"no crossbar device named 'reram-gong'.*'reram-gong2018'\?"):
        CrossbarConfig(device="reram-gong")


def test_device_of_ones_own_has_no_name():
    assert name_of(replace(make_device("pcm"), set_step=0.02)) is None


@pytest.mark.parametrize(
    ("name", "x", "sigma_us"),
    [
        ("pcm", 0.1, 0.448),
        ("pcm", 0.5, 0.953),
        ("pcm", 1.0, 1.055),
        ("pcm-hermes", 0.5, 0.8653),
        ("pcm-hermes", 1.0, 1.0076),
        ("neurram", 0.1, 1.5562),
        ("neurram", 0.5, 2.0226),
        ("neurram", 1.0, 1.1030),
    ],
)
def test_programming_scatter_has_the_published_values(name, x, sigma_us):
    device = make_device(name)
    assert 1e6 * device.scatter_siemens(np.array(x * device.g_max_siemens)) == pytest.approx(
        sigma_us, abs=1e-3
    )


@pytest.mark.parametrize(
    ("age_s", "sigma_us"), [(1.0, 2.0226), (86_400.0, 3.9090), (172_800.0, 3.9291), (86_400.0**0.5, 3.1121)]
)
def test_neurram_relaxes_as_published(age_s, sigma_us):
    """At half of g_max; between the fits the variance grows with the logarithm of time."""
    device, rng = make_device("neurram"), np.random.default_rng(0)
    target = np.full(50_000, 0.5 * device.g_max_siemens)
    assert 1e6 * device.scatter_siemens(target[:1], age_s) == pytest.approx(sigma_us, abs=1e-3)
    once = device.relax(device.program(target, rng), (0.0, age_s), rng)
    twice = device.relax(device.program(target, rng), (0.0, 0.3 * age_s + 1.0), rng)
    twice = device.relax(twice, (0.3 * age_s + 1.0, age_s), rng)
    for g in (once, twice):
        assert g.mean() == pytest.approx(target[0], rel=2e-3)
        # The law takes a device's present conductance for its target: 5 % in what it adds.
        assert 1e6 * g.std() == pytest.approx(sigma_us, rel=0.05)


def test_relaxation_comes_with_time_that_passes_at_once_and_leaves_stuck_devices_alone():
    device = make_device("neurram")
    cells = Cells(
        np.full((50, 50, 2), 0.5 * device.g_max_siemens),
        device,
        hold_s=0.256,
        programmed_s=1.0,
        rng=np.random.default_rng(0),
    )
    stuck = np.zeros(cells.g.shape, dtype=bool)
    stuck[::7] = True
    cells.stick(stuck, cells.g.copy())
    before = cells.g.copy()
    cells.jump(86_399.0, 86_399.0, np.random.default_rng(1))
    np.testing.assert_array_equal(cells.g[stuck], before[stuck])
    assert 1e6 * cells.g[~stuck].std() == pytest.approx(3.91, rel=0.05)
    np.testing.assert_allclose(cells.diff, cells.g[:, 0] - cells.g[:, 1])


@pytest.mark.parametrize("name", sorted(DEVICES))
def test_device_at_rest_conducts_what_programming_leaves(name):
    device = make_device(name)
    programmed = device.program(np.full(200_000, device.g_min_siemens), np.random.default_rng(5))
    left = programmed.mean() - device.g_min_siemens
    assert device.rest_siemens == pytest.approx(left, abs=2e-3 * device.range_siemens)


def test_hermes_drift_counts_from_200_s():
    assert make_device("pcm-hermes").drift_t0_s == 200.0
    assert make_device("pcm-hermes").g_max_siemens == 10.35e-6


@pytest.mark.parametrize(("name", "n_states"), [("reram-hfo2", 4), ("reram-optimised", 21)])
def test_reram_arrays_have_the_published_number_of_states(name, n_states):
    """States between the ends of the range, by the step in its middle."""
    assert int(1 / make_device(name).mean_step) == n_states


def test_gong_2018_is_the_soft_bounds_fit_of_the_toolkit_and_no_other():
    """A weight from -0.75 to 1.25: steps of 0.002 both ways at 0, noise of 3.75 steps, write noise of 56."""
    device = make_device("reram-gong2018")
    weight = 2.0 * device.learn_start - 0.75
    up, down = 2.0 * device.set_step * (1 - device.learn_start), 2.0 * device.reset_step * device.learn_start
    assert (weight, up, down) == (pytest.approx(0.0), pytest.approx(0.002), pytest.approx(0.002))
    assert device.mean_step == pytest.approx(0.5 * 0.002)
    assert (device.set_scatter, device.additive_scatter) == (3.75, True)
    assert (device.device_scatter, device.device_log_normal, device.asymmetry_scatter) == (0.3, False, 0.01)
    written = device.scatter_siemens(np.array(20e-6)) / device.range_siemens
    assert 2.0 * written == pytest.approx(56 * 0.002)
    ends = 2.0 * device.own_bounds((100_000,), np.random.default_rng(0)) - 0.75
    assert ends[:, 0].mean() == pytest.approx(1.25, rel=0.01)
    assert ends[:, 0].std() == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize(
    ("name", "scatter"),
    [
        ("pcm", 0.2),
        ("pcm-hermes", 0.2),
        ("reram-gong2018", 0.3),
        ("reram-hfo2", 0.7125),
        ("reram-optimised", 0.7829),
        ("nb-srtio3", 0.15),
    ],
)
def test_devices_differ_as_much_as_published(name, scatter):
    device = make_device(name)
    own = device.own_factors((20_000,), np.random.default_rng(0))
    assert own.min() > 0
    assert own.mean() == pytest.approx(1.0, abs=0.02)
    assert (np.log(own) if device.device_log_normal else own).std() == pytest.approx(scatter, rel=0.02)


@pytest.mark.parametrize("name", ["reram-gong2018", "reram-hfo2"])
def test_steps_up_and_down_of_a_device_are_large_or_small_together(name):
    up, down = make_device(name).own_factors((20_000,), np.random.default_rng(0)).T
    assert np.corrcoef(up, down)[0, 1] > 0.99
    assert (up - down).std() == pytest.approx(0.02, rel=0.02)


def test_pulses_end_where_the_single_phase_change_device_does_but_writing_does_not():
    exact = {"set_scatter": 0.0, "drift_scale": 0.0, "noise_scale": 0.0}
    device = replace(make_device("pcm"), **exact, set_step=0.2)
    learning = make_learning(CrossbarConfig(device=device, refresh_rows_per_step=0), n_in=2000)
    cells = learning.matrix.cells
    for _ in range(100):
        learning.add(np.full((N_OUT, 2000), 2.0), Ledger().counts)
    assert cells.places()[:, 0].mean() == pytest.approx(1.0, abs=0.01)
    assert cells.places()[:, 0].std() == pytest.approx(0.1, rel=0.05)
    target = np.full((100, 100, 2), device.g_max_siemens)
    rng = np.random.default_rng(0)
    written = Cells(target, make_device("pcm"), hold_s=0.256, programmed_s=25.0, rng=rng).g
    assert 1e6 * written.mean() == pytest.approx(25.0, abs=0.03)
    assert 1e6 * written.std() == pytest.approx(1.055, rel=0.02)


def test_strontium_titanate_has_the_published_resistances():
    assert srtio3.resistance_ohm(1) == pytest.approx(2.3e8 + 200)
    assert srtio3.resistance_ohm(300) == pytest.approx(1.0e8, rel=0.01)
    device = make_device("nb-srtio3")
    start = device.g_min_siemens + device.learn_start * device.range_siemens
    assert 1 / start == pytest.approx(1e8)


def test_strontium_titanate_starts_with_the_published_scatter():
    """About 1e8 ohm, give or take 15 %, so that weights do not start at exactly zero."""
    device = make_device("nb-srtio3")
    start = np.full(100_000, 1 / srtio3.START_OHM)
    reached = device.program(start, np.random.default_rng(0))
    assert reached.mean() * srtio3.START_OHM == pytest.approx(1.0, abs=0.005)
    assert reached.std() * srtio3.START_OHM == pytest.approx(0.15, rel=0.02)


@pytest.mark.parametrize("n", [1, 10, 300, 5000])
def test_strontium_titanate_pulses_count_on_from_any_resistance(n):
    g = 1 / srtio3.resistance_ohm(n)
    after = srtio3.after_pulses(g, 7.0, srtio3.R0_OHM, srtio3.R1_OHM, srtio3.EXPONENT)
    assert 1 / after == pytest.approx(srtio3.resistance_ohm(n + 7), rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"g_min_siemens": -1e-6}, "g_min_siemens must be 0 or a positive number, not -1e-06"),
        ({"g_min_siemens": 50e-6}, "g_min_siemens must be smaller than g_max_siemens"),
        ({"corrupt": 1.5}, r"corrupt must lie in \[0, 1\], not 1.5"),
        ({"reset_step": -0.1}, "reset_step must be 0 or a positive number, not -0.1"),
        ({"endurance_cycles": 0.0}, "endurance_cycles must be a positive number, not 0.0"),
        ({"bound_scatter": (0.3, 1.5)}, r"bound_scatter must lie in \[0, 1\], not 1.5"),
        ({"valid_age_s": (10.0, 1.0)}, r"valid_age_s must be two ages, .* not \(10.0, 1.0\)"),
        ({"valid_age_s": (0.0, float("nan"))}, "valid_age_s must be 2 numbers, not"),
        ({"noise_q": (-0.01, 0.65, 0.2)}, "noise_q must be three numbers, 0 or positive"),
        ({"relaxed_us": ((10.0, (1.0,)),)}, "relaxed_us needs ages that rise from valid_age_s"),
        ({"additive_noise": -0.01}, "additive_noise must be 0 or a positive number, not -0.01"),
        ({"programming_us": ()}, r"programming_us must be 1 to 5 numbers, not \(\)"),
        ({"programming_us": ("0.26",)}, r"programming_us must be 1 to 5 numbers, not \('0.26',\)"),
        ({"noise_q": (0.0088, 0.65)}, r"noise_q must be 3 numbers, not \(0.0088, 0.65\)"),
        ({"valid_age_s": 1.0}, "valid_age_s must be 2 numbers, not 1.0"),
        ({"relaxed_us": (86_400.0,)}, "relaxed_us must be pairs of an age and a polynomial, not"),
        ({"relaxed_us": (("a day", (0.7,)),)}, "an age of relaxed_us must be a positive number, not 'a day'"),
        ({"g_max_siemens": "25e-6"}, "g_max_siemens must be a positive number, not '25e-6'"),
        (
            {"g_max_siemens": 25.0},
            r"g_max_siemens is in siemens \(25e-6 for 25 uS\), from 1e-15 to 0.01, not",
        ),
        ({"g_max_siemens": 1e-300}, "g_max_siemens is in siemens .* from 1e-15 to 0.01, not 1e-300"),
        ({"set_scatter": None}, "set_scatter must be 0 or a positive number, not None"),
        ({"write_pulses": 2.5}, "write_pulses must be a whole number from 0"),
        ({"programming_us": (1.0, -3.0)}, "gives a negative or infinite scatter between g_min and g_max"),
    ],
)
def test_impossible_device_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(SoftBoundsDevice(), **changes)


def test_impossible_power_law_is_refused():
    with pytest.raises(ConfigError, match="exponent negative"):
        replace(StrontiumTitanateDevice(), exponent=0.1)


def test_conductances_outside_the_device_are_refused():
    with pytest.raises(ConfigError, match="the device has 1e-06 to 4e-05 S"):
        SoftBoundsDevice().program(np.array([0.0]), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("name", "age_s"),
    [("neurram", 0.5), ("neurram", 2e5), ("pcm", 1e9), ("reram-gong2018", 86_400.0), ("nb-srtio3", 86_400.0)],
)
def test_age_outside_validity_is_refused(name, age_s):
    with pytest.raises(ConfigError, match=r"the device is described from .* s after programming, not at"):
        CrossbarConfig(device=make_device(name), programmed_s=age_s)


def test_device_without_pulse_response_cannot_learn():
    with pytest.raises(ConfigError, match=r"test learns, but how its devices answer .* overrides="):
        make_learning(CrossbarConfig(device=make_device("neurram")))


def test_cost_figures_belong_to_the_technology():
    costs = {name: cost_of(device).name for name, device in DEVICES.items()}
    assert costs["pcm"].startswith("PCM crossbar")
    assert costs["neurram"].startswith("ReRAM crossbar")
    assert "stand in" in costs["nb-srtio3"]
    reram = cost_of(make_device("reram-hfo2"))
    figures = {f.count: f.amount for f in reram.energy["programming"]}
    assert figures["set_pulses"] == figures["reset_pulses"] == 0.6e-12
    assert reram.chip[0].count == "conversions"


def test_only_mixed_precision_pays_for_accumulators():
    counts = OpCounts(learning_updates=1000)
    joules = {
        scheme: CrossbarBackend(config=CrossbarConfig(learning=scheme))
        .cost_model.estimate(counts, DT_S)
        .total_j
        for scheme in ("mixed-precision", "stochastic", "sign")
    }
    assert joules["mixed-precision"] == pytest.approx(14.6e-9)
    assert joules["mixed-precision"] > joules["stochastic"] > joules["sign"] > 0


# Pulses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("n_pairs", [1, 3])
def test_conductance_stays_in_range_for_ever(name, n_pairs):
    config = CrossbarConfig(device=make_device(name), devices_per_synapse=n_pairs)
    learning = make_learning(config)
    rng, cells = np.random.default_rng(1), learning.matrix.cells
    written = cells.places()
    for step in range(400):
        learning.clock.steps[0] = step
        learning.add(rng.normal(scale=0.3, size=(N_OUT, N_IN)), Ledger().counts)
        learning.refresh(Ledger().counts)
    low, high = config.device.bounds_siemens
    assert cells.g.min() >= low * (1 - 1e-12)
    assert cells.g.max() <= high * (1 + 1e-12)
    if config.device.bidirectional:  # Never written anew: no device passes its own ends by pulses.
        assert (cells.places() <= np.maximum(written, cells.own[..., OWN_HIGH]) + 1e-9).all()
        assert (cells.places() >= np.minimum(written, cells.own[..., OWN_LOW]) - 1e-9).all()
    with_noise = 0.5 * (cells.total + np.abs(cells.diff))
    assert (0.5 * (cells.total - np.abs(cells.diff))).min() >= -1e-18
    assert with_noise.max() <= n_pairs * high * (1 + 1e-12)
    sums = cells.total.reshape(N_IN, N_OUT).sum(axis=1)
    np.testing.assert_allclose(cells.row_g, sums, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", ["reram-gong2018", "reram-optimised", "reram-hfo2"])
def test_many_pulses_take_every_device_to_its_own_end(name):
    exact = {"programming_scale": 0.0, "set_scatter": 0.0, "corrupt": 0.0}
    learning = make_learning(CrossbarConfig(device=replace(make_device(name), **exact, set_step=0.2)))
    cells = learning.matrix.cells
    for _ in range(400):
        learning.add(np.full((N_OUT, N_IN), 2.0), Ledger().counts)
    np.testing.assert_allclose(cells.places()[:, 0], cells.own[:, 0, OWN_HIGH], atol=1e-3)
    ends = cells.device.own_bounds((20_000,), np.random.default_rng(0))
    start = cells.device.learn_start
    above, below = ends[:, 0] - start, start - ends[:, 1]
    upper, lower = cells.device.bound_scatter
    assert above.mean() == pytest.approx(1 - start, rel=0.02)
    assert above.std() == pytest.approx((1 - start) * upper, rel=0.05)
    # No conductance is negative: the lower end's scatter is cut short on that side.
    assert 0.4 * start * lower < below.std() < start * lower
    assert (cells.device.g_min_siemens + ends[:, 1] * cells.device.range_siemens >= -1e-18).all()


def test_a_device_is_written_no_farther_than_its_own_ends():
    device = replace(make_device("reram-hfo2"), programming_scale=0.0, corrupt=0.0)
    rng = np.random.default_rng(0)
    bounds = device.own_bounds((500, 2), rng)
    target = rng.uniform(device.g_min_siemens, device.g_max_siemens, (500, 2))
    g = write_verify(target, device, rng, n_cols=1, bounds=bounds).g
    ends = device.g_min_siemens + device.range_siemens * bounds
    np.testing.assert_allclose(g, np.clip(target, ends[..., 1], ends[..., 0]))
    assert 0.05 < np.mean(g != target) < 0.6


@pytest.mark.parametrize("name", ["reram-gong2018", "neurram"])
def test_reads_of_reram_scatter_by_a_hundredth_of_the_range(name):
    """Every read, whatever the state; 40 rows at full voltage, two devices each."""
    device = replace(make_device(name), programming_scale=0.0)
    config = replace(CrossbarConfig.ideal(), device=device)
    rng = np.random.default_rng(0)
    matrix = CrossbarMatrix(
        "test", rng.normal(size=(4, 40)), None, config, hold_s=0.256, per_spike=None, rng=rng
    )
    reads = np.array([matrix.read(np.ones(40), Ledger().counts).copy() for _ in range(4000)])
    expected = np.sqrt(80) * 0.01 * device.g_max_siemens * matrix.weight[0]
    np.testing.assert_allclose(reads.std(axis=0), expected, rtol=0.05)
    assert not device.changes_by_itself


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("n_pairs", [1, 4])
def test_pulses_counted_are_pulses_taken(name, n_pairs):
    learning = make_learning(CrossbarConfig(device=make_device(name), devices_per_synapse=n_pairs))
    rng, ledger, cells = np.random.default_rng(2), Ledger(), learning.matrix.cells
    for _ in range(50):
        learning.add(rng.normal(scale=0.1, size=(N_OUT, N_IN)), ledger.counts)
        learning.refresh(ledger.counts)
    counts = ledger.total()
    assert counts.set_pulses == cells.set_count.sum() > 0
    assert counts.reset_pulses == cells.reset_count.sum()
    cost = cost_of(learning.matrix.config.device)
    figures = {f.count: f.amount for f in cost.energy["programming"]}
    by_hand = sum(getattr(counts, name) * amount for name, amount in figures.items())
    assert cost.estimate(counts, DT_S).energy_j["programming"] == pytest.approx(by_hand, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("name", ["pcm", "reram-gong2018", "reram-optimised", "nb-srtio3"])
@pytest.mark.parametrize("sign", [1, -1])
def test_first_step_of_a_weight_is_the_mean_step(name, sign):
    """Averaged over both devices where they take turns."""
    device = without_noise(make_device(name))
    learning = make_learning(CrossbarConfig(device=device))
    before = learning.matrix.weights_now()
    turns = 2 if device.bidirectional else 1
    learning._pairs[0], learning._pulses[0] = 0, sign * turns
    learning._write(1, 1, Ledger().counts)
    step = (learning.matrix.weights_now() - before)[0, 0] / turns / 2.0
    assert step == pytest.approx(sign * device.mean_step, rel=2e-2)


@pytest.mark.parametrize("name", ["pcm", "reram-gong2018", "nb-srtio3"])
def test_mean_step_is_that_of_the_population(name):
    """Of devices that differ, as they are when learning starts; both turns where they take turns."""
    device = replace(make_device(name), noise_scale=0.0, drift_scale=0.0)
    learning = make_learning(CrossbarConfig(device=device), n_in=20_000)
    before, n = learning.matrix.weights_now(), learning.matrix.cells.n_pairs
    turns = 2 if device.bidirectional else 1
    learning._pairs[:n], learning._pulses[:n] = np.arange(n), turns
    learning._write(n, 1, Ledger().counts)
    steps = (learning.matrix.weights_now() - before) / turns / 2.0
    error = steps.std() / np.sqrt(n)
    assert steps.mean() == pytest.approx(device.mean_step, rel=0.02, abs=3 * error)


@pytest.mark.parametrize("additive", [True, False])
def test_scatter_of_a_step_shrinks_with_it_or_does_not(additive):
    """Two devices pulsed upwards, one in the middle of the range and one close to its end."""
    device = SoftBoundsDevice(
        set_step=1e-4, set_scatter=2.0, additive_scatter=additive, additive_noise=0.0, g_min_siemens=0.0
    )
    learning = make_learning(CrossbarConfig(device=device), n_in=10_000)
    cells = learning.matrix.cells
    cells.g[:, 0] = device.g_max_siemens * np.where(np.arange(cells.n_pairs) % 2, 0.9, 0.5)
    before = cells.g[:, 0].copy()
    n = cells.n_pairs
    learning._pairs[:n], learning._pulses[:n] = np.arange(n), 2
    learning._write(n, 1, Ledger().counts)
    steps = (cells.g[:, 0] - before) / device.g_max_siemens
    middle, end = steps[::2], steps[1::2]
    assert middle.mean() == pytest.approx(0.5e-4, rel=0.05)
    assert end.mean() == pytest.approx(0.1e-4, rel=0.3)
    assert middle.std() == pytest.approx(1e-4, rel=0.05)
    assert end.std() == pytest.approx(1e-4 if additive else 0.2e-4, rel=0.05)


def test_soft_bounds_follow_their_recursion():
    device = without_noise(SoftBoundsDevice(set_step=0.1, reset_step=0.05))
    learning = make_learning(CrossbarConfig(device=device))
    learning._pairs[0], learning._pulses[0] = 0, 6
    learning._write(1, 1, Ledger().counts)
    plus, minus = learning.matrix.cells.places()[0]
    assert plus == pytest.approx(1 - 0.5 * 0.9**3)
    assert minus == pytest.approx(0.5 * 0.95**3)


def test_devices_that_pulses_lower_need_no_refresh():
    learning = make_learning(CrossbarConfig(device=make_device("reram-optimised")))
    learning.matrix.cells.g[:] = learning.matrix.config.device.g_max_siemens
    ledger = Ledger()
    for _ in range(N_IN):
        learning.refresh(ledger.counts)
    assert ledger.total() == OpCounts()
    assert learning.refreshed[0] == 0


def test_strontium_titanate_is_refreshed_like_phase_change_memory():
    device = without_noise(make_device("nb-srtio3"))
    learning = make_learning(CrossbarConfig(device=device))
    cells, ledger = learning.matrix.cells, Ledger()
    cells.g[0] = device.g_min_siemens + device.range_siemens * np.array([0.9, 0.4])
    learning.refresh(ledger.counts)
    np.testing.assert_allclose(cells.places()[0], [0.5, 0.0], atol=1e-9)
    # Pulses from the first to R = 1 / g, by the law itself.
    g = device.g_min_siemens + 0.5 * device.range_siemens
    n = ((1 / g - 200) / 2.3e8) ** (1 / -0.146)
    assert ledger.total().set_pulses == np.ceil(n - 1)


# Endurance --------------------------------------------------------------------------------------------


def test_worn_out_device_sticks_where_it_is():
    device = replace(without_noise(make_device("pcm")), endurance_cycles=5)
    learning = make_learning(CrossbarConfig(device=device, pulse_threshold=1.0))
    cells = learning.matrix.cells
    delta = np.zeros((N_OUT, N_IN))
    delta[0, 0] = 2.0 * 0.0301
    places = []
    for _ in range(10):
        learning.add(delta, Ledger().counts)
        places.append(cells.g[0, 0] / device.g_max_siemens)
    np.testing.assert_allclose(places, 1 - 0.97 ** np.minimum(np.arange(1, 11), 5))
    wear = learning.wear()
    assert wear.stuck_devices == 1
    assert wear.endurance_used == 2.0  # the circuit goes on pulsing, not knowing


def test_pulses_beyond_a_devices_endurance_do_nothing_even_in_one_call():
    device = replace(without_noise(make_device("pcm")), endurance_cycles=3)
    learning = make_learning(CrossbarConfig(device=device))
    learning._pairs[0], learning._pulses[0] = 0, 8
    learning._write(1, 1, Ledger().counts)
    assert learning.matrix.cells.places()[0, 0] == pytest.approx(1 - 0.97**3)
    assert learning.wear().pulses_max == 8  # they were given all the same


def test_worn_out_device_neither_drifts_nor_fluctuates():
    learning = make_learning(CrossbarConfig(device=replace(make_device("pcm"), endurance_cycles=3)))
    cells = learning.matrix.cells
    learning._pairs[:2], learning._pulses[:2] = [0, 1], [8, 2]
    learning._write(2, 1, Ledger().counts)
    cells.stick(np.arange(cells.g.size).reshape(cells.g.shape) == 1, np.zeros(cells.g.shape))
    before = cells.total.copy()
    assert cells.stuck[0].all()
    learning.clock.rested_s[0] = 86_400.0
    learning.matrix.jump(86_400.0, learning.clock.now_s)
    assert cells.total[0] == pytest.approx(cells.g[0, 0], rel=1e-12)
    assert cells.total[0] == pytest.approx(before[0], rel=1e-12)
    assert cells.total[1] < 0.9 * before[1]


def test_devices_stuck_from_the_start_wear_out_no_more():
    learning = make_learning(CrossbarConfig(device=replace(make_device("pcm"), endurance_cycles=1000)))
    cells = learning.matrix.cells
    stuck = np.zeros(cells.g.shape, dtype=bool)
    stuck[0, 0] = True
    cells.stick(stuck, np.zeros(cells.g.shape))
    cells.set_count[0, 0], cells.set_count[1, 0], cells.reset_count[1, 1] = 500, 30, 20
    wear = learning.wear()
    assert (wear.pulses_max, wear.set_max, wear.reset_max) == (30, 500, 20)
    assert wear.endurance_used == 0.03


def test_lifetime_is_forecast_from_the_pulses_so_far():
    learning = make_learning(CrossbarConfig())
    assert learning.wear().lifetime_h == np.inf
    delta = np.zeros((N_OUT, N_IN))
    delta[0, 0] = 2.0 * 0.03 * 4
    learning.add(delta, Ledger().counts)
    learning.clock.steps[0] = 3_600_000  # an hour of steps
    wear = learning.wear()
    assert wear.operated_s == pytest.approx(3600.0)
    assert wear.lifetime_h == pytest.approx(1e9 / wear.set_max)
