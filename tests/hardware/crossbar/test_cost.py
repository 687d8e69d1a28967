from __future__ import annotations

from dataclasses import replace

import nengo
import pytest

from spikearm.hardware.crossbar.backend import CrossbarBackend
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.cost import PCM_COST, READ_TIME_S, READ_VOLTAGE_V, RERAM_COST, pcm_cost
from spikearm.hardware.crossbar.simulator import CrossbarSimulator
from spikearm.records import OpCounts


def test_a_read_of_one_cell_costs_the_energy_of_its_conductance():
    cost = PCM_COST.estimate(OpCounts(read_conductance_siemens=25e-6), 1e-3)
    assert cost.total_j == pytest.approx(READ_VOLTAGE_V**2 * 25e-6 * READ_TIME_S, rel=1e-9, abs=0.0)
    # 0.1 pJ at full conductance; PUMA's mean cell, smaller and mostly off, has 1.83 fJ.
    assert cost.total_j == pytest.approx(1e-13, rel=1e-9, abs=0.0)


def test_a_full_tile_is_the_measured_core_within_the_known_factor():
    """HERMES spends 12.5 nJ on a 256 x 256 product; bottom-up sums come out about ten times lower."""
    counts = OpCounts(
        tile_reads=1,
        row_activations=256,
        active_macs=256 * 256,
        conversions=256,
        conversion_steps=256 * 2**8,
        dac_steps=256 * 2**8,
        digital_ops=256,
        read_conductance_siemens=256 * 256 * 2.5e-6,
    )
    cost = PCM_COST.estimate(counts, 1e-3)
    assert cost.energy_chip_j == pytest.approx(12.5e-9, rel=1e-9, abs=0.0)
    assert 5 < cost.energy_chip_j / cost.total_j < 20


def test_a_product_of_1_bit_inputs_is_the_measured_reram_chip_within_the_known_factor():
    """NeuRRAM spends 23 fJ per active multiply-accumulate; its source leaves a factor of 2 open."""
    counts = OpCounts(
        tile_reads=1,
        row_activations=256,
        active_macs=256 * 256,
        conversions=256,
        conversion_steps=256 * 2**8,
        digital_ops=256,
        read_conductance_siemens=256 * 256 * 2 * 4e-6,
    )
    cost = RERAM_COST.estimate(counts, 1e-3)
    assert cost.energy_chip_j == pytest.approx(256 * 256 * 23e-15, rel=1e-9, abs=0.0)
    assert 0.5 < cost.energy_chip_j / cost.total_j < 2


def test_pulses_times_energy_is_the_programming_term():
    cost = PCM_COST.estimate(OpCounts(set_pulses=30, reset_pulses=2), 1e-3)
    assert cost.energy_j["programming"] == pytest.approx(30 * 22e-12 + 2 * 12e-12, rel=1e-9, abs=0.0)
    assert cost.total_j == cost.energy_j["programming"]


@pytest.mark.parametrize(
    ("operation", "joules"),
    [
        ("row_activations", 0.39e-12),
        ("conversion_steps", 2e-3 / 1.28e9 / 256),
        ("dac_steps", 2e-3 / 1.28e9 / 256),
        ("digital_ops", 0.05e-12),
        ("neuron_updates", 81e-12),
        ("set_pulses", 22e-12),
        ("reset_pulses", 12e-12),
        ("verify_reads", 1.56e-12),
    ],
)
def test_figures_are_the_published_ones(operation, joules):
    assert PCM_COST.estimate(OpCounts(**{operation: 1.0}), 0.0).total_j == pytest.approx(
        joules, rel=1e-9, abs=0.0
    )


def test_a_longer_read_at_a_higher_voltage_costs_more():
    counts = OpCounts(read_conductance_siemens=1e-3, row_activations=10, serial_tile_reads=1)
    usual = PCM_COST.estimate(counts, 1e-3)
    other = pcm_cost(read_voltage_v=0.4, read_time_s=200e-9).estimate(counts, 1e-3)
    assert other.energy_j["cell_read"] == pytest.approx(8 * usual.energy_j["cell_read"], rel=1e-9, abs=0.0)
    assert other.energy_j["row_driver"] == pytest.approx(2 * usual.energy_j["row_driver"], rel=1e-9, abs=0.0)
    assert other.latency_s == pytest.approx(2 * usual.latency_s, rel=1e-9, abs=0.0)


def test_latency_adds_reads_conversions_and_writes():
    counts = OpCounts(serial_tile_reads=2, serial_decisions=17 * 8, rows_programmed=3)
    latency_s = 2 * 100e-9 + 17 / 1.28e9 + 3 * 200e-9
    assert PCM_COST.estimate(counts, 1e-3).latency_s == pytest.approx(latency_s, rel=1e-9, abs=0.0)


def test_energy_and_time_of_conversions_follow_their_bits():
    """Twice the energy for each bit of a column's converter, and of an analog row's; as much more time."""
    found = {}
    for bits in (6, 8, None):
        config = replace(CrossbarConfig.ideal(), adc_bits=bits, dac_bits=bits, tile_cols=8, adcs_per_tile=2)
        with nengo.Network(seed=0) as network:
            a = nengo.Ensemble(20, 1, label="a")
            nengo.Connection(nengo.Node([0.5]), a)
            nengo.Connection(a, nengo.Node(size_in=1), label="out")
        with CrossbarSimulator(network, config=config, progress_bar=False) as sim:
            sim.run_steps(20)
            while sim.counts.spikes == 0:
                sim.step()
            sim.step()
            found[bits] = sim.counts
    for bits in (6, 8):
        counts = found[bits]
        assert counts.conversion_steps == 2**bits * counts.conversions
        assert counts.dac_steps == 2**bits * 3  # one row, on three tiles; rows of spikes have no converter
        assert counts.serial_decisions == bits * counts.serial_conversions
    assert PCM_COST.estimate(found[8], 1e-3).energy_j["dac"] == pytest.approx(3 * 1.5625e-12)
    assert found[None].conversion_steps == 2**8 * found[None].conversions  # no rounding: charged as 8 bits


def test_own_figures_replace_published_ones_and_say_so():
    backend = CrossbarBackend(CrossbarConfig(figures={"set_pulses": 5e-12, "serial_decisions": 0.0}))
    counts = OpCounts(set_pulses=3.0, reset_pulses=1.0, serial_decisions=100.0)
    cost = backend.cost_model.estimate(counts, 1e-3)
    assert cost.energy_j["programming"] == pytest.approx(3 * 5e-12 + 12e-12, rel=1e-9, abs=0.0)
    assert cost.latency_s == 0.0
    assert backend.cost_model.name.endswith("own figures for serial_decisions, set_pulses")
    lines = {line.figure.count: line for line in backend.cost_model.ledger(counts, 1e-3)}
    assert lines["set_pulses"].figure.source.startswith("set by the user, instead of 2.2e-11: NVSim")
    assert sum(line.joules for line in lines.values() if line.tier == "bottom-up") == pytest.approx(
        cost.total_j, rel=1e-9, abs=0.0
    )


def test_every_figure_names_its_source():
    assert all(line.figure.source for line in PCM_COST.ledger(OpCounts(), 1e-3))
    assert "no learning" in PCM_COST.chip_scope
