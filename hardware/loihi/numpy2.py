"""nengo-loihi 1.1 on NumPy 2 and nengo 4.

nengo-loihi was released in January 2022. It calls ``np.array(..., copy=False)`` in the sense of
NumPy 1, "copy only if needed", which NumPy 2 refuses with a ValueError and calls ``np.asarray``; and it
reads files of event cameras with ``np.fromstring``, which NumPy 2 keeps for text. The modules concerned
get a stand-in for ``np`` in which the old meaning holds; NumPy itself is left alone.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np

_MODULES = ("nengo_loihi.block", "nengo_loihi.dvs", "nengo_loihi.neurons")


class NumPy1Array:
    """NumPy, except that ``array(copy=False)`` and ``fromstring`` mean what they meant in NumPy 1."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def array(*args: Any, copy: bool | None = True, **kwargs: Any) -> Any:
        """``np.array`` of NumPy 1."""
        return np.array(*args, copy=copy or None, **kwargs)

    @staticmethod
    def fromstring(data: bytes, dtype: Any) -> Any:
        """``np.fromstring`` of NumPy 1 on bytes: an array of its own, unlike that of ``np.frombuffer``."""
        return np.frombuffer(data, dtype).copy()


def install() -> None:
    """Import nengo-loihi, without its warning that nengo 4 is untested, and mend it; idempotent."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="This version of `nengo_loihi` has not been tested", category=UserWarning
        )
        modules = [importlib.import_module(name) for name in _MODULES]
    for module in modules:
        if not isinstance(module.np, NumPy1Array):
            vars(module)["np"] = NumPy1Array()
