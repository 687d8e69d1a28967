from __future__ import annotations

import inspect

import pytest

from spikearm import errors
from spikearm.errors import SpikearmError, UnknownNameError

ERRORS = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, Exception) and cls is not SpikearmError
]


@pytest.mark.parametrize("error", ERRORS)
def test_error_has_our_base_and_a_built_in_one(error):
    assert issubclass(error, SpikearmError)
    assert issubclass(error, ValueError | RuntimeError | OSError)


@pytest.mark.parametrize("error", ERRORS)
def test_error_is_explained(error):
    assert error.__doc__


def test_unknown_name_lists_what_is_known_and_suggests_the_nearest():
    assert str(UnknownNameError("arm", "iiwa", ["planar2", "iiwa14"])) == (
        "no arm named 'iiwa'. Known: 'iiwa14', 'planar2'. Did you mean 'iiwa14'?"
    )


def test_unknown_name_far_from_all_gets_no_suggestion():
    assert str(UnknownNameError("arm", "xyz", ["iiwa14"])) == "no arm named 'xyz'. Known: 'iiwa14'."


def test_unknown_name_of_an_empty_table_says_so():
    assert str(UnknownNameError("configuration", "a", [])) == "no configuration named 'a'. Known: none."
