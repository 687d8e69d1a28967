from __future__ import annotations

import nengo
import pytest


@pytest.fixture(autouse=True, scope="session")
def _no_decoder_cache():
    """Nengo's cache of decoders leaves lock files open, and its folder may be read-only."""
    enabled = nengo.rc["decoder_cache"]["enabled"]
    nengo.rc["decoder_cache"]["enabled"] = "False"
    yield
    nengo.rc["decoder_cache"]["enabled"] = enabled
