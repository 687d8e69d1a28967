from __future__ import annotations

import io

import pytest
from rich.console import Console

from spikearm.hardware.utilisation import Part, Use, Utilisation
from spikearm.launch.utilisation_table import show_utilisation


@pytest.fixture
def lines():
    """What is shown of some cores on a terminal of 80 columns."""

    def show(n_parts, label="<Ensemble 'adaptive, with a long name'>[0:1024]"):
        resources = {
            "compartments": Use(256, 1024),
            "input axons": Use(4096, 4096),
            "output axons": Use(0, 4096),
            "synapse memory bits": Use(1050, 1_048_576),
        }
        document = Utilisation("cores", 128, (Part(label, resources),) * n_parts).document()
        console = Console(file=io.StringIO(), width=80, markup=False)
        show_utilisation(document, terminal=console)
        return console.file.getvalue().splitlines()

    return show


def test_table_shows_the_share_of_each_resource_of_a_core(lines):
    assert lines(1, label="a")[-1].split() == ["0", "a", "25.0%", "100.0%", "0.0%", "0.1%"]


def test_table_of_a_full_chip_is_cut(lines):
    assert [line.split()[0] for line in lines(12)[-12:]] == [str(i) for i in range(12)]
    assert lines(128)[-1] == "...and 116 more, in utilisation.json"
    assert len(lines(128)) == len(lines(12)) + 1


def test_table_fits_a_narrow_terminal(lines):
    shown = lines(2)
    assert max(len(line.rstrip()) for line in shown) <= 80
    assert "memory" in "".join(shown)
    assert shown[-1].startswith("   1  <Ensemble")
