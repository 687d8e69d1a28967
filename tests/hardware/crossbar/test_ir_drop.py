from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.nodal import NodalArray
from spikearm.hardware.crossbar.pcm import PcmDevice

IDEAL = CrossbarConfig.ideal()
SPIKE = 1000.0
TALL, SQUARE = (1024, 14), (128, 64)  # pairs: 1024 x 28 and 128 x 128 cells


def _matrix(shape, *, ohm, gated=True, learned=False, spiking=True, full=False, **changes):
    n_rows, n_cols = shape
    config = replace(
        IDEAL,
        tile_rows=n_rows,
        tile_cols=n_cols,
        adcs_per_tile=1,
        row_wire_ohm=ohm,
        column_wire_ohm=ohm,
        rows_gated=gated,
    )
    rng = np.random.default_rng(0)
    weights = rng.uniform(-1, 1, (n_cols, n_rows))
    if full:
        weights = np.sign(weights)
    weight_range = np.ones(n_cols) if learned else None
    per_spike = SPIKE if spiking else None
    return CrossbarMatrix(
        "t", weights, weight_range, replace(config, **changes), hold_s=0.256, per_spike=per_spike, rng=rng
    )


def _exact(matrix, drive, *, gated):
    """Currents of the pairs and power out of the drivers, at unit read voltage, by Kirchhoff's law."""
    cells, config = matrix.cells, matrix.config
    g = cells.g.reshape(cells.n_rows, 2 * cells.n_cols)
    if gated:
        g = g * (drive != 0)[:, None]
    array = NodalArray(g, row_ohm=config.row_wire_ohm, column_ohm=config.column_wire_ohm)
    currents, drivers = array.solve(drive)
    return currents[::2] - currents[1::2], drive @ drivers


def _read(matrix, x):
    """The same as the matrix gives it."""
    counts = Ledger().counts
    unit = 1.0 if matrix.per_spike is None else matrix.per_spike
    return matrix.read(x, counts) / matrix.readout.weight[0] / unit, counts["read_conductance_siemens"][0]


def _spikes(n_rows, part=0.05, seed=1):
    return np.where(np.random.default_rng(seed).random(n_rows) < part, 1.0, 0.0)


@pytest.mark.parametrize("ohm", [0.15, 0.35, 1.0])
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_tall_tiles_agree_with_kirchhoff(ohm, gated, learned):
    matrix, drive = _matrix(TALL, ohm=ohm, gated=gated, learned=learned), _spikes(TALL[0])
    currents, power = _read(matrix, SPIKE * drive)
    wanted, wanted_power = _exact(matrix, drive, gated=gated)
    assert np.abs(currents - wanted).max() < 0.005 * np.abs(wanted).max()
    assert power == pytest.approx(wanted_power, rel=0.005)


@pytest.mark.parametrize("gated", [True, False])
def test_tall_tiles_agree_with_kirchhoff_with_every_device_at_its_largest(gated):
    matrix, drive = _matrix(TALL, ohm=0.35, gated=gated, full=True), _spikes(TALL[0])
    currents, _ = _read(matrix, SPIKE * drive)
    wanted, _ = _exact(matrix, drive, gated=gated)
    assert np.abs(currents - wanted).max() < 0.005 * np.abs(wanted).max()


@pytest.mark.parametrize("ohm", [0.35, 1.0])
@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_square_tiles_agree_with_kirchhoff(ohm, spiking, learned):
    matrix = _matrix(SQUARE, ohm=ohm, learned=learned, spiking=spiking)
    drive = _spikes(SQUARE[0], 0.2) if spiking else np.random.default_rng(1).uniform(0, 1, SQUARE[0])
    drive[0] = 1.0  # fixes the exponent of analog inputs
    currents, power = _read(matrix, SPIKE * drive if spiking else drive)
    wanted, wanted_power = _exact(matrix, drive, gated=spiking)
    assert np.abs(currents - wanted).max() < 0.02 * np.abs(wanted).max()
    assert power == pytest.approx(wanted_power, rel=0.01)


def test_gated_rows_lose_less_than_rows_that_are_always_connected():
    drive = _spikes(TALL[0])
    loss = {}
    for gated in (True, False):
        matrix = _matrix(TALL, ohm=0.35, gated=gated, learned=True, full=True)
        currents, _ = _read(matrix, SPIKE * drive)
        perfect = drive @ matrix.cells.diff.reshape(TALL)
        loss[gated] = 1 - np.abs(currents).sum() / np.abs(perfect).sum()
    assert loss[True] < 0.2 < 0.4 < loss[False]


def test_power_of_equal_pulses_is_the_sum_of_all_currents():
    matrix, drive = _matrix(TALL, ohm=1.0, learned=True), _spikes(TALL[0])
    _, power = _read(matrix, SPIKE * drive)
    g = matrix.cells.g.reshape(TALL[0], -1) * drive[:, None]
    currents, _ = NodalArray(g, row_ohm=1.0, column_ohm=1.0).solve(drive)
    assert power == pytest.approx(currents.sum(), rel=1e-3)


