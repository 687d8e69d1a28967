from __future__ import annotations

import pytest

from spikearm.hardware.utilisation import Describes, Part, Use, Utilisation

TWO = Utilisation(
    "cores",
    128,
    (
        Part("a", {"compartments": Use(256, 1024), "input axons": Use(4096, 4096)}),
        Part("b", {"compartments": Use(512, 1024), "input axons": Use(0, 4096)}),
    ),
)


def test_the_fullest_part_counts_for_each_resource():
    assert TWO.fullest() == {"compartments": 0.5, "input axons": 1.0}


def test_one_line_tells_the_whole():
    assert TWO.line() == "2 of 128 cores; at most compartments 50%, input axons 100%"


def test_document_lists_each_part():
    document = TWO.document()
    assert (document["kind"], document["used"], document["limit"]) == ("cores", 2, 128)
    assert [part["number"] for part in document["parts"]] == [0, 1]
    assert document["parts"][1]["label"] == "b"
    assert document["parts"][1]["compartments"] == {"used": 512, "limit": 1024, "share": 0.5}


@pytest.mark.parametrize(("offers", "describes"), [({"utilisation": TWO}, True), ({}, False)])
def test_a_program_describes_itself_or_does_not(offers, describes):
    assert isinstance(type("Program", (), offers)(), Describes) == describes
