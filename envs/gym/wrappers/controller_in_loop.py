"""A torque controller inside an environment: the agent moves what it aims at, or how hard it pulls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

from spikearm.envs.gym.checks import check_choice, check_number, floats
from spikearm.envs.gym.single import ArmEnv
from spikearm.envs.gym.wrappers.perturbation_schedule import PerturbationSchedule
from spikearm.errors import ConfigError
from spikearm.records import NO_COUNTS, Cost, FloatArray, JointState, OpCounts, Pose
from spikearm.timesteps import n_steps

TargetT = TypeVar("TargetT")
TargetT_contra = TypeVar("TargetT_contra", contravariant=True)

ACTIONS = ("target", "gains")
SPEED_M_S = 0.5
"""Speed of the set point at an action of 1, as of the environments' own pose mode."""
GAIN_SPAN = 4.0
"""Factor by which an action of 1 multiplies the controller's stiffness, and one of -1 divides it."""


class TickCommand(Protocol):
    """What a controller decided in one tick."""

    @property
    def torque(self) -> FloatArray:
        """Commanded torque [N m], shape (n_joints,)."""
        ...

    @property
    def cost(self) -> Cost:
        """Modelled cost of its network."""
        ...

    @property
    def counts(self) -> OpCounts:
        """Operations of its network."""
        ...

    @property
    def law_s(self) -> float:
        """Measured time of its law [s]."""
        ...

    @property
    def network_s(self) -> float:
        """Measured time of its network [s]."""
        ...


class TickController(Protocol[TargetT_contra]):
    """What turns states into torque, once per tick; the controllers of ``spikearm.controller`` do."""

    @property
    def idle_cost(self) -> Cost:
        """Cost of a tick without an operation: nothing, in each of the terms that there are."""
        ...

    def reset(self) -> None:
        """Start anew, learned weights included."""
        ...

    def resume(self) -> None:
        """Go on elsewhere: forget the state of the law, keep what was learned."""
        ...

    def update(self, state: JointState, target: TargetT_contra) -> TickCommand:
        """The decision of this tick."""
        ...

    def notify_applied(self, sent: FloatArray, applied: FloatArray) -> None:
        """Told what was sent to the arm, or should have been where that lags, and what arrived [N m]."""
        ...

    def close(self) -> None:
        """Release the substrate."""
        ...


class TorqueDelay(Protocol):
    """When a commanded torque reaches the arm, tick by tick."""

    def torque(self, command: Any) -> FloatArray:
        """Torque at the arm in this tick, given what was just commanded [N m], shape (n_joints,)."""
        ...


class TorqueRate(Protocol):
    """How fast the torque at the arm may change, tick by tick."""

    @property
    def lags(self) -> bool:
        """Whether so much of the last torque is held back that the controller must be told."""
        ...

    def torque(self, wanted: FloatArray) -> FloatArray:
        """Torque to send [N m], shape (n_joints,)."""
        ...


