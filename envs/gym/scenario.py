"""What makes one environment different from the others, and how its parts come together."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from spikearm.envs.arms import ArmSpec, load_arm
from spikearm.envs.batch.arms import ArmBatch
from spikearm.envs.batch.drives import Drive
from spikearm.envs.gym.config import EnvConfig
from spikearm.envs.gym.episodes import Episodes
from spikearm.envs.gym.tasks import JointSpaceDraw, Task
from spikearm.envs.mjcf import compile_arm
from spikearm.errors import UnknownNameError

_SHARED = tuple(f.name for f in dataclasses.fields(EnvConfig))

Own = Mapping[str, Any]
"""Arguments of one environment alone."""

OnReset = Callable[[int, np.random.Generator], None]
"""Called with an arm's number and its generator when its episode begins."""


class Scenario(ABC):
    """One kind of environment.

    Attributes:
        own: Arguments of this environment alone, with their defaults.
    """

    own: ClassVar[Own] = {}

    @abstractmethod
    def make_task(self, arm: ArmSpec, batch: ArmBatch, draw: JointSpaceDraw, own: Own) -> Task:
        """The task, given the arm, its physics and the postures near home."""

    def make_arm(self, shared: Mapping[str, Any], own: Own) -> ArmSpec:
        """The arm, given what the user said."""
        return load_arm(shared.get("arm", EnvConfig.arm))

    def defaults(self, arm: ArmSpec) -> Mapping[str, Any]:
        """Shared arguments whose default is another here."""
        return {}

    def default_range(self, arm: ArmSpec) -> Mapping[str, Any]:
        """What is drawn for each episode unless the user gives another range for it, or a value."""
        return {}

    def make_physics(
        self, arm: ArmSpec, config: EnvConfig, n_arms: int, n_threads: int, own: Own
    ) -> tuple[ArmBatch, OnReset | None]:
        """The physics of some arms, and what begins an episode besides the usual."""
        compiled = compile_arm(arm.path, ee_site=arm.ee_site, extend=make_drive(arm, config).extend)
        batch = ArmBatch(
            compiled,
            n_arms,
            control_dt_s=config.control_dt_s,
            physics_dt_s=config.physics_dt_s,
            n_threads=n_threads,
        )
        return batch, None


def make_drive(arm: ArmSpec, config: EnvConfig) -> Drive:
    """The drives that an action mode needs."""
    return Drive(arm.home, config.action_mode != "torque", config.gravity_compensation)


def make_episodes(
    scenario: Scenario, n_arms: int, n_threads: int, *, goal: bool, arguments: Mapping[str, Any]
) -> Episodes:
    """Everything behind an environment.

    Args:
        scenario: The environment.
        n_arms: How many arms at once.
        n_threads: Threads that share their physics.
        goal: Whether it is a goal environment, whose reward is sparse unless said otherwise.
        arguments: What the user gave.

    Raises:
        UnknownNameError: There is no such argument, arm, or name in one.
        SpikearmError: An argument is out of its range, or the arm cannot be used.
    """
    own, shared = _split(scenario, arguments)
    arm = scenario.make_arm(shared, own)
    defaults = {"reward_type": "sparse"} if goal else {}
    config = EnvConfig(**{**defaults, **scenario.defaults(arm), **shared})
    config = _with_range(config, scenario.default_range(arm))
    batch, on_reset = scenario.make_physics(arm, config, n_arms, n_threads, own)
    return Episodes(arm, config, batch, lambda b, draw: scenario.make_task(arm, b, draw, own), on_reset)


def _with_range(config: EnvConfig, default: Mapping[str, Any]) -> EnvConfig:
    """The default range where neither a value nor a range was given."""
    more = {name: pair for name, pair in default.items() if name not in (config.perturbation or {})}
    if not more:
        return config
    return dataclasses.replace(config, perturbation_range={**more, **(config.perturbation_range or {})})


def _split(scenario: Scenario, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the scenario, with defaults, and those all environments share."""
    for name in arguments:
        if name not in _SHARED and name not in scenario.own:
            raise UnknownNameError("argument", name, (*_SHARED, *scenario.own))
    own = {name: arguments.get(name, default) for name, default in scenario.own.items()}
    return own, {name: value for name, value in arguments.items() if name in _SHARED}
