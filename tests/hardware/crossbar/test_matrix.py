from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.pcm import PcmDevice
from spikearm.hardware.crossbar.readout import half_levels
from spikearm.records import OpCounts

IDEAL = CrossbarConfig.ideal()


def _matrix(weights, config=IDEAL, *, per_spike=None, seed=0) -> CrossbarMatrix:
    rng = np.random.default_rng(seed)
    matrix = CrossbarMatrix("test", weights, None, config, hold_s=0.256, per_spike=per_spike, rng=rng)
    drives = np.ones((1, weights.shape[1])) if per_spike else rng.uniform(-1, 1, (64, weights.shape[1]))
    matrix.calibrate(drives)
    return matrix


def _weights(n_out=20, n_in=70, seed=1):
    return np.random.default_rng(seed).normal(size=(n_out, n_in))


@pytest.mark.parametrize("tile", [(256, 256), (16, 7), (1, 1), (70, 20)])
def test_an_ideal_matrix_multiplies_whatever_the_tiles(tile):
    weights, x = _weights(), np.random.default_rng(2).normal(size=70)
    matrix = _matrix(weights, replace(IDEAL, tile_rows=tile[0], tile_cols=tile[1], adcs_per_tile=1))
    np.testing.assert_allclose(matrix.read(x, Ledger().counts), weights @ x, rtol=1e-12, atol=1e-12)


def test_an_ideal_matrix_adds_up_spikes():
    weights, x = _weights(), np.zeros(70)
    x[[3, 40, 41]] = [1000.0, 1000.0, 2000.0]
    out = _matrix(weights, per_spike=1000.0).read(x, Ledger().counts)
    np.testing.assert_allclose(out, weights @ x, rtol=1e-12)


def test_columns_of_zeros_give_zero():
    weights = _weights()
    weights[4] = 0.0
    out = _matrix(weights, CrossbarConfig()).read(np.ones(70), Ledger().counts)
    assert out[4] == 0.0
    assert np.isfinite(out).all()


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_conversion_is_wrong_by_at_most_half_a_step_per_tile(bits):
    config = replace(IDEAL, adc_bits=bits, tile_rows=32)
    weights = _weights()
    matrix = _matrix(weights, config)
    x = 0.3 * np.random.default_rng(3).uniform(-1, 1, 70)
    unit = 2.0 ** np.ceil(np.log2(np.abs(x).max()))
    step = matrix.adc_range[:, :1] / half_levels(bits)
    bound = 0.5 * unit * (step * matrix.weight).sum(axis=0)
    error = np.abs(matrix.read(x, Ledger().counts) - weights @ x)
    assert (error <= bound * (1 + 1e-9)).all()
    assert error.max() > 0.05 * bound.max()
    assert matrix.clipped[0] == 0


def test_input_rounding_is_relative_to_the_largest_input_so_far():
    weights = _weights(5, 70)
    matrix = _matrix(weights, replace(IDEAL, dac_bits=8))
    x = np.random.default_rng(3).uniform(-1, 1, 70)
    for scale in (1e-6, 1.0, 1e6):
        out = matrix.read(x * scale, Ledger().counts)
        bound = np.abs(weights).sum(axis=1) * scale / half_levels(8)
        assert (np.abs(out - weights @ x * scale) <= bound).all()
    np.testing.assert_array_equal(matrix.read(x, Ledger().counts), 0.0)


def test_a_calibrated_input_converter_has_the_levels_of_its_range():
    """A small input is not converted as finely as a large one, nor is it charged as much."""
    matrix = _matrix(np.ones((1, 2)), replace(IDEAL, dac_bits=8))
    drives = matrix.calibrate_inputs(np.array([[3.0, 0.1], [-1.0, 0.0]]))
    assert matrix.dac_range[0] == 4.0
    np.testing.assert_array_equal(drives, [[0.75, 0.025], [-0.25, 0.0]])
    step = 4.0 / half_levels(8)
    for x, level in ((0.4 * step, 0), (0.6 * step, 1), (10.2 * step, 10)):
        assert matrix.read(np.array([x, 0.0]), Ledger().counts)[0] == pytest.approx(level * step)
    out = matrix.read(np.array([7.0, 0.0]), Ledger().counts)
    assert (matrix.dac_range[0], out[0]) == (8.0, pytest.approx(7.0, abs=8.0 / half_levels(8)))