def test_a_compensating_read_pays_for_what_its_rows_draw():
    matrix = _matrix((64, 8), ohm=5.0, spiking=False, tile_rows=32)
    ledger = Ledger()
    counts = ledger.counts
    matrix.compensate(ledger)
    g = matrix.cells.g.reshape(64, 16)
    wanted = 0.0
    for part in (g[:32], g[32:]):
        wanted += NodalArray(part, row_ohm=5.0, column_ohm=5.0).solve(np.ones(32))[1].sum()
    assert counts["read_conductance_siemens"][0] == pytest.approx(wanted, rel=0.005)
    assert counts["read_conductance_siemens"][0] < 0.99 * g.sum()


def test_several_spikes_are_several_reads():
    matrix = _matrix((64, 4), ohm=5.0)
    one, two = _spikes(64, 0.3), _spikes(64, 0.3, seed=2)
    two *= one  # rows of the second pulse are among those of the first
    both, power = _read(matrix, SPIKE * (one + two))
    parts = [(c.copy(), p) for c, p in (_read(matrix, SPIKE * one), _read(matrix, SPIKE * two))]
    np.testing.assert_allclose(both, parts[0][0] + parts[1][0], rtol=1e-12)
    assert power == pytest.approx(parts[0][1] + parts[1][1])


@pytest.mark.parametrize("ohm", [0.0, 5.0])
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_several_spikes_are_paid_for_as_several_reads(ohm, gated, learned):
    """Whatever the wires: rows with one, two and three pulses are the sum of three reads, in time as well."""
    matrix = _matrix((64, 4), ohm=ohm, gated=gated, learned=learned)
    drives = [_spikes(64, 0.6), _spikes(64, 0.6, seed=2), _spikes(64, 0.6, seed=3)]
    drives[1] *= drives[0]
    drives[2] *= drives[1]

    def read(x):
        ledger = Ledger()
        matrix.read(SPIKE * x, ledger.counts)
        serial = ledger.counts["serial_tile_reads"][0]
        counts = ledger.total()
        return np.array([counts.read_conductance_siemens, counts.row_activations, counts.tile_reads, serial])

    np.testing.assert_allclose(read(sum(drives)), sum(map(read, drives)), rtol=1e-9)


@pytest.mark.parametrize("gated", [True, False])
def test_currents_of_every_column_are_those_of_kirchhoffs_law(gated):
    """Not only the largest: each within a hundredth of the current that the column has on its two lines."""
    matrix, drive = _matrix(SQUARE, ohm=0.35, gated=gated), _spikes(SQUARE[0], 0.3)
    wanted, _ = _exact(matrix, drive, gated=gated)
    found, _ = _read(matrix, SPIKE * drive)
    cells = matrix.cells
    both_lines = drive @ cells.total.reshape(cells.n_rows, cells.n_cols)
    assert (np.abs(found - wanted) < 2e-3 * both_lines).all()


def test_negative_spikes_give_negative_currents_and_the_same_power():
    matrix, drive = _matrix((64, 4), ohm=5.0), _spikes(64, 0.3)
    plus, power = _read(matrix, SPIKE * drive)
    plus = plus.copy()
    minus, power_minus = _read(matrix, -SPIKE * drive)
    np.testing.assert_allclose(minus, -plus)
    assert power_minus == pytest.approx(power)


def test_tiles_side_by_side_have_their_own_rows():
    wide = _matrix((32, 48), ohm=5.0, tile_cols=16, full=True)
    h = wide.readout.wires.h.reshape(32, 48)
    assert (h[:, [16, 32]] > h[:, [15, 31]]).all()
    assert (np.diff(h[:, :16]) < 0).all()


def test_tiles_on_top_of_one_another_have_their_own_columns():
    matrix = _matrix((64, 4), ohm=5.0, gated=False, full=True, tile_rows=32)
    t = matrix.readout.wires.t_plus.reshape(64, 4)
    assert (np.diff(t[:32], axis=0) >= 0).all()
    assert (t[31] > t[32]).all()


def test_a_static_matrix_is_calibrated_for_what_its_wires_take():
    matrix = _matrix((1, 200), ohm=0.35, spiking=False, full=True)
    matrix.calibrate(np.ones((1, 1)))
    assert matrix.readout.wires.h.min() < 0.8
    np.testing.assert_allclose(
        matrix.read(np.ones(1), Ledger().counts), matrix.weights_now()[:, 0], rtol=1e-9
    )


def test_ladders_follow_devices_that_learn():
    matrix = _matrix(TALL, ohm=1.0, gated=False, learned=True)
    matrix.cells.g[:] = 25e-6
    matrix.cells.refresh_all(0.0)
    before = matrix.readout.wires.t_plus.copy()
    n_pairs = matrix.cells.n_pairs
    edges = np.linspace(0, n_pairs, 101).astype(int)
    for first, last in pairwise(edges):
        matrix.visit(int(first), int(last), 0.0, 0)
    wires = matrix.readout.wires
    fresh = wires.t_plus.copy()
    wires.update((0, TALL[0]), (0, TALL[1]), matrix.cells.diff, matrix.cells.total)
    assert np.abs(fresh - before).max() > 0.1
    np.testing.assert_array_equal(fresh, wires.t_plus)
    np.testing.assert_allclose(wires.row_seen, matrix.cells.row_g, rtol=0.01)


