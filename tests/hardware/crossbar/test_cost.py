from __future__ import annotations

import pytest

from spikearm.hardware.crossbar.cost import PCM_COST, READ_TIME_S, READ_VOLTAGE_V, RERAM_COST, pcm_cost
from spikearm.records import OpCounts


def test_a_read_of_one_cell_costs_the_energy_of_its_conductance():
    cost = PCM_COST.estimate(OpCounts(read_conductance_siemens=25e-6), 1e-3)
    assert cost.total_j == pytest.approx(READ_VOLTAGE_V**2 * 25e-6 * READ_TIME_S)
    # 0.1 pJ at full conductance; PUMA's mean cell, smaller and mostly off, has 1.83 fJ.
    assert cost.total_j == pytest.approx(1e-13)


def test_a_full_tile_is_the_measured_core_within_the_known_factor():
    """HERMES spends 12.5 nJ on a 256 x 256 product; bottom-up sums come out about ten times lower."""
    counts = OpCounts(
        tile_reads=1,
        row_activations=256,
        active_macs=256 * 256,
        conversions=256,
        digital_ops=256,
        read_conductance_siemens=256 * 256 * 2.5e-6,
    )
    cost = PCM_COST.estimate(counts, 1e-3)
    assert cost.energy_chip_j == pytest.approx(12.5e-9)
    assert 5 < cost.energy_chip_j / cost.total_j < 20


def test_a_product_of_1_bit_inputs_is_the_measured_reram_chip_within_the_known_factor():
    """NeuRRAM spends 23 fJ per active multiply-accumulate; its source leaves a factor of 2 open."""
    counts = OpCounts(
        tile_reads=1,
        row_activations=256,
        active_macs=256 * 256,
        conversions=256,
        digital_ops=256,
        read_conductance_siemens=256 * 256 * 2 * 4e-6,
    )
    cost = RERAM_COST.estimate(counts, 1e-3)
    assert cost.energy_chip_j == pytest.approx(256 * 256 * 23e-15)
    assert 0.5 < cost.energy_chip_j / cost.total_j < 2


def test_pulses_times_energy_is_the_programming_term():
    cost = PCM_COST.estimate(OpCounts(set_pulses=30, reset_pulses=2), 1e-3)
    assert cost.energy_j["programming"] == pytest.approx(30 * 22e-12 + 2 * 12e-12)
    assert cost.total_j == cost.energy_j["programming"]


@pytest.mark.parametrize(
    ("operation", "joules"),
    [
        ("row_activations", 0.39e-12),
        ("conversions", 1.56e-12),
        ("digital_ops", 0.05e-12),
        ("neuron_updates", 81e-12),
        ("set_pulses", 22e-12),
        ("reset_pulses", 12e-12),
        ("verify_reads", 1.56e-12),
    ],
)
def test_figures_are_the_published_ones(operation, joules):
    assert PCM_COST.estimate(OpCounts(**{operation: 1.0}), 0.0).total_j == pytest.approx(joules)


def test_a_longer_read_at_a_higher_voltage_costs_more():
    counts = OpCounts(read_conductance_siemens=1e-3, row_activations=10, serial_tile_reads=1)
    usual = PCM_COST.estimate(counts, 1e-3)
    other = pcm_cost(read_voltage_v=0.4, read_time_s=200e-9).estimate(counts, 1e-3)
    assert other.energy_j["cell_read"] == pytest.approx(8 * usual.energy_j["cell_read"])
    assert other.energy_j["row_driver"] == pytest.approx(2 * usual.energy_j["row_driver"])
    assert other.latency_s == pytest.approx(2 * usual.latency_s)


def test_latency_adds_reads_conversions_and_writes():
    cost = PCM_COST.estimate(OpCounts(serial_tile_reads=2, serial_conversions=17, rows_programmed=3), 1e-3)
    assert cost.latency_s == pytest.approx(2 * 100e-9 + 17 * 0.78e-9 + 3 * 200e-9)


def test_every_figure_names_its_source():
    assert all(line.figure.source for line in PCM_COST.ledger(OpCounts(), 1e-3))
    assert "no learning" in PCM_COST.chip_scope
