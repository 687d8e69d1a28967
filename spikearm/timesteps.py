"""Whole numbers of steps: time is explicit, and steps that make up others must divide exactly."""

from __future__ import annotations

import math

from spikearm.errors import TimeStepError


def n_steps(outer_s: float, inner_s: float, *, outer: str, inner: str) -> int:
    """How many steps of ``inner_s`` fill one of ``outer_s``, exactly.

    Args:
        outer_s: The longer step [s].
        inner_s: The shorter step [s].
        outer: What the longer step is called in an error, e.g. ``"control step"``.
        inner: What the shorter step is called in an error.

    Returns:
        The whole number of inner steps, at least 1.

    Raises:
        TimeStepError: A step is not a positive finite number, or the ratio is not a whole number.
    """
    for name, value in ((outer, outer_s), (inner, inner_s)):
        if not (math.isfinite(value) and value > 0):
            raise TimeStepError(f"{name} must be a positive number of seconds, not {value!r}; try 0.001.")
    ratio = outer_s / inner_s
    n = round(ratio)
    # 1e-6 of a step: far above the rounding of decimal fractions, far below any step meant to differ.
    if n < 1 or abs(ratio - n) > 1e-6:
        lower = max(1, math.floor(ratio)) * inner_s
        upper = (max(1, math.floor(ratio)) + 1) * inner_s
        raise TimeStepError(
            f"{outer} {outer_s:g} s is not a multiple of {inner} {inner_s:g} s; "
            f"use e.g. {lower:g} s or {upper:g} s."
        )
    return n


def ticks_in(seconds: float, dt_s: float) -> int:
    """A time [s] as the nearest number of ticks of ``dt_s`` [s], at least 1: patience need not be exact."""
    return max(1, round(seconds / dt_s))