def test_noise_comes_weakened_through_the_wires():
    drive = np.ones(256)
    matrix = _matrix((256, 2), ohm=5.0, device=PcmDevice(programming_scale=0.0))
    reads = np.array([_read(matrix, SPIKE * drive)[0].copy() for _ in range(3000)])
    perfect = np.sqrt(matrix.cells.var.reshape(256, 2).sum(axis=0))
    assert (reads.std(axis=0) < 0.8 * perfect).all()
    effective = NodalArray(
        np.stack([matrix.cells.total, matrix.cells.total], axis=-1).reshape(256, 4) / 2,
        row_ohm=5.0,
        column_ohm=5.0,
    ).effective()[:, ::2]
    passed = effective / (matrix.cells.total.reshape(256, 2) / 2)
    wanted = np.sqrt((passed**2 * matrix.cells.var.reshape(256, 2)).sum(axis=0))
    np.testing.assert_allclose(reads.std(axis=0), wanted, rtol=0.1)


@pytest.mark.parametrize("gated", [True, False])
def test_noise_is_that_of_cells_at_the_voltage_their_row_leaves_them(gated):
    """A row that loses half of its voltage on the way to the last cell halves that cell's noise."""
    device = PcmDevice(programming_scale=0.0, drift_scale=0.0)
    matrix = _matrix((1, 64), ohm=0.0, device=device, row_wire_ohm=10.0, gated=gated)
    reads = np.array([_read(matrix, SPIKE * np.ones(1))[0].copy() for _ in range(4000)])
    wanted = matrix.readout.wires.h * np.sqrt(matrix.cells.var)
    assert matrix.readout.wires.h[-1] < 0.6
    np.testing.assert_allclose(reads.std(axis=0), wanted, rtol=0.1)


@pytest.mark.parametrize("tile", [(48, 48), (32, 20)])
def test_exact_wires_give_kirchhoffs_currents_where_ladders_do_not(tile):
    shape, errors = (48, 48), {}
    drive = np.ones(shape[0])
    for exact in (False, True):
        matrix = _matrix(
            shape,
            ohm=20.0,
            spiking=False,
            full=True,
            exact_wires=exact,
            tile_rows=tile[0],
            tile_cols=tile[1],
        )
        matrix.calibrate(np.ones((1, shape[0])))
        found = matrix.read(drive, Ledger().counts)
        g = matrix.cells.g.reshape(shape[0], -1)
        wanted = np.zeros(shape[1])
        for top in range(0, shape[0], tile[0]):
            block = top // tile[0]
            for left in range(0, shape[1], tile[1]):
                part = g[top : top + tile[0], 2 * left : 2 * (left + tile[1])]
                currents, _ = NodalArray(part, row_ohm=20.0, column_ohm=20.0).solve(np.ones(len(part)))
                pairs = slice(left, left + tile[1])
                wanted[pairs] += (currents[::2] - currents[1::2]) * matrix.readout.weight[block, pairs]
        errors[exact] = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert errors[True] < 1e-9 < 1e-3 < errors[False]


def test_wires_that_lose_too_much_both_ways_are_reported(caplog):
    _matrix((256, 256), ohm=2.0, spiking=False, full=True)
    assert "choose smaller tiles, wires of less resistance, or exact_wires=True" in caplog.text


def test_gated_wires_that_lose_too_much_are_reported_by_how_many_rows_take_part(caplog):
    for part, said in ((0.3, True), (0.01, False)):
        caplog.clear()
        matrix = _matrix((256, 256), ohm=3.0)
        assert caplog.text == ""
        matrix.calibrate(_spikes(256, part=part)[None])
        assert ("rows and columns of 256 x 256 pairs both lose so much" in caplog.text) == said
        assert "exact_wires" not in caplog.text
    caplog.clear()
    _matrix((256, 256), ohm=0.35).calibrate(_spikes(256, part=0.3)[None])
    assert caplog.text == ""


def test_exact_wires_without_effect_are_reported(caplog):
    _matrix((32, 8), ohm=0.35, exact_wires=True, learned=True)
    assert caplog.text == ""
    _matrix((32, 8), ohm=0.35, exact_wires=True)
    assert "t: exact_wires has no effect on rows that spikes connect; set rows_gated=False" in caplog.text


def test_error_of_gated_wires_is_what_the_warning_says(caplog):
    matrix = _matrix((128, 128), ohm=6.0)
    drive = _spikes(128, part=0.3)
    matrix.calibrate(drive[None])
    said = float(re.search(r"about (\d+) % only", caplog.text)[1]) / 100
    found, _ = _read(matrix, SPIKE * drive)
    wanted, _ = _exact(matrix, drive, gated=True)
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert 0.2 * said < error < 2 * said
