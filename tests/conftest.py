"""For all tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import nengo
import pytest

# Nengo keeps solved decoders in the user's cache folder, behind a lock: tests that run side by side would
# wait for one another, and leave files behind.
nengo.rc.set("decoder_cache", "enabled", "False")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty folder whose path leaves room for a Unix socket's name, however deep the others lie."""
    with tempfile.TemporaryDirectory(prefix="arm-") as folder:
        yield Path(folder)
