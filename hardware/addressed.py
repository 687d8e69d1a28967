"""Numbers by their address, for kernels that go over many arrays in one call.

A call that is given arrays spends half a microsecond on each of them before it begins; given one table of
addresses, it does not. Whoever makes such a table holds on to its arrays, or the kernel reads what is no
longer there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from spikearm.compiled import kernel
from spikearm.records import FloatArray


@intrinsic
def _pointer(_typing_context: Any, _address: Any) -> Any:
    """An address as a pointer."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


@kernel
def vector_at(address: int, n: int) -> FloatArray:
    """The ``n`` numbers at an address, one after another."""
    return carray(_pointer(address), n, np.float64)  # type: ignore[no-any-return]


@kernel
def integer_at(address: int) -> NDArray[np.int64]:
    """The integer at an address, shape (1,)."""
    return carray(_pointer(address), 1, np.int64)  # type: ignore[no-any-return]
