"""Arguments of environments that are not what they should be, said in one way."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from spikearm.errors import ConfigError
from spikearm.records import FloatArray


def check_number(
    name: str, value: Any, *, zero: bool = True, least: float = 0.0, most: float = math.inf
) -> None:
    """Refuse what is no finite number of 0 or more.

    Args:
        name: Of the argument.
        value: What was given.
        zero: Whether it may be 0.
        least: Least value allowed.
        most: Greatest value allowed.

    Raises:
        ConfigError: It is not a number, or out of its range.
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    in_range = is_number and math.isfinite(value) and least <= value <= most
    if not (in_range and (zero or value > 0)):
        wanted = "a number of 0 or more" if zero else "a positive number"
        limit = (f", at least {least:g}" if least > 0 else "") + (
            f", at most {most:g}" if most < math.inf else ""
        )
        raise ConfigError(f"{name} must be {wanted}{limit}, not {value!r}.")


def check_whole(name: str, value: Any, *, least: int) -> None:
    """Refuse what is no whole number of this size or more.

    Raises:
        ConfigError: It is none.
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (is_whole and value >= least):
        raise ConfigError(f"{name} must be a whole number of {least} or more, not {value!r}.")


def floats(name: str, values: Any) -> FloatArray:
    """Numbers as an array.

    Raises:
        ConfigError: They are none (text and truth values are none), or are rows of different lengths.
    """
    try:
        given = np.asarray(values)
    except (TypeError, ValueError):
        given = np.asarray(None)
    if given.dtype.kind not in "fiu":
        raise ConfigError(f"{name} must be numbers, not {values!r}.")
    return given.astype(np.float64)


def check_choice(name: str, value: Any) -> None:
    """Refuse what is neither True nor False.

    Raises:
        ConfigError: It is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ConfigError(f"{name} must be True or False, not {value!r}.")
