"""Reinforcement learning with a spiking controller in the loop: names become environments.

Importing this registers ``spikearm/ControlledReach-v0``, so that
``gymnasium.make("spikearm.launch.rl:spikearm/ControlledReach-v0", backend="loihi")`` works at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

from spikearm.controller.laws.osc import OperationalSpace
from spikearm.controller.protocols import Target
from spikearm.controller.torque import TorqueController
from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.gym.wrappers.controller_in_loop import ControllerInLoop
from spikearm.envs.gym.wrappers.energy_cost import EnergyCost
from spikearm.errors import ConfigError
from spikearm.launch.compose import make_adaptation, make_law
from spikearm.launch.config import RunConfig

CONTROLLED_REACH = "spikearm/ControlledReach-v0"
_N_WARM_UP, _N_MEASURED = 20, 100


def make_env(
    env_id: str = "spikearm/Reach-v0",
    *,
    config: RunConfig | None = None,
    backend: str | None = None,
    arm: str | None = None,
    controller: str | None = None,
    seed: int | None = None,
    step_s: float = 0.02,
    action: str = "target",
    forget: bool = False,
    energy_cost: Mapping[str, float] | None = None,
    max_episode_steps: int | None = None,
    render_mode: str | None = None,
    **arguments: Any,
) -> gymnasium.Env[Any, Any]:
    """An environment whose torque is made by a controller of this package, ticking at its own rate.

    Args:
        env_id: The environment inside.
        config: Controller, network, substrate, gains and tick of a run; None takes the defaults.
        backend: Replaces the configuration's; likewise ``arm``, ``controller`` ("adaptive" or "osc") and
            ``seed``.
        arm: A shipped arm or the path of an MJCF file.
        controller: "adaptive" or "osc".
        seed: Draws the network and the substrate's devices.
        step_s: Time between two actions of the agent [s].
        action: "target" or "gains", see
            :class:`~spikearm.envs.gym.wrappers.controller_in_loop.ControllerInLoop`.
        forget: Whether each episode starts with an untrained network.
        energy_cost: Weights for :class:`~spikearm.envs.gym.wrappers.energy_cost.EnergyCost`; None for no
            cost.
        max_episode_steps: Actions until an episode is truncated; None takes as much time as the environment
            inside has.
        render_mode: As of the environment inside.
        arguments: More arguments of the environment inside.

    Raises:
        SpikearmError: A name is not known, or a setting does not fit.
    """
    given = {"backend": backend, "arm": arm, "controller": controller, "seed": seed}
    wanted = {name: value for name, value in given.items() if value is not None}
    settings = dataclasses.replace(config or RunConfig(), **wanted)  # type: ignore[arg-type]
    if settings.controller not in ("adaptive", "osc"):
        raise ConfigError(
            f"controller {settings.controller!r} follows joint angles; choose 'adaptive' or 'osc' here."
        )
    spec = load_arm(settings.arm)
    dynamics = MujocoDynamics(spec)
    inside = gymnasium.make(
        env_id,
        max_episode_steps=-1,  # counted in ticks it would end too early
        render_mode=render_mode,
        arm=settings.arm,
        action_mode="torque",
        gravity_compensation=False,
        action_scale=dynamics.torque_limits.tolist(),
        control_dt_s=settings.control_dt_s,
        physics_dt_s=min(settings.control_dt_s, 0.001),
        **arguments,
    )
    law = make_law(settings, spec, dynamics)
    adaptation = make_adaptation(settings, spec, settings.seed)
    torque_controller = TorqueController(law, dynamics.torque_limits, adaptation=adaptation)
    env: gymnasium.Env[Any, Any] = ControllerInLoop(
        inside,
        torque_controller,
        Target,
        step_s=step_s,
        action=action,
        set_stiffness=_stiffness_of(law),
        forget=forget,
    )
    if energy_cost is not None:
        env = EnergyCost(env, energy_cost)
    return gymnasium.wrappers.TimeLimit(env, max_episode_steps or _steps_of(env_id, step_s))


def modelled_latency_s(config: RunConfig) -> float:
    """Time the configuration's substrate would take for the network of one tick, by its cost model [s].

    The network runs for 0.1 s at the arm's home, under an error of a tenth of what it represents as 1; give
    the result to an environment as ``action_delay_s``.

    Raises:
        ConfigError: The configuration has no network.
    """
    arm = load_arm(config.arm)
    adaptation = make_adaptation(config, arm, config.seed)
    if adaptation is None:
        raise ConfigError(f"controller {config.controller!r} has no network; choose 'adaptive'.")
    inputs = {
        "state": np.concatenate((arm.home, np.zeros(arm.n_joints))),
        "error": np.full(arm.n_joints, -0.1 * arm.torque_scale_nm),
    }
    ticks = [adaptation.tick(inputs) for _ in range(_N_WARM_UP + _N_MEASURED)]
    adaptation.close()
    return float(np.mean([tick.cost.latency_s for tick in ticks[_N_WARM_UP:] if not tick.held_s]))


def _stiffness_of(law: Any) -> Any:
    """What multiplies a law's stiffness, critically damped as before."""
    if not isinstance(law, OperationalSpace):
        return None
    own = law.gains

    def set_stiffness(factor: float) -> None:
        kd = None if own.kd is None else own.kd * factor**0.5
        law.gains = dataclasses.replace(own, kp=own.kp * factor, kd=kd)

    return set_stiffness


def _steps_of(env_id: str, step_s: float) -> int:
    """Actions in as much time as the environment inside has."""
    limit = gymnasium.spec(env_id).max_episode_steps or 100
    return max(1, round(limit * 0.02 / step_s))


if CONTROLLED_REACH not in gymnasium.registry:
    gymnasium.register(id=CONTROLLED_REACH, entry_point="spikearm.launch.rl:make_env")