class ControllerInLoop(gymnasium.Wrapper[Any, Any, Any, Any], Generic[TargetT]):
    """The environment's steps become ticks of a controller; the agent acts once in many of them.

    With ``action="target"`` the agent moves the set point of the end effector along those of x, y and z that
    the arm controls, at most 0.5 m/s and never beyond the arm's length; the orientation of the start is held.
    With ``action="gains"`` the set point moves to the target of the task at that speed, and the agent sets
    the stiffness, from a quarter to four times the controller's own. Observations get the set point less the
    end effector (as measured) behind them [m].

    ``info`` adds, summed over the ticks of a step: ``spikes``, ``synaptic_ops``, ``energy_model_j``
    (modelled, bottom-up) and each of its terms, as ``energy_model_synapses_j``, ``energy_chip_j`` (scaled by
    a measured whole-chip figure, where there is one), ``latency_model_s`` (modelled), ``deadlines_missed``
    (ticks that took longer than a tick, by that model) and ``ticks_lagging`` (ticks whose torque was so far
    behind what the controller decided that its network did not learn; 0 without ``make_rate``). The reward's
    costs are summed too; its goal term is that of the last tick, and what an action costs is asked of the
    agent's, once. ``saturated`` tells of any tick. Of the last one there are ``torque_command_nm`` (what the
    controller decided), ``torque_sent_nm`` (what reached the arm in that tick, late and no faster than it may
    change) and ``torque_nm`` (what limits and perturbed drives left of it).

    It has a live controller inside and cannot be made from a ``spec``; environments that can are those of
    ``spikearm.launch.rl``.

    Args:
        env: An environment of this package in the mode "torque", without gravity compensation, whose step is
            the controller's tick and whose ``action_scale`` is the torque limits. Wrappers that look at steps
            go around this one.
        controller: Makes the torque.
        make_target: Makes what the controller aims at from a pose, a velocity and an acceleration, each of
            the last two [m/s, rad/s] (and per second) of shape (6,).
        step_s: Time between two actions of the agent [s]; a whole number of ticks.
        action: "target" or "gains".
        set_stiffness: For "gains": tells the controller a factor on its own stiffness.
        forget: Whether a reset also resets the controller's network. Otherwise learned weights last from
            episode to episode, and an episode depends on those before it.
        make_delay: Makes, for each episode, what lets torques arrive late; None for at once.
        make_rate: Makes, for each episode, what bounds how fast they change; None for no bound.
        timed: Whether ``info`` has the measured ``latency_law_s`` and ``latency_network_s`` too, which no
            seed repeats.

    Raises:
        ConfigError: The environment or an argument does not fit.
        TimeStepError: The step is not a whole number of ticks.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        controller: TickController[TargetT],
        make_target: Callable[[Pose, FloatArray, FloatArray], TargetT],
        *,
        step_s: float = 0.02,
        action: str = "target",
        set_stiffness: Callable[[float], None] | None = None,
        forget: bool = True,
        make_delay: Callable[[], TorqueDelay] | None = None,
        make_rate: Callable[[], TorqueRate] | None = None,
        timed: bool = False,
    ) -> None:
        super().__init__(env)
        self._arm_env = _checked(env)
        if action not in ACTIONS:
            raise ConfigError(f"action must be 'target' or 'gains', not {action!r}.")
        if action == "gains" and set_stiffness is None:
            raise ConfigError("action 'gains' needs set_stiffness, which tells the controller.")
        for name, value in (("forget", forget), ("timed", timed)):
            check_choice(name, value)
        self._tick_s = self._arm_env.config.control_dt_s
        check_number("step_s", step_s, zero=False)
        self._n_ticks = n_steps(step_s, self._tick_s, outer="step of the agent", inner="tick")
        self._controller, self._make_target = controller, make_target
        self._set_stiffness = set_stiffness
        self._forget, self._by_gains = forget, action == "gains"
        self._make_delay, self._make_rate, self._timed = make_delay, make_rate, timed
        batch = self._arm_env.episodes.batch
        self._limits = batch.limits[0].copy()
        self._base, self._reach_m = batch.reach
        self._axes = np.flatnonzero(self._arm_env.episodes.arm.task_axes[:3])
        self._n_actions = 1 if self._by_gains else len(self._axes)
        self.metadata = dict(env.metadata, render_fps=round(1.0 / step_s))
        self.action_space = Box(-1.0, 1.0, (self._n_actions,), np.float32)
        self.observation_space = _widened(env.observation_space)
        self._set_point, self._quaternion = np.zeros(3), np.array((1.0, 0.0, 0.0, 0.0))
        self._delay: TorqueDelay | None = None
        self._rate: TorqueRate | None = None
        self._begun = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; the set point is where the end effector is."""
        observed, info = self.env.reset(seed=seed, options=options)
        if self._forget or not self._begun:
            self._controller.reset()
            self._begun = True
        else:
            self._controller.resume()
        self._delay = self._make_delay() if self._make_delay else None
        self._rate = self._make_rate() if self._make_rate else None
        batch = self._arm_env.episodes.batch
        self._set_point = batch.position[0].copy()
        self._quaternion = batch.quaternion[0].copy()
        return self._with_set_point(observed), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Let the controller work towards where the agent moves its set point, tick by tick.

        Raises:
            ConfigError: The action has the wrong shape or is not finite; nothing was applied.
        """
        chosen = self._checked_action(action)
        velocity = self._velocity(chosen)
        totals: dict[str, float] = {}
        terminated = truncated = False
        for _ in range(self._n_ticks):
            observed, terminated, truncated, info = self._tick(velocity, totals)
            if terminated or truncated:
                break
        paid = self._arm_env.episodes.rewards.of_action(chosen[None])
        totals |= {name: float(term[0]) for name, term in paid.items()}
        info |= totals
        costs = sum(value for name, value in totals.items() if name.startswith("reward_"))
        return self._with_set_point(observed), info["reward_goal"] + costs, terminated, truncated, info

    @property
    def agents_actions(self) -> list[tuple[str, float, str]]:
        """Of every number of an action: what it is, what 1 means, and its unit."""
        if self._by_gains:
            return [("factor on the stiffness", GAIN_SPAN, "times")]
        return [(f"velocity of the set point along {'xyz'[a]}", SPEED_M_S, "m/s") for a in self._axes]

    @property
    def info_numbers(self) -> tuple[str, ...]:
        """Names of all entries of ``info`` after a step that are one number, which may be given a price."""
        counted = _costs_of(self._controller.idle_cost, NO_COUNTS, self._tick_s)
        return (*self._arm_env.info_numbers, *counted, *(_TIMES if self._timed else ()), "ticks_lagging")

    def close(self) -> None:
        """Release controller and environment."""
        self._controller.close()
        super().close()

    def _tick(self, velocity: FloatArray, totals: dict[str, float]) -> tuple[Any, bool, bool, dict[str, Any]]:
        velocity = self._move_set_point(velocity)
        target = self._make_target(
            Pose(self._set_point, self._quaternion), np.concatenate((velocity, np.zeros(3))), np.zeros(6)
        )
        command = self._controller.update(self._arm_env.joint_state, target)
        due = command.torque if self._delay is None else self._delay.torque(command)
        sent = due if self._rate is None else self._rate.torque(due)
        observed, _, terminated, truncated, info = self.env.step(sent / self._limits)
        applied = np.minimum(np.maximum(sent, -self._limits), self._limits)
        lags = self._rate is not None and self._rate.lags
        self._controller.notify_applied(due if lags else sent, applied)
        _add(totals, _costs_of(command.cost, command.counts, self._tick_s) | {"ticks_lagging": int(lags)})
        if self._timed:
            _add(totals, dict(zip(_TIMES, (command.law_s, command.network_s), strict=True)))
        _add(totals, {name: info[name] for name in _SUMMED if name in info})
        info |= {"torque_command_nm": command.torque.copy(), "torque_sent_nm": sent.copy()}
        info["saturated"] = totals["saturated"] = bool(info["saturated"] or totals.get("saturated", False))
        return observed, terminated, truncated, info

    def _move_set_point(self, velocity: FloatArray) -> FloatArray:
        """Move it for one tick, as far as the arm is long; returns its velocity [m/s]."""
        before = self._set_point
        way = before + self._tick_s * velocity - self._base
        too_far = float(np.linalg.norm(way)) / self._reach_m
        self._set_point = self._base + way / max(1.0, too_far)
        moved: FloatArray = velocity if too_far <= 1.0 else (self._set_point - before) / self._tick_s
        return moved

    def _velocity(self, action: FloatArray) -> FloatArray:
        """Velocity of the set point in this step [m/s], shape (3,)."""
        if not self._by_gains:
            moved = np.zeros(3)
            moved[self._axes] = SPEED_M_S * action
            return moved
        assert self._set_stiffness is not None  # noqa: S101 (checked when made)
        self._set_stiffness(float(GAIN_SPAN ** action[0]))
        way = self._arm_env.target - self._set_point
        step_s = self._n_ticks * self._tick_s
        speed = min(SPEED_M_S, float(np.linalg.norm(way)) / step_s)
        towards: FloatArray = way * (speed / max(float(np.linalg.norm(way)), 1e-12))
        return towards

    def _checked_action(self, action: Any) -> FloatArray:
        values = floats("action", action)
        if values.shape != (self._n_actions,) or not np.isfinite(values).all():
            raise ConfigError(f"action must be {self._n_actions} finite numbers in [-1, 1]; got {action!r}.")
        cut: FloatArray = np.minimum(np.maximum(values, -1.0), 1.0)
        return cut

    def _with_set_point(self, observed: Any) -> Any:
        seen = observed["observation"] if isinstance(observed, dict) else observed
        n = self._arm_env.episodes.batch.n_joints
        wider = np.concatenate((seen, self._set_point - seen[2 * n : 2 * n + 3]))
        return {**observed, "observation": wider} if isinstance(observed, dict) else wider


_SUMMED = ("energy_j", "reward_energy", "reward_diverged")
_TIMES = ("latency_law_s", "latency_network_s")
"""Measured times of a tick: of the law, and of the network."""


_INSIDE = (
    gymnasium.wrappers.PassiveEnvChecker,
    gymnasium.wrappers.OrderEnforcing,
    gymnasium.wrappers.TimeLimit,
    PerturbationSchedule,
)
"""Wrappers that neither change what a step gives nor remember it."""


def _add(totals: dict[str, float], more: Mapping[str, float]) -> None:
    for name, value in more.items():
        totals[name] = totals.get(name, 0.0) + value


def _costs_of(cost: Cost, counts: OpCounts, tick_s: float) -> dict[str, float]:
    """What ``info`` says of the network's work in a tick; a tick without work gives the same names."""
    costs = {
        "spikes": counts.spikes,
        "synaptic_ops": counts.synaptic_ops,
        "energy_model_j": cost.total_j,
        "latency_model_s": cost.latency_s,
        "deadlines_missed": int(cost.latency_s > tick_s),
    }
    costs |= {f"energy_model_{term}_j": joules for term, joules in cost.energy_j.items()}
    if cost.energy_chip_j is not None:
        costs["energy_chip_j"] = cost.energy_chip_j
    return costs


