from __future__ import annotations

from dataclasses import replace

import nengo
import numpy as np
import pytest

from spikearm.hardware.crossbar.backend import CrossbarBackend
from spikearm.hardware.crossbar.config import CrossbarConfig
from spikearm.hardware.crossbar.cost import (
    PCM_COST,
    READ_TIME_S,
    READ_VOLTAGE_V,
    RERAM_COST,
    cost_of,
    pcm_cost,
)
from spikearm.hardware.crossbar.devices import make_device
from spikearm.hardware.crossbar.ledger import Ledger
from spikearm.hardware.crossbar.matrix import CrossbarMatrix
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


def _cost_of_a_spiking_product(name, active):
    """A whole tile as it is read, with a part of its rows active."""
    rng, device = np.random.default_rng(0), make_device(name)
    config = CrossbarConfig(device=device)
    weights = rng.normal(size=(256, 256))
    matrix = CrossbarMatrix("test", weights, None, config, hold_s=0.256, per_spike=1.0, rng=rng)
    matrix.calibrate((rng.random((20, 256)) < active).astype(float))
    ledger = Ledger()
    matrix.read((rng.random(256) < active).astype(float), ledger.counts)
    return cost_of(device).estimate(ledger.total(), 1e-3)


@pytest.mark.parametrize(
    ("name", "joules"), [("pcm", 12.5e-9), ("pcm-hermes", 12.5e-9), ("neurram", 1.507e-9)]
)
@pytest.mark.parametrize("active", [1.0, 0.05])
def test_a_chip_spends_on_a_product_what_it_does_whatever_the_input(name, joules, active):
    cost = _cost_of_a_spiking_product(name, active)
    assert cost.energy_chip_j == pytest.approx(joules, rel=1e-3, abs=0.0)


@pytest.mark.parametrize("name", ["pcm", "pcm-hermes"])
def test_a_product_as_read_is_the_measured_core_within_the_known_factor(name):
    cost = _cost_of_a_spiking_product(name, 1.0)
    assert 5 < cost.energy_chip_j / cost.total_j < 20


@pytest.mark.parametrize("name", ["neurram", "reram-gong2018", "reram-hfo2"])
@pytest.mark.parametrize("active", [1.0, 0.05])
def test_a_product_as_read_is_the_measured_reram_chip_within_a_factor_of_four(name, active):
    """A factor of 2 is open in the source; its chip senses voltages, while these cells are read like PCM."""
    cost = _cost_of_a_spiking_product(name, active)
    assert 0.25 < cost.energy_chip_j / cost.total_j < 4


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


def test_latency_adds_reads_conversions_digital_work_verification_and_writes():
    counts = OpCounts(
        serial_tile_reads=2,
        serial_conversions=17,
        serial_decisions=17 * 8,
        busiest_core_learning_updates=70,
        serial_verify_reads=5,
        rows_programmed=3,
        rows_reset=2,
    )
    latency_s = 2 * 100e-9 + 17 / 1.28e9 + 17 * 2e-9 + 70 * 1e-9
    latency_s += 5 * (100e-9 + 1 / 1.28e9) + 3 * (150e-9 + 50e-9) + 2 * (40e-9 + 50e-9)
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


def test_neurons_may_be_analog_and_power_static_with_figures_of_ones_own():
    analog = {"neuron_updates": 0.0, "spikes": 22e-12, "dt_s": 1e-3}
    cost = CrossbarBackend(CrossbarConfig(figures=analog)).cost_model.estimate(
        OpCounts(neuron_updates=1000.0, spikes=10.0), 1e-3
    )
    assert cost.energy_j["neurons"] == pytest.approx(10 * 22e-12, rel=1e-9, abs=0.0)
    assert cost.energy_j["static"] == pytest.approx(1e-6, rel=1e-9, abs=0.0)
    usual = PCM_COST.estimate(OpCounts(spikes=10.0), 1e-3)
    assert usual.total_j == 0.0


def test_cells_are_read_at_the_voltage_and_for_the_time_of_their_device():
    counts = OpCounts(read_conductance_siemens=1e-6, serial_tile_reads=1)
    srtio3 = cost_of(make_device("nb-srtio3")).estimate(counts, 1e-3)
    assert srtio3.energy_j["cell_read"] == pytest.approx(0.1**2 * 1e-6 * 100e-9, rel=1e-9, abs=0.0)
    slow = cost_of(replace(make_device("pcm"), read_time_s=250e-9)).estimate(counts, 1e-3)
    assert slow.latency_s == pytest.approx(250e-9, rel=1e-9, abs=0.0)
    assert slow.energy_j["cell_read"] == pytest.approx(0.2**2 * 1e-6 * 250e-9, rel=1e-9, abs=0.0)


def test_connections_of_another_technology_are_named_as_charged_like_the_rest():
    def name(overrides):
        return CrossbarBackend(CrossbarConfig(overrides=overrides)).cost_model.name

    assert name({"osc.*": {"tile_rows": 64}, "a": {"device": "pcm-hermes"}}) == PCM_COST.name
    assert name({"a": {"device": "reram-hfo2"}}) == f"{PCM_COST.name}; a charged like the rest"
    assert name({"a": {"learning": "sign"}}).endswith("a charged like the rest")


def test_a_chip_figure_is_compared_with_the_terms_that_are_for_the_same():
    assert (
        PCM_COST.chip_terms == RERAM_COST.chip_terms == ("cell_read", "row_driver", "dac", "adc", "digital")
    )
    assert cost_of(make_device("nb-srtio3")).chip_terms == ()


def test_every_figure_names_its_source():
    assert all(line.figure.source for line in PCM_COST.ledger(OpCounts(), 1e-3))
    assert "no learning" in PCM_COST.chip_scope
