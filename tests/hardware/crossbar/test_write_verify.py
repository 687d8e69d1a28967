from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.cost import RERAM_COST
from spikearm.hardware.crossbar.devices import make_device
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
from spikearm.hardware.crossbar.write_verify import pulses_for, write_verify

PCM = make_device("pcm")
TARGET = np.random.default_rng(0).uniform(0, 25e-6, (500, 2))


def write(rounds: int = 1, *, tolerance: float = 0.02, seed: int = 1):
    rng = np.random.default_rng(seed)
    return write_verify(TARGET, PCM, rng, n_cols=10, rounds=rounds, tolerance=tolerance)


def test_one_round_leaves_the_published_scatter():
    written = write()
    interior = (TARGET > 5e-6) & (TARGET < 20e-6)
    relative = (written.g - TARGET)[interior] / PCM.scatter_siemens(TARGET)[interior]
    assert relative.std() == pytest.approx(1.0, abs=0.06)
    np.testing.assert_array_equal(written.g, PCM.program(TARGET, np.random.default_rng(1)))


def test_every_round_brings_devices_closer_and_costs_a_read_of_each():
    results = [write(rounds) for rounds in (1, 2, 3, 6)]
    errors = [np.abs(r.g - TARGET).mean() for r in results]
    assert errors == sorted(errors, reverse=True)
    # The published gain of three rounds is 29 % (Wan et al. 2022); a tight tolerance gains more.
    assert errors[2] < 0.71 * errors[0]
    reads = [r.counts.verify_reads - r.counts.set_pulses for r in results]
    assert reads == [rounds * TARGET.size for rounds in (0, 1, 2, 5)]


def test_a_wide_tolerance_writes_nothing_again():
    once, twice = write(1), write(2, tolerance=1.0)
    np.testing.assert_array_equal(once.g, twice.g)
    assert twice.counts.set_pulses == once.counts.set_pulses


@pytest.mark.parametrize("name", ["pcm", "reram-hfo2", "ideal"])
def test_pulses_of_a_write_reach_the_target(name):
    device = make_device(name)
    u = np.array([0.0, 0.1, 0.5, 0.9])
    n = pulses_for(device.g_min_siemens + u * device.range_siemens, device)
    a, s = device.set_step, device.set_saturation
    reached = n * a if s == 0 else (1 - (1 - a * s) ** n) / s
    one_less = (n - 1) * a if s == 0 else (1 - (1 - a * s) ** (n - 1)) / s
    assert (reached >= u - 1e-9).all()
    assert (one_less[1:] < u[1:]).all()
    assert n[0] == 0


def test_a_step_as_large_as_the_range_writes_with_one_pulse():
    device = replace(PCM, set_step=1.0)
    np.testing.assert_array_equal(pulses_for(np.array([0.0, 1e-6, 25e-6]), device), [0, 1, 1])


def test_neurram_writes_cost_what_was_measured():
    """104 pJ per cell in all, verify reads included."""
    target = np.full((50, 2), 20e-6)
    written = write_verify(target, make_device("neurram"), np.random.default_rng(0), n_cols=5)
    joules = RERAM_COST.estimate(written.counts, 0.0).energy_j["programming"]
    assert joules / target.size == pytest.approx(104e-12, rel=0.01)


def test_rows_are_written_one_after_another():
    """A row takes as long as its slowest device, a read after every pulse, and the RESET before."""
    written = write()
    by_row = pulses_for(TARGET, PCM).reshape(50, 20).max(axis=1)
    assert written.counts.rows_programmed == written.counts.serial_verify_reads == by_row.sum()
    assert written.counts.rows_reset == 50
    assert written.counts.reset_pulses == TARGET.size


def test_pulses_of_every_device_add_up_to_those_counted():
    written = write(3)
    assert written.pulses.shape == TARGET.shape
    assert written.pulses.sum() == written.counts.set_pulses + written.counts.reset_pulses
    assert written.pulses.max() > write(1).pulses.max()


def test_matrices_that_learn_are_written_once():
    config, rng = CrossbarConfig(program_rounds=4), np.random.default_rng(0)
    weights = rng.normal(size=(6, 20))
    make = {"config": config, "hold_s": 0.256, "per_spike": None, "rng": rng}
    static = CrossbarMatrix("", weights, None, **make)
    learned = CrossbarMatrix("", weights, np.full(6, 4.0), **make)
    n = static.cells.g.size
    assert static.cells.programming.verify_reads - static.cells.programming.set_pulses == 3 * n
    assert learned.cells.programming.verify_reads == learned.cells.programming.set_pulses


def test_columns_are_compensated_one_by_one():
    """Weights of different sizes drift differently; a factor for all columns cannot undo that."""
    rng = np.random.default_rng(3)
    weights = rng.uniform(0.02, 0.2, size=(8, 100))
    weights[:4] = rng.uniform(0.8, 1.0, size=(4, 100))
    weights[:, 0] = 1.0
    device = replace(PCM, programming_scale=0.0, noise_scale=0.0)
    errors = {}
    for kind in ("global", "column"):
        config = replace(CrossbarConfig.ideal(), device=device, drift_compensation=kind, programmed_s=0.0)
        matrix = CrossbarMatrix("", weights, None, config, hold_s=0.256, per_spike=None, rng=rng)
        matrix.calibrate(np.ones((1, 100)))
        matrix.visit(0, matrix.cells.n_pairs, 86_400.0, 0)
        matrix.cells.refresh_all(86_400.0)
        matrix.compensate(Ledger())
        sums = matrix.weights_now().sum(axis=1)
        np.testing.assert_allclose(matrix.read(np.ones(100), Ledger().counts), sums, rtol=1e-6)
        errors[kind] = np.abs(sums / weights.sum(axis=1) - 1)
    assert errors["column"].max() < 0.01
    assert errors["global"].max() > 0.03