def _checked(env: gymnasium.Env[Any, Any]) -> ArmEnv:
    inner, wrapper = env.unwrapped, env
    while isinstance(wrapper, gymnasium.Wrapper):
        if not isinstance(wrapper, _INSIDE):
            name = type(wrapper).__name__
            raise ConfigError(f"{name} would see ticks: put {name} around ControllerInLoop, not inside.")
        wrapper = wrapper.env
    if not isinstance(inner, ArmEnv):
        raise ConfigError(f"ControllerInLoop wraps environments of spikearm, not {inner!r}.")
    config, episodes = inner.config, inner.episodes
    whole = np.allclose(episodes.commands.scale, episodes.batch.limits[0])
    if config.action_mode != "torque" or config.gravity_compensation or not whole:
        raise ConfigError(
            "the controller makes all torque itself: make the environment with action_mode='torque', "
            "gravity_compensation=False and action_scale=<the torque limits>."
        )
    if episodes.task.unit != "m":
        raise ConfigError("the controller moves the end effector, this environment asks for joint angles.")
    return inner


def _widened(space: Any) -> Any:
    """The observation space with three more numbers."""
    if isinstance(space, Dict):
        return Dict({**space.spaces, "observation": _widened(space.spaces["observation"])})
    return Box(-np.inf, np.inf, (space.shape[0] + 3,), np.float64)
