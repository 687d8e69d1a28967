"""The backends by name. A substrate's library is imported only when that substrate is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spikearm.errors import UnknownNameError
from spikearm.hardware.backend import Backend


def _reference(**options: Any) -> Backend:
    from spikearm.hardware.reference import ReferenceBackend

    return ReferenceBackend(**options)


def _loihi(**options: Any) -> Backend:
    from spikearm.hardware.loihi.backend import LoihiBackend

    return LoihiBackend(**options)


def _crossbar(**options: Any) -> Backend:
    from spikearm.hardware.crossbar.backend import CrossbarBackend

    return CrossbarBackend(**options)


BACKENDS: dict[str, Callable[..., Backend]] = {
    "reference": _reference,
    "loihi": _loihi,
    "crossbar": _crossbar,
}
"""What makes each backend; options are those of its class."""


def make_backend(name: str, **options: Any) -> Backend:
    """The backend of this name.

    Args:
        name: A key of :data:`BACKENDS`.
        options: Passed on to the backend's class.

    Raises:
        UnknownNameError: There is no such backend; the message lists those there are.
    """
    if name not in BACKENDS:
        raise UnknownNameError("backend", name, BACKENDS)
    return BACKENDS[name](**options)
