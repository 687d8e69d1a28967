"""Reinforcement learning with a spiking controller in the loop: names become environments.

Importing this registers ``spikearm/ControlledReach-v0``, so that
``gymnasium.make("spikearm.launch.rl:spikearm/ControlledReach-v0", backend="loihi")`` works at once.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle

from spikearm.controller.delay import ModelledDelay
from spikearm.controller.laws.osc import OperationalSpace
from spikearm.controller.protocols import Target
from spikearm.controller.torque import TorqueController
from spikearm.controller.torque_rate import TorqueRate
from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.gym.checks import check_number, check_whole
from spikearm.envs.gym.registration import IDS
from spikearm.envs.gym.single import ArmEnv
from spikearm.envs.gym.wrappers.controller_in_loop import ControllerInLoop
from spikearm.envs.gym.wrappers.energy_cost import EnergyCost
from spikearm.errors import ConfigError, SpikearmError, UnknownNameError
from spikearm.launch.compose import make_adaptation, make_law
from spikearm.launch.config import RunConfig
from spikearm.launch.mapping import from_mapping, to_mapping

REACH = "spikearm/Reach-v0"
TASKS = tuple(env_id for env_id in IDS if "PlantFamily" not in env_id)
"""Environments whose end effector a controller can steer."""
CONTROLLED_REACH = "spikearm/ControlledReach-v0"
STEP_S = 0.02
"""Time between two actions unless it is said [s]."""
_PHYSICS_DT_S = 0.001
"""Longest physics step [s]."""
_OF_RUNS = (
    "trials",
    "duration_s",
    "distance_m",
    "targets",
    "perturbation",
    "realtime",
    "rest_s",
    "out",
    "name",
)
"""Settings of runs that environments have other arguments for, or none."""
_N_WARM_UP, _N_MEASURED = 20, 100


class ControlledReachEnv(gymnasium.Env[Any, Any], EzPickle):
    """``spikearm/Reach-v0`` with a spiking controller that makes the torque; agents move its set point.

    With ``env_id`` it is any other environment of this package whose targets are points, its goal variants
    included; the tables below are those of ``Reach-v0``, and ``data_sheet(env)`` has the others.

    ## Actions

    A ``Box(-1, 1)`` of single precision; values beyond are cut, NaN is an error.

    | ``action`` | size (iiwa14) | number i is | -1, 1 mean |
    |---|---|---|---|
    | ``target`` (default) | 3 | velocity of the set point along x, y, z | -0.5, 0.5 m/s |
    | ``gains`` | 1 | stiffness of the law, relative to its own | 1/4, 4 |

    Set points move along the position axes the arm controls (planar2: x, z), and not beyond the arm's length.
    The law is operational-space control at 1 kHz, with gravity compensation of the nominal arm; the network
    of the controller "adaptive" learns the rest. Its weights are those of the start at every reset, unless
    ``forget=False``.

    ## Observations

    A ``Box`` of double precision, unbounded:

    | number (iiwa14) | what | min, max | unit |
    |---|---|---|---|
    | 0 - 6 | joint angles, as measured | 2.97, 2.09, 2.97, 2.09, 2.97, 2.09, 3.05 both ways | rad |
    | 7 - 13 | joint velocities, as measured | none | rad/s |
    | 14 - 16 | end effector x, y, z, from the measured angles | within 1.15 of 0, 0, 0.158 | m |
    | 17 - 19 | target x, y, z | as the end effector | m |
    | 20 - 22 | target less end effector | none of its own | m |
    | 23 - 25 | set point (within the arm's length) less end effector | none of its own | m |

    ## Reward

    That of :class:`~spikearm.envs.gym.reach.ReachEnv`: the goal's term of the last tick, the cost of the
    agent's action, other costs summed over ticks; and ``reward_cost`` with
    ``energy_cost={"energy_model_j": 1e3}``, see
    :class:`~spikearm.envs.gym.wrappers.energy_cost.EnergyCost`.

    ``info`` has what ``ReachEnv`` says, ``torque_command_nm`` (what the controller decided last),
    ``torque_sent_nm`` (what then reached the arm: late with ``actuation_delay="modelled"``, and never
    changing faster than ``torque_rate_nm_s``), and summed over the ticks of the step, by
    the network's substrate: ``spikes``, ``synaptic_ops``, ``energy_model_j`` [J] and each of its terms
    (``energy_model_synapses_j``), ``energy_chip_j`` where a chip was measured, ``latency_model_s`` [s] and
    ``deadlines_missed``; with ``timed=True`` also the measured ``latency_law_s`` and ``latency_network_s``.
    ``ticks_lagging`` counts the ticks of the step whose torque, held to ``torque_rate_nm_s``, was so far
    behind that the network did not learn: most of them while an agent acts at random.

    ## Start and end

    As ``ReachEnv``: ``truncated`` after 100 steps (2 s), ``terminated`` only if the simulation diverges.

    ## Arguments and options

    Those of :func:`make_env`, by name. Options of ``reset`` as ``ReachEnv``. A pickled environment is made
    anew from its arguments: reset it first. ``spec.to_json()`` needs arguments that JSON has: give ``config``
    as a dictionary, ``arm`` as text, and lists instead of arrays. What the environment inside has besides
    (``target``, ``perturbation``, ``data``, ``compute_reward``) is found here, too.

    ## Version history

    v0: first version.
    """

    metadata: dict[str, Any] = ArmEnv.metadata

    def __init__(self, env_id: str = REACH, **arguments: Any) -> None:
        EzPickle.__init__(self, env_id, **arguments)
        self._env = _controlled(env_id, **arguments)
        self.metadata, self.render_mode = self._env.metadata, self._env.render_mode
        self.action_space, self.observation_space = self._env.action_space, self._env.observation_space

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"spec": self.spec}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.spec = state["spec"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        return getattr(self.arm_env, name)

    @property
    def controlled(self) -> gymnasium.Env[Any, Any]:
        """The environment with its controller, as data sheets describe it."""
        return self._env

    @property
    def info_numbers(self) -> tuple[str, ...]:
        """Names of all entries of ``info`` after a step that are one number, which may be given a price."""
        names: tuple[str, ...] = self._env.get_wrapper_attr("info_numbers")
        return names

    @property
    def arm_env(self) -> ArmEnv:
        """The environment inside, with target, perturbation and physics."""
        inside = self._env.unwrapped
        assert isinstance(inside, ArmEnv)  # noqa: S101 (it was made here)
        return inside

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        begun = self._env.reset(seed=seed, options=options)
        self._np_random, self._np_random_seed = self.arm_env.np_random, self.arm_env.np_random_seed
        return begun

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Let the controller work for the time of one action."""
        return self._env.step(action)

    def render(self) -> Any:
        """A picture as the render mode says."""
        return self._env.render()

    def close(self) -> None:
        """Release controller, physics and graphics."""
        self._env.close()


def make_env(
    env_id: str = REACH,
    *,
    max_episode_steps: int | None = None,
    config: RunConfig | Mapping[str, Any] | None = None,
    **arguments: Any,
) -> gymnasium.Env[Any, Any]:
    """Any environment of this package, its torque made by a controller that ticks at its own rate.

    Args:
        env_id: The environment inside.
        max_episode_steps: Actions until an episode is truncated; None takes as much time as the environment
            inside has, -1 never truncates.
        config: Controller, network, substrate, gains, tick and actuation delay, or some of these
            settings by name: ``{"control_dt_s": 0.002, "network": {"n_neurons": 500}}``.
        arguments: ``backend``, ``arm``, ``controller`` ("adaptive" or "osc") and ``seed`` (draws the network
            and the substrate's devices) and ``torque_rate_nm_s`` (fastest change of a torque, 1000 N m/s as
            in runs; 1e9 bounds nothing) replace the configuration's.
            ``step_s`` (0.02), ``action`` ("target" or "gains"), ``forget`` (True) and ``timed`` (False) as of
            :class:`~spikearm.envs.gym.wrappers.controller_in_loop.ControllerInLoop`. ``energy_cost``:
            weights for :class:`~spikearm.envs.gym.wrappers.energy_cost.EnergyCost`; None for no cost. All
            others are those of the environment inside.

    Raises:
        SpikearmError: A name is not known, or a setting does not fit.
    """
    _check_task(env_id)
    if max_episode_steps is None:
        max_episode_steps = _steps_of(env_id, arguments.get("step_s", STEP_S))
    elif max_episode_steps != -1:
        check_whole("max_episode_steps", max_episode_steps, least=1)
    if config is not None:  # as its spec can be written down
        arguments["config"] = to_mapping(config) if isinstance(config, RunConfig) else config
    return gymnasium.make(CONTROLLED_REACH, max_episode_steps=max_episode_steps, env_id=env_id, **arguments)


def _controlled(
    env_id: str,
    *,
    config: RunConfig | Mapping[str, Any] | None = None,
    backend: str | None = None,
    arm: str | None = None,
    controller: str | None = None,
    seed: int | None = None,
    step_s: float = STEP_S,
    action: str = "target",
    forget: bool = True,
    timed: bool = False,
    torque_rate_nm_s: float | None = None,
    energy_cost: Mapping[str, float] | None = None,
    **arguments: Any,
) -> gymnasium.Env[Any, Any]:
    """An environment with its controller, without a limit of time; see :func:`make_env`."""
    _check_task(env_id)
    given = {
        "backend": backend,
        "arm": arm,
        "controller": controller,
        "seed": seed,
        "torque_rate_nm_s": torque_rate_nm_s,
    }
    if torque_rate_nm_s is not None:
        check_number("torque_rate_nm_s", torque_rate_nm_s, zero=False)
    if seed is not None:
        check_whole("seed", seed, least=0)
    for name in ("backend", "controller"):
        if not isinstance(given[name], str | None):
            raise ConfigError(f"{name} must be a name, not {given[name]!r}.")
    wanted = {name: value for name, value in given.items() if value is not None}
    settings = dataclasses.replace(_config_of(config), **wanted)  # type: ignore[arg-type]
    _check_settings(settings)
    spec = load_arm(settings.arm)
    dynamics = MujocoDynamics(spec)
    inside = _inside(env_id, settings, dynamics, arguments)
    law = make_law(settings, spec, dynamics)
    adaptation = make_adaptation(settings, spec, settings.seed)
    torque_controller = TorqueController(law, dynamics.torque_limits, adaptation=adaptation)
    late = settings.actuation_delay == "modelled"
    try:
        env = ControllerInLoop(
            inside,
            torque_controller,
            Target,
            step_s=step_s,
            action=action,
            set_stiffness=_stiffness_of(law),
            forget=forget,
            make_delay=partial(ModelledDelay, settings.control_dt_s) if late else None,
            make_rate=partial(TorqueRate, settings.torque_rate_nm_s, settings.control_dt_s),
            timed=timed,
        )
        return env if energy_cost is None else EnergyCost(env, energy_cost)
    except SpikearmError:
        torque_controller.close()
        raise


def _config_of(config: Any) -> RunConfig:
    """A configuration, or settings of one by name."""
    if config is None or isinstance(config, RunConfig):
        return config or RunConfig()
    if not isinstance(config, Mapping):
        raise ConfigError(f"config must be a RunConfig, or settings of one by name; not {config!r}.")
    return from_mapping(RunConfig(), config)


def _inside(
    env_id: str, settings: RunConfig, dynamics: MujocoDynamics, arguments: Mapping[str, Any]
) -> gymnasium.Env[Any, Any]:
    """The environment whose steps are the controller's ticks."""
    tick_s = settings.control_dt_s
    fixed = {
        "action_mode": "torque",
        "gravity_compensation": False,
        "action_scale": dynamics.torque_limits.tolist(),
        "control_dt_s": tick_s,
        "physics_dt_s": tick_s / math.ceil(tick_s / _PHYSICS_DT_S - 1e-6),
    }
    for name in fixed.keys() & arguments.keys():
        raise ConfigError(f"{name} is set by the controller; leave it out, or set control_dt_s in config.")
    # Counted in ticks the registered limit of time would end too early.
    return gymnasium.make(env_id, max_episode_steps=-1, arm=settings.arm, **fixed, **arguments)


def _check_task(env_id: Any) -> None:
    if env_id not in TASKS:
        raise UnknownNameError("environment of spikearm with an end effector", str(env_id), TASKS)


def _check_settings(settings: RunConfig) -> None:
    """Refuse what cannot be had in an environment, and what would have no effect."""
    if settings.controller not in ("adaptive", "osc"):
        raise ConfigError(
            f"controller {settings.controller!r} does not go into an environment, where agents move a set "
            "point of the end effector; choose 'adaptive' or 'osc'."
        )
    nominal = RunConfig()
    for name in _OF_RUNS:
        if getattr(settings, name) != getattr(nominal, name):
            raise ConfigError(
                f"{name} of a run has no effect on an environment; leave it out of config. Perturbations "
                "are an argument of their own."
            )


def modelled_latency_s(config: RunConfig) -> float:
    """Time the configuration's substrate would take for the network of one tick, by its cost model [s].

    The network runs for 0.1 s at the arm's home, under an error of a tenth of what it represents as 1; give
    the result to an environment as ``action_delay_s``, which is rounded up to whole physics steps: choose
    ``physics_dt_s`` accordingly. A controller in the loop is late by what each of its ticks takes, with
    ``RunConfig(actuation_delay="modelled")``.

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


def _steps_of(env_id: str, step_s: Any) -> int:
    """Actions in as much time as the environment inside has."""
    check_number("step_s", step_s, zero=False)
    limit = gymnasium.spec(env_id).max_episode_steps or 100
    return max(1, round(limit * 0.02 / float(step_s)))


if CONTROLLED_REACH not in gymnasium.registry:
    gymnasium.register(
        id=CONTROLLED_REACH, entry_point="spikearm.launch.rl:ControlledReachEnv", max_episode_steps=100
    )
