"""Writes the table of columns in ``docs/logs.md``: ``python docs/columns.py``."""

from __future__ import annotations

from pathlib import Path

from spikearm.controller.column_meanings import table
from spikearm.controller.tickschema import TickSchema

PAGE = Path(__file__).parent / "logs.md"
BEGIN, END = "<!-- columns -->\n", "<!-- end of columns -->"


def with_columns(text: str) -> str:
    """The page with the table of a schema that has every kind of column."""
    schema = TickSchema(7, ("synapses", "neurons"), has_energy_chip=True, has_energy_measured=True)
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{table(schema)}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_columns(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
