"""What ``reset`` can be told about the episode that begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikearm.envs.perturbation import Perturbation
from spikearm.envs.perturbation_range import FIELDS
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.records import FloatArray

KNOWN = ("start", "target", "payload_kg", "perturbation", "faults")


@dataclass(frozen=True)
class Fault:
    """A change of the arm in the middle of an episode.

    Attributes:
        time_s: When, since the episode began [s].
        perturbation: What differs from the nominal arm from then on.
    """

    time_s: float
    perturbation: Perturbation


@dataclass(frozen=True)
class ResetOptions:
    """Options of one episode; None leaves a thing to chance.

    Attributes:
        start: Joint angles to start from [rad], shape (n_joints,).
        target: Target, as the task understands it.
        perturbation: What differs from the nominal arm.
        faults: Changes during the episode, in order of time.
    """

    start: FloatArray | None = None
    target: Any = None
    perturbation: Perturbation | None = None
    faults: tuple[Fault, ...] = ()


def parse_options(
    options: Mapping[str, Any] | None, drawn: Perturbation, joint_ranges: FloatArray
) -> ResetOptions:
    """Check the options of ``reset``.

    Args:
        options: ``start``, ``target``, ``payload_kg``, ``perturbation`` (settings by name) and ``faults``
            (pairs of a time [s] and settings by name); any of them.
        drawn: The episode's perturbation as chance has it; settings given replace single values of it.
        joint_ranges: Lowest and highest angle [rad], shape (n_joints, 2).

    Raises:
        UnknownNameError: There is no such option or perturbation.
        ConfigError: A value has the wrong shape, is not finite, or is out of its range.
    """
    if not options:
        return ResetOptions(perturbation=drawn)
    for name in options:
        if name not in KNOWN:
            raise UnknownNameError("option of reset", str(name), KNOWN)
    settings = dict(options.get("perturbation") or {})
    if "payload_kg" in options:
        settings["payload_kg"] = options["payload_kg"]
    perturbation = _changed(drawn, settings)
    start = options.get("start")
    return ResetOptions(
        start=None if start is None else _start(start, joint_ranges),
        target=options.get("target"),
        perturbation=perturbation,
        faults=parse_faults(options.get("faults") or (), perturbation),
    )


def parse_faults(faults: Any, before: Perturbation) -> tuple[Fault, ...]:
    """Faults in order of time; each changes what the one before left.

    Raises:
        ConfigError: A fault is no pair of a time and settings, or its time is not 0 or more.
        UnknownNameError: There is no such perturbation.
    """
    parsed: list[Fault] = []
    for entry in faults:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or not isinstance(entry[1], Mapping):
            raise ConfigError(
                f"a fault is a pair of a time [s] and settings, (0.5, {{'payload_kg': 1.0}}); got {entry!r}."
            )
        if not (isinstance(entry[0], (int, float)) and np.isfinite(entry[0]) and entry[0] >= 0):
            raise ConfigError(f"time of a fault must be 0 s or later, not {entry[0]!r}.")
    for time_s, settings in sorted(faults, key=lambda fault: float(fault[0])):
        before = _changed(before, settings)
        parsed.append(Fault(float(time_s), before))
    return tuple(parsed)


def _changed(perturbation: Perturbation, settings: Mapping[str, Any]) -> Perturbation:
    for name in settings:
        if name not in FIELDS:
            raise UnknownNameError("perturbation", str(name), FIELDS)
    return dataclasses.replace(perturbation, **settings) if settings else perturbation


def _start(start: Any, ranges: FloatArray) -> FloatArray:
    try:
        q = np.asarray(start, dtype=np.float64)
    except (TypeError, ValueError):
        q = np.full(0, np.nan)
    if q.shape != (len(ranges),) or not np.isfinite(q).all():
        raise ConfigError(f"start must be {len(ranges)} finite joint angles [rad], not {start!r}.")
    outside = (q < ranges[:, 0]) | (q > ranges[:, 1])
    if outside.any():
        j = int(np.argmax(outside))
        low, high = ranges[j]
        raise ConfigError(f"start of joint {j} is {q[j]:g} rad, its range is {low:g} to {high:g} rad.")
    return q
