"""What ``reset`` can be told about the episode that begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spikearm.envs.gym.checks import check_number, floats
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
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
    """Options of one episode, checked; None, or nothing, leaves a thing to chance.

    Attributes:
        start: Joint angles to start from [rad], shape (n_joints,).
        target: Target, as the task understands it.
        settings: Values of the perturbation by name; they replace single values of what is drawn.
        faults: Pairs of a time [s] and settings, each of which changes what the one before left.
    """

    start: FloatArray | None = None
    target: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    faults: Sequence[tuple[float, Mapping[str, Any]]] = ()


def parse_options(options: Mapping[str, Any] | None, joint_ranges: FloatArray) -> ResetOptions:
    """Check the options of ``reset``, the target excepted.

    Args:
        options: ``start``, ``target``, ``payload_kg``, ``perturbation`` (settings by name) and ``faults``
            (pairs of a time [s] and settings by name); any of them.
        joint_ranges: Lowest and highest angle [rad], shape (n_joints, 2).

    Raises:
        UnknownNameError: There is no such option or perturbation.
        ConfigError: A value has the wrong shape, is not finite, or is out of its range.
    """
    if options is not None and not isinstance(options, Mapping):
        raise ConfigError(f"options of reset must be a dictionary, not {options!r}.")
    given = options or {}
    for name in given:
        if name not in KNOWN:
            raise UnknownNameError("option of reset", str(name), KNOWN)
    settings = dict(_mapping("perturbation", given.get("perturbation")))
    if "payload_kg" in given:
        settings["payload_kg"] = given["payload_kg"]
    changed(NO_PERTURBATION, settings)
    faults = given.get("faults")
    parse_faults(() if faults is None else faults, NO_PERTURBATION)
    start = given.get("start")
    return ResetOptions(
        start=None if start is None else _start(start, joint_ranges),
        target=given.get("target"),
        settings=settings,
        faults=faults or (),
    )


def parse_faults(faults: Any, before: Perturbation) -> tuple[Fault, ...]:
    """Faults in order of time; each changes what the one before left.

    Raises:
        ConfigError: A fault is no pair of a time and settings, or its time is not 0 or more.
        UnknownNameError: There is no such perturbation.
    """
    parsed: list[Fault] = []
    if not isinstance(faults, (list, tuple)):
        raise ConfigError(f"faults must be a list of pairs, [(0.5, {{'payload_kg': 1.0}})]; got {faults!r}.")
    for entry in faults:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or not isinstance(entry[1], Mapping):
            raise ConfigError(
                f"a fault is a pair of a time [s] and settings, (0.5, {{'payload_kg': 1.0}}); got {entry!r}."
            )
        check_number("time of a fault", entry[0])
    for time_s, settings in sorted(faults, key=lambda fault: float(fault[0])):
        before = changed(before, settings)
        parsed.append(Fault(float(time_s), before))
    return tuple(parsed)


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise ConfigError(f"{name} must be a dictionary of settings by name, not {value!r}.")
    return value or {}


def changed(perturbation: Perturbation, settings: Mapping[str, Any]) -> Perturbation:
    """A perturbation with other values of some of its settings.

    Raises:
        UnknownNameError: There is no such setting.
        ConfigError: A value does not fit its setting.
    """
    for name in settings:
        if name not in FIELDS:
            raise UnknownNameError("perturbation", str(name), FIELDS)
    return dataclasses.replace(perturbation, **settings) if settings else perturbation


def _start(start: Any, ranges: FloatArray) -> FloatArray:
    q = floats("start", start)
    if q.shape != (len(ranges),) or not np.isfinite(q).all():
        raise ConfigError(f"start must be {len(ranges)} finite joint angles [rad], not {start!r}.")
    outside = (q < ranges[:, 0]) | (q > ranges[:, 1])
    if outside.any():
        j = int(np.argmax(outside))
        low, high = ranges[j]
        raise ConfigError(f"start of joint {j} is {q[j]:g} rad, its range is {low:g} to {high:g} rad.")
    return q
