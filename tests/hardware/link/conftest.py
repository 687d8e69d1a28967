"""A robot and its client on one virtual clock: no sockets, no sleeping, no luck."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from rig import Rig


@pytest.fixture
def rig():
    """Makes rigs; see :class:`rig.Rig`."""
    made = []

    def make(**options):
        made.append(Rig(**options))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def sessions():
    """Numbers of sessions that a test can foresee."""
    numbers = itertools.count(1001)
    return lambda: next(numbers)
