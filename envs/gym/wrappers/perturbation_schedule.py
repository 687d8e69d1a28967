"""The same faults at the same times in every episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from spikearm.envs.gym.episodes import Episodes
from spikearm.envs.gym.options import parse_faults
from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.errors import ConfigError


class PerturbationSchedule(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Perturbs the arm in the course of each episode; faults given to ``reset`` come on top.

    It is for single environments that are made already. Whoever makes one, or a native vector environment,
    which no such wrapper fits around, gives it the argument ``faults``.

    Args:
        env: An environment of this package, with other wrappers around it or without.
        faults: Pairs of a time since the episode began [s] and settings of
            :class:`~spikearm.envs.perturbation.Perturbation` by name: ``[(0.5, {"payload_kg": 0.9})]``. Each
            changes what the one before left.

    Raises:
        ConfigError: A fault is no such pair or does not fit the arm, or the environment is another.
        UnknownNameError: There is no such perturbation.
        TimeStepError: A sensor's delay is not a whole number of control steps.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], faults: Sequence[tuple[float, Mapping[str, Any]]]
    ) -> None:
        parse_faults(faults, NO_PERTURBATION)
        try:
            episodes: Episodes = env.get_wrapper_attr("episodes")
        except AttributeError as error:
            raise ConfigError(f"PerturbationSchedule wraps environments of spikearm, not {env!r}.") from error
        episodes.check({"faults": faults})
        RecordConstructorArgs.__init__(self, faults=[(t, dict(settings)) for t, settings in faults])
        gymnasium.Wrapper.__init__(self, env)
        self._faults = tuple((float(t), dict(settings)) for t, settings in faults)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Raises:
            SpikearmError: An option is unknown or out of its range.
        """
        if not isinstance(options, Mapping | None):
            raise ConfigError(f"options of reset must be a dictionary, not {options!r}.")
        given = dict(options or {})
        more = () if given.get("faults") is None else given["faults"]
        parse_faults(more, NO_PERTURBATION)
        given["faults"] = [*self._faults, *more]
        return self.env.reset(seed=seed, options=given)