def test_a_range_that_is_too_small_grows_and_is_counted():
    weights = np.abs(_weights(4, 16))
    matrix = _matrix(weights, replace(IDEAL, adc_bits=8))
    matrix.adc_range[:] *= 0.1
    small = matrix.adc_range.copy()
    for _ in range(10):
        out = matrix.read(np.ones(16), Ledger().counts)
    assert matrix.clipped[0] > 0
    assert (matrix.adc_range > small).all()
    np.testing.assert_allclose(out, weights.sum(axis=1), rtol=0.02)


def test_programming_noise_has_the_size_of_the_devices():
    weights = np.full((200, 100), 0.5)
    weights[:, 0] = 1.0
    device = PcmDevice(drift_scale=0.0, noise_scale=0.0)
    now = _matrix(weights, replace(IDEAL, device=device, programmed_s=0.0)).weights_now()
    # x = 0.5 on one side (0.953 uS) and the positive half of 0.263 uS on the other, of 25 uS.
    other = 0.263 * np.sqrt(0.5 - 0.5 / np.pi)
    assert now[:, 1:].std() == pytest.approx(np.hypot(0.953, other) / 25, rel=0.03)


def test_noise_at_each_read_has_the_predicted_variance():
    weights = _weights(6, 40)
    matrix = _matrix(weights, replace(IDEAL, device=PcmDevice()))
    x = np.random.default_rng(5).uniform(-1, 1, 40)
    reads = np.array([matrix.read(x, Ledger().counts).copy() for _ in range(4000)])
    unit = 1.0
    drive = x / unit
    var = matrix.cells.var.reshape(40, 6)
    expected = np.sqrt((drive**2) @ var) * matrix.weight[0]
    np.testing.assert_allclose(reads.std(axis=0), expected, rtol=0.06)
    np.testing.assert_allclose(reads.mean(axis=0), matrix.weights_now() @ x, atol=4 * expected.max() / 60)


def test_counts_of_a_read_with_spikes():
    weights = _weights(20, 70)
    config = replace(IDEAL, tile_rows=32, tile_cols=8, adcs_per_tile=4)
    matrix, ledger = _matrix(weights, config, per_spike=1000.0), Ledger()
    x = np.zeros(70)
    x[[0, 5, 40]] = 1000.0  # rows 64 to 69, the third row of tiles, stay silent
    matrix.read(x, ledger.counts)
    counts = ledger.total()
    assert counts.tile_reads == 2 * 3
    assert counts.row_activations == 3 * 3
    assert counts.active_macs == 3 * 20
    assert counts.synaptic_ops == 3 * 20
    assert counts.conversions == 2 * 20
    assert counts.digital_ops == 2 * 20 + 20
    g = matrix.cells.g.reshape(70, 20, 2)
    assert counts.read_conductance_siemens == pytest.approx(g[[0, 5, 40]].sum())
    assert matrix.serial_conversions == 2


def test_analog_reads_count_the_square_of_the_voltage():
    matrix, ledger = _matrix(_weights(3, 4)), Ledger()
    matrix.read(np.array([1.0, 0.5, 0.0, 0.0]), ledger.counts)
    g = matrix.cells.g.reshape(4, 3, 2).sum(axis=(1, 2))
    assert ledger.total().read_conductance_siemens == pytest.approx(g[0] + 0.25 * g[1])


