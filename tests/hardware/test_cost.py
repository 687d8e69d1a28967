from __future__ import annotations

import pytest

from spikearm.hardware.cost import Figure, TableCost
from spikearm.hardware.crossbar.cost import PCM_COST, RERAM_COST
from spikearm.hardware.host_cost import HOST_COST
from spikearm.hardware.loihi.cost import LOIHI_COST
from spikearm.records import COUNT_NAMES, OpCounts

TABLES = [HOST_COST, LOIHI_COST]
COUNTS = OpCounts(**{name: float(i + 1) for i, name in enumerate(COUNT_NAMES)})


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_an_estimate_has_every_term(table):
    assert tuple(table.estimate(OpCounts(), 0.001).energy_j) == table.terms
    assert all(joules > 0 for joules in table.estimate(COUNTS, 0.001).energy_j.values())


def test_loihi_figures_are_the_published_ones():
    """Davies et al. 2018, Table 2: energies, one operation at a time."""
    published_j = {
        "synaptic_ops": 23.6e-12,
        "neuron_updates": 52e-12,
        "neuron_updates_active": 81e-12 - 52e-12,
        "learning_updates": 120e-12,
        "spike_messages": 1.7e-12,
        "hops_east_west": 3.0e-12,
        "hops_north_south": 4.0e-12,
    }
    for name, joules in published_j.items():
        assert LOIHI_COST.estimate(OpCounts(**{name: 1.0}), 0.0).total_j == pytest.approx(
            joules, rel=1e-9, abs=0.0
        )
    assert LOIHI_COST.estimate(COUNTS, 0.001).energy_chip_j == pytest.approx(0.121e-3)


def test_host_figures_are_the_published_ones():
    """Degnan et al. 2015: 8.6 nJ per synapse and per neuron, each step; DeWolf et al. 2020: 0.554 W."""
    for name in ("synaptic_ops_dense", "neuron_updates", "learning_updates", "host_macs"):
        assert HOST_COST.estimate(OpCounts(**{name: 1.0}), 0.0).total_j == pytest.approx(8.6e-9)
    assert HOST_COST.estimate(COUNTS, 0.001).energy_chip_j == pytest.approx(0.554e-3)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_cost_is_additive_over_steps(table):
    once, twice = table.estimate(COUNTS, 0.001), table.estimate(COUNTS + COUNTS, 0.002)
    both = once + once
    assert both.energy_j == pytest.approx(twice.energy_j)
    assert both.latency_s == pytest.approx(twice.latency_s)
    assert both.energy_chip_j == pytest.approx(twice.energy_chip_j)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_ledger_sums_to_the_estimate(table):
    lines = table.ledger(COUNTS, 0.001)
    estimate = table.estimate(COUNTS, 0.001)
    for term in table.terms:
        joules = sum(line.joules for line in lines if (line.tier, line.term) == ("bottom-up", term))
        assert joules == pytest.approx(estimate.energy_j[term], rel=1e-9, abs=0.0)
    chip = sum(line.joules for line in lines if line.tier == "chip-anchored")
    assert chip == pytest.approx(estimate.energy_chip_j)
    for line in lines:
        assert line.joules == line.n * line.figure.amount


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_figure_has_a_source_and_the_chip_tier_a_scope(table):
    for line in table.ledger(COUNTS, 0.001):
        assert len(line.figure.source) > 10
    for figure in table.latency:
        assert len(figure.source) > 10
    assert table.chip_scope


def test_a_host_pays_for_every_synapse_and_a_chip_for_spikes():
    silent = OpCounts(synaptic_ops=0.0, synaptic_ops_dense=1000.0)
    assert HOST_COST.estimate(silent, 0.001).energy_j["synapses"] == pytest.approx(8.6e-6)
    assert LOIHI_COST.estimate(silent, 0.001).energy_j["synapses"] == 0.0


def test_active_and_inactive_neurons_cost_what_is_published():
    counts = OpCounts(neuron_updates=10.0, neuron_updates_active=4.0)
    assert LOIHI_COST.estimate(counts, 0.001).energy_j["neurons"] == pytest.approx(4 * 81e-12 + 6 * 52e-12)


@pytest.mark.parametrize("table", [*TABLES, PCM_COST, RERAM_COST], ids=lambda table: table.name)
def test_what_is_left_to_the_host_is_a_term_of_its_own_at_the_cpus_figure(table):
    nothing, cost = (table.estimate(OpCounts(host_macs=n), 0.001) for n in (0.0, 84.0))
    assert cost.energy_j["host"] == pytest.approx(84 * 8.6e-9)
    assert cost.total_j - nothing.total_j == pytest.approx(84 * 8.6e-9)
    assert cost.energy_chip_j == nothing.energy_chip_j


@pytest.mark.parametrize("table", [LOIHI_COST, PCM_COST, RERAM_COST], ids=lambda table: table.name)
def test_the_host_is_not_of_the_scope_of_a_chips_figure(table):
    assert "host" not in table.chip_terms
    assert table.chip_terms


def test_chip_tiers_are_power_times_time():
    assert LOIHI_COST.estimate(OpCounts(), 2.0).energy_chip_j == pytest.approx(2 * 0.121)
    assert HOST_COST.estimate(OpCounts(), 2.0).energy_chip_j == pytest.approx(2 * 0.554)


def test_no_latency_is_modelled_for_the_host():
    assert HOST_COST.latency == ()
    assert HOST_COST.estimate(COUNTS, 0.001).latency_s == 0.0


def test_a_loihi_step_of_1000_neurons_costs_about_a_third_of_a_microjoule():
    # The estimate of the same size in the literature of this method: 0.35 uJ per 1 ms step.
    counts = OpCounts(synaptic_ops=10_000.0, neuron_updates=1014.0, neuron_updates_active=1000.0)
    assert LOIHI_COST.estimate(counts, 0.001).total_j == pytest.approx(0.35e-6, rel=0.15)


def test_a_figure_of_an_unknown_count_is_refused():
    with pytest.raises(ValueError, match="'spiks', which is no field of OpCounts"):
        Figure("spiks", 1.0, "nowhere")


def test_a_table_without_a_measured_chip_gives_none():
    table = TableCost("x", energy={"a": (Figure("spikes", 1.0, "test"),)}, latency=())
    assert table.estimate(COUNTS, 0.001).energy_chip_j is None
    assert [line.tier for line in table.ledger(COUNTS, 0.001)] == ["bottom-up"]
