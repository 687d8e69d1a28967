from __future__ import annotations

import dataclasses
import operator

import numpy as np
import pytest

from spikearm.records import COUNT_NAMES, NO_COST, NO_COUNTS, Cost, JointState, OpCounts


def some_counts(seed: int) -> OpCounts:
    return OpCounts(*map(float, np.random.default_rng(seed).integers(0, 1000, len(COUNT_NAMES))))


def test_count_names_are_the_fields_in_order():
    assert tuple(NO_COUNTS._asdict()) == COUNT_NAMES


def test_counts_add_field_by_field():
    a, b = some_counts(1), some_counts(2)
    total = a + b
    for name in COUNT_NAMES:
        assert getattr(total, name) == getattr(a, name) + getattr(b, name)


def test_counts_are_only_added_to_all_of_them():
    with pytest.raises(ValueError, match="zip"):
        operator.add(some_counts(1), (1.0, 2.0))


def test_no_counts_are_neutral():
    assert some_counts(3) + NO_COUNTS == some_counts(3)


def test_costs_add_term_by_term():
    total = Cost(1e-3, {"a": 1.0, "b": 2.0}) + Cost(2e-3, {"b": 3.0, "c": 4.0})
    assert total.latency_s == pytest.approx(3e-3)
    assert total.energy_j == {"a": 1.0, "b": 5.0, "c": 4.0}
    assert total.total_j == 10.0


def test_adding_costs_changes_neither():
    a, b = Cost(1e-3, {"a": 1.0}), Cost(1e-3, {"a": 2.0})
    a + b
    assert (a.energy_j, b.energy_j) == ({"a": 1.0}, {"a": 2.0})


def test_chip_energy_stays_apart_from_the_terms():
    total = Cost(0.0, {"a": 1.0}, 5.0) + Cost(0.0, {"a": 1.0}, 6.0)
    assert (total.total_j, total.energy_chip_j) == (2.0, 11.0)


def test_unknown_chip_energy_is_not_zero():
    assert (Cost() + Cost()).energy_chip_j is None
    assert (Cost(energy_chip_j=2.0) + NO_COST).energy_chip_j == 2.0


def test_records_are_frozen():
    state = JointState(np.zeros(2), np.zeros(2), 0.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.t_s = 1.0