def test_silence_costs_nothing_and_gives_zero():
    matrix, ledger = _matrix(_weights(), CrossbarConfig(), per_spike=1000.0), Ledger()
    assert not matrix.read(np.zeros(70), ledger.counts).any()
    assert ledger.total() == OpCounts()


def test_compensation_brings_back_what_has_drifted_away():
    weights = np.abs(_weights(30, 50))
    device = PcmDevice(programming_scale=0.0, noise_scale=0.0)
    matrix = _matrix(weights, replace(IDEAL, device=device, programmed_s=0.0))
    matrix.refresh_all(86_400.0)
    x = np.random.default_rng(0).uniform(0, 1, 50)
    exact = weights @ x
    drifted = matrix.read(x, Ledger().counts).copy()
    assert drifted.sum() < 0.75 * exact.sum()
    ledger = Ledger()
    matrix.compensate(ledger)
    np.testing.assert_allclose(matrix.read(x, Ledger().counts).sum(), exact.sum(), rtol=0.02)
    assert ledger.total().tile_reads > 0


def test_a_reference_read_has_the_noise_and_the_rounding_of_one_read():
    """Read noise averages over the devices of a column; rounding is half a step of its range at most."""
    weights = np.abs(_weights(40, 200))
    device = PcmDevice(programming_scale=0.0, drift_scale=0.0, noise_q=(0.0, 0.0, 0.0))
    base = replace(IDEAL, device=device, drift_compensation="column", tile_rows=100)

    def gains(**changes) -> np.ndarray:
        matrix = _matrix(weights, replace(base, **changes))
        found = []
        for _ in range(50):
            matrix.compensate(Ledger())
            found.append(matrix.gain.copy())
        return np.array(found)

    matrix = _matrix(weights, base)
    total, var = (x.reshape(200, 40).sum(axis=0) for x in (matrix.cells.total, matrix.cells.var))
    np.testing.assert_allclose(gains().std(axis=0).mean(), (np.sqrt(var) / total).mean(), rtol=0.1)
    assert np.sqrt(var).mean() < 0.2 * device.short_time_noise * total.mean()
    exact = gains(device=replace(device, noise_scale=0.0))
    np.testing.assert_allclose(exact, 1.0, rtol=1e-12)
    rounded = gains(device=replace(device, noise_scale=0.0), adc_bits=6)
    largest = matrix.cells.total.reshape(2, 100, 40).sum(axis=1).max()
    assert 0 < np.abs(rounded - 1).max() < 2 * 0.5 * 1.25 * largest / 63 / total.min() * 1.1


def test_a_reference_read_takes_time_and_energy():
    matrix, ledger = _matrix(_weights(30, 50), replace(IDEAL, tile_rows=20, adc_bits=7)), Ledger()
    ledger.prepare(2, OpCounts())
    ledger.start()
    matrix.compensate(ledger)
    counts = ledger.total()
    assert (counts.tile_reads, counts.serial_tile_reads) == (3, 1)
    assert counts.conversion_steps == 2**7 * counts.conversions == 2**7 * 3 * 30
    assert counts.serial_decisions == 7 * counts.serial_conversions == 7 * matrix.serial_conversions
    assert counts.row_activations == 50
    assert counts.dac_steps == 0  # full voltage, or none


def test_devices_at_rest_take_nothing_from_weights_in_the_mean():
    weights = 0.2 * np.sign(_weights(20, 2000))
    weights[:, 0] = 1.0
    config = CrossbarConfig(programmed_s=0.0, tile_rows=2000, row_wire_ohm=0.0, column_wire_ohm=0.0)
    plain, corrected = (
        np.abs(_matrix(weights, replace(config, correct_rest=correct)).weights_now()[:, 1:])
        for correct in (False, True)
    )
    rest = PcmDevice().rest_siemens / PcmDevice().range_siemens
    assert plain.mean() == pytest.approx(0.2 - rest, abs=1e-3)
    assert corrected.mean() == pytest.approx(0.2, abs=1e-3)
