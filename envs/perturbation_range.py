"""Perturbations drawn anew for each episode, from a range per setting."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.errors import ConfigError, UnknownNameError

FIELDS = tuple(field.name for field in dataclasses.fields(Perturbation))


def perturbation_of(settings: Mapping[str, Any] | None) -> Perturbation:
    """A perturbation from its settings by name, as JSON and keyword arguments give them.

    Raises:
        UnknownNameError: There is no such setting.
        ConfigError: A value does not fit its setting.
    """
    _check_names(settings or {})
    return Perturbation(**(settings or {}))


@dataclass(frozen=True)
class PerturbationRange:
    """Everything between two perturbations, each number uniformly and independently.

    Attributes:
        low: Least values.
        high: Greatest values.
    """

    low: Perturbation = NO_PERTURBATION
    high: Perturbation = NO_PERTURBATION

    def __post_init__(self) -> None:
        for name in FIELDS:
            low, high = (np.asarray(getattr(side, name)) for side in (self.low, self.high))
            if low.shape != high.shape or (low > high).any():
                raise ConfigError(
                    f"range of {name} goes from {low.tolist()} to {high.tolist()}; give [low, high] of "
                    "the same shape, with low no greater than high."
                )

    @classmethod
    def of(cls, base: Perturbation, ranges: Mapping[str, Any] | None) -> PerturbationRange:
        """Ranges by name, ``{"payload_kg": [0.0, 0.9]}``, about what always holds.

        Raises:
            UnknownNameError: There is no such setting.
            ConfigError: A range is no pair, its ends do not fit the setting, or it has a value already.
        """
        _check_names(ranges or {})
        for name, pair in (ranges or {}).items():
            if getattr(base, name) != getattr(NO_PERTURBATION, name):
                raise ConfigError(
                    f"{name} has a value in perturbation and a range in perturbation_range; give one of them."
                )
            is_row = isinstance(pair, (list, tuple)) or (isinstance(pair, np.ndarray) and pair.ndim > 0)
            if not is_row or len(pair) != 2:
                raise ConfigError(f"range of {name} must be a pair [low, high], not {pair!r}.")
        low, high = (
            dataclasses.replace(base, **{name: pair[side] for name, pair in (ranges or {}).items()})
            for side in (0, 1)
        )
        return cls(low, high)

    def draw(self, rng: np.random.Generator, *, delay_step_s: float) -> Perturbation:
        """One perturbation; settings without a range take no random number.

        Args:
            rng: Source of randomness.
            delay_step_s: A drawn delay is a whole number of these [s], each as likely.
        """
        drawn: dict[str, Any] = {}
        for name in FIELDS:
            low, high = getattr(self.low, name), getattr(self.high, name)
            if low == high:
                continue
            if name == "delay_s":
                ends = round(low / delay_step_s), round(high / delay_step_s)
                drawn[name] = float(rng.integers(*ends, endpoint=True) * delay_step_s)
            else:
                drawn[name] = (
                    rng.uniform(low, high).tolist() if np.ndim(low) else float(rng.uniform(low, high))
                )
        return dataclasses.replace(self.low, **drawn) if drawn else self.low


def _check_names(settings: Mapping[str, Any]) -> None:
    if not isinstance(settings, Mapping):
        raise ConfigError(f"perturbation must be a dictionary of settings by name, not {settings!r}.")
    for name in settings:
        if name not in FIELDS:
            raise UnknownNameError("perturbation", str(name), FIELDS)
