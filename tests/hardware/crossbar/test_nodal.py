from __future__ import annotations

import numpy as np
import pytest

from spikearm.hardware.crossbar.nodal import NodalArray


def _cells(n_rows=9, n_cols=7, seed=0):
    return np.random.default_rng(seed).uniform(1e-6, 25e-6, (n_rows, n_cols))


def test_perfect_wires_give_the_plain_product():
    g, volts = _cells(), np.random.default_rng(1).normal(size=9)
    array = NodalArray(g, row_ohm=0.0, column_ohm=0.0)
    currents, drivers = array.solve(volts)
    np.testing.assert_allclose(currents, volts @ g, rtol=1e-12)
    np.testing.assert_allclose(drivers, volts * g.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(array.effective(), g, rtol=1e-12)


def test_one_cell_is_in_series_with_its_wires():
    currents, drivers = NodalArray(np.array([[25e-6]]), row_ohm=3e3, column_ohm=5e3).solve(np.array([0.2]))
    assert currents[0] == pytest.approx(0.2 / (40e3 + 8e3))
    assert drivers[0] == pytest.approx(currents[0])


@pytest.mark.parametrize(("row_ohm", "column_ohm"), [(500.0, 0.0), (0.0, 500.0), (300.0, 800.0)])
def test_no_current_is_lost(row_ohm, column_ohm):
    volts = np.random.default_rng(1).normal(size=9)
    currents, drivers = NodalArray(_cells(), row_ohm=row_ohm, column_ohm=column_ohm).solve(volts)
    assert currents.sum() == pytest.approx(drivers.sum())
    assert volts @ drivers > 0


@pytest.mark.parametrize(("row_ohm", "column_ohm"), [(500.0, 0.0), (0.0, 500.0), (300.0, 800.0)])
def test_the_transposed_network_gives_the_matrix_of_every_later_read(row_ohm, column_ohm):
    array = NodalArray(_cells(), row_ohm=row_ohm, column_ohm=column_ohm)
    effective = array.effective()
    for volts in np.random.default_rng(1).normal(size=(3, 9)):
        np.testing.assert_allclose(array.solve(volts)[0], volts @ effective, rtol=1e-9)


def test_a_dense_solution_of_kirchhoffs_law_agrees():
    g, row_ohm, column_ohm = _cells(2, 2), 2e3, 7e3
    a, b = 1 / row_ohm, 1 / column_ohm
    # Rows r00 r01 r10 r11, then columns c00 c01 c10 c11; drivers at 1 V and 0 V.
    (p, q), (s, t) = g
    kirchhoff = np.array(
        [
            [2 * a + p, -a, 0, 0, -p, 0, 0, 0],
            [-a, a + q, 0, 0, 0, -q, 0, 0],
            [0, 0, 2 * a + s, -a, 0, 0, -s, 0],
            [0, 0, -a, a + t, 0, 0, 0, -t],
            [-p, 0, 0, 0, b + p, 0, -b, 0],
            [0, -q, 0, 0, 0, b + q, 0, -b],
            [0, 0, -s, 0, -b, 0, 2 * b + s, 0],
            [0, 0, 0, -t, 0, -b, 0, 2 * b + t],
        ]
    )
    volts = np.linalg.solve(kirchhoff, [a, 0, 0, 0, 0, 0, 0, 0])
    currents, _ = NodalArray(g, row_ohm=row_ohm, column_ohm=column_ohm).solve(np.array([1.0, 0.0]))
    np.testing.assert_allclose(currents, b * volts[6:], rtol=1e-10)
