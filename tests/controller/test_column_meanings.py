from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from spikearm.controller.column_meanings import meaning, table
from spikearm.controller.tickschema import Column, TickSchema

DOCS = Path(__file__).parents[2] / "docs"
FULL = TickSchema(3, ("synapses",), has_energy_chip=True, has_energy_measured=True)


@pytest.mark.parametrize("column", FULL.columns, ids=lambda column: column.name)
def test_every_column_has_a_meaning(column):
    assert len(meaning(column)) > 10


def test_undocumented_column_is_an_error():
    with pytest.raises(KeyError, match="nobody_knows"):
        meaning(Column("nobody_knows"))


def test_joints_share_a_row():
    rows = table(FULL).splitlines()
    assert sum("`q_*_rad`" in row for row in rows) == 1
    assert not any("q_0_rad" in row for row in rows)


def test_page_about_the_log_has_the_columns_of_today():
    spec = importlib.util.spec_from_file_location("columns", DOCS / "columns.py")
    columns = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(columns)
    text = columns.PAGE.read_text()
    assert columns.with_columns(text) == text, "run `python docs/columns.py`"
