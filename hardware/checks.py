"""Checks of settings: what is not the kind of number it must be is refused, by name, with what is allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from spikearm.errors import ConfigError


def is_number(value: Any) -> bool:
    """Whether a setting is a finite real number; ``True`` and ``False`` are not."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def require_whole(name: str, value: Any, low: int, high: int) -> None:
    """Refuse what is not a whole number from ``low`` to ``high``.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {value!r}.")


def require_positive(name: str, value: Any) -> None:
    """Refuse what is not a positive number.

    Raises:
        ConfigError: It is not.
    """
    if not (is_number(value) and value > 0):
        raise ConfigError(f"{name} must be a positive number, not {value!r}.")


def require_not_negative(name: str, value: Any, unit: str = "") -> None:
    """Refuse what is not 0 or a positive number (of ``unit``, if it has one).

    Raises:
        ConfigError: It is not.
    """
    if not (is_number(value) and value >= 0):
        of = f" of {unit}" if unit else ""
        raise ConfigError(f"{name} must be 0 or a positive number{of}, not {value!r}.")


def require_within(name: str, value: Any, low: float, high: float) -> None:
    """Refuse what is not a number from ``low`` to ``high``.

    Raises:
        ConfigError: It is not.
    """
    if not (is_number(value) and low <= value <= high):
        raise ConfigError(f"{name} must lie in [{low:g}, {high:g}], not {value!r}.")


def require_numbers(name: str, values: Any, least: int, most: int) -> None:
    """Refuse what is not a sequence of ``least`` to ``most`` numbers.

    Raises:
        ConfigError: It is not.
    """
    several = isinstance(values, Sequence) and not isinstance(values, str)
    if not (several and least <= len(values) <= most and all(map(is_number, values))):
        how_many = f"{least}" if least == most else f"{least} to {most}"
        raise ConfigError(f"{name} must be {how_many} numbers, not {values!r}.")
