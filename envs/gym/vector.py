"""Many arms as a ``gymnasium.vector.VectorEnv``, with the physics in threads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from spikearm.envs.gym.actions import as_array
from spikearm.envs.gym.attributes import attribute, set_generators
from spikearm.envs.gym.checks import check_whole
from spikearm.envs.gym.config import EnvConfig
from spikearm.envs.gym.episodes import DIVERGED, Episodes
from spikearm.envs.gym.options import ResetOptions
from spikearm.envs.gym.rendering import OFFSCREEN_MODES, Renderer, check_mode
from spikearm.envs.gym.scenario import Scenario, make_episodes
from spikearm.envs.gym.single import GoalRewards, observation_of, space_of
from spikearm.errors import ConfigError, UnknownNameError

Seeds = int | Sequence[int | None] | None


class ArmVectorEnv(VectorEnv[Any, Any, Any]):
    """As ``SyncVectorEnv`` of single environments, bit by bit, but stepped together.

    Args:
        num_envs: How many arms.
        max_episode_steps: Steps until an episode is truncated; None or -1 for never.
        n_threads: Threads that share the physics; None takes as many as there are processors.
        autoreset_mode: "NextStep", "SameStep" or "Disabled", as Gymnasium defines them.
        render_mode: "rgb_array", "depth_array", or None; :meth:`render` gives a picture of every arm.
        arguments: Those of the single environment.

    Raises:
        SpikearmError: An argument is out of its range, or the arm cannot be used.
    """

    scenario: ClassVar[Scenario]
    goal: ClassVar[bool] = False

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        n_threads: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        check_whole("num_envs", num_envs, least=1)
        if max_episode_steps == -1:  # as of gymnasium.make
            max_episode_steps = None
        for name, value in (("max_episode_steps", max_episode_steps), ("n_threads", n_threads)):
            if value is not None:
                check_whole(name, value, least=1)
        check_mode(render_mode, OFFSCREEN_MODES)
        threads = min(num_envs, n_threads or os.cpu_count() or 1)
        self._episodes = make_episodes(self.scenario, num_envs, threads, goal=self.goal, arguments=arguments)
        self.num_envs, self.render_mode = num_envs, render_mode
        self._mode = _autoreset_mode(autoreset_mode)
        self.metadata = {
            "render_modes": list(OFFSCREEN_MODES),
            "render_fps": round(1.0 / self.config.control_dt_s),
            "autoreset_mode": self._mode,
        }
        self.single_action_space = self._episodes.commands.space()
        self.single_observation_space = space_of(self._episodes, goal=self.goal)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._limit = max_episode_steps
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._done = np.zeros(num_envs, dtype=np.bool_)
        self._begun = np.zeros(num_envs, dtype=np.bool_)
        self._all = np.ones(num_envs, dtype=np.bool_)
        self._rngs: list[np.random.Generator | None] = [None] * num_envs
        self._seeds: list[int] = [-1] * num_envs
        self._renderers: list[Renderer] = []

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_renderers": []}

    @property
    def config(self) -> EnvConfig:
        """The arguments it was made with, defaults filled in."""
        return self._episodes.config

    @property
    def episodes(self) -> Episodes:
        """Everything behind the environments."""
        return self._episodes

    @property  # type: ignore[misc]  # Gymnasium lets it be set
    def np_random(self) -> Any:
        """The generators of the environments."""
        return tuple(self._rng(e) for e in range(self.num_envs))

    @property
    def np_random_seed(self) -> Any:
        """The seeds they were started with; -1 where that is not known."""
        return tuple(self._seeds)

    def reset(
        self,
        *,
        seed: Any = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode in every environment, or in those of ``options["reset_mask"]``.

        Args:
            seed: One number (environment i takes seed + i), one per environment, or None.
            options: As of the single environment, for all of them.

        Raises:
            ConfigError: Seeds or mask are not one per environment.
            SpikearmError: An option is unknown or out of its range.
        """
        seeds = self._spread_seeds(seed)
        if not isinstance(options, Mapping | None):
            raise ConfigError(f"options of reset must be a dictionary, not {options!r}.")
        rest = dict(options or {})
        mask = self._mask(rest.pop("reset_mask", None))
        chosen = self._episodes.check(rest)
        for e in np.flatnonzero(mask):
            if seeds[e] is not None:
                self._rngs[e], self._seeds[e] = seeding.np_random(seeds[e])
            self._episodes.reset(int(e), self._rng(int(e)), chosen)
        self._elapsed[mask], self._done[mask], self._begun[mask] = 0, False, True
        self._episodes.look()
        return self._observe(), _masked(self._episodes.goal_info(), mask)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Carry out one action each.

        Raises:
            ConfigError: The actions have the wrong shape, or an episode that is over was not reset in the
                mode "Disabled".
            NotFiniteError: One is not finite; nothing was applied.
            gymnasium.error.ResetNeeded: There was no reset yet.
        """
        if not self._begun.all():
            raise gymnasium.error.ResetNeeded("call reset() of all environments before the first step().")
        if self._mode is AutoresetMode.DISABLED and self._done.any():
            raise ConfigError(
                f"environments {np.flatnonzero(self._done).tolist()} are done; reset them with "
                'options={"reset_mask": mask} before the next step.'
            )
        episodes = self._episodes
        values = as_array(actions)
        fresh = self._done.copy() if self._mode is AutoresetMode.NEXT_STEP else ~self._all
        some_fresh = bool(fresh.any())
        live = ~fresh if some_fresh else self._all
        episodes.step(values, live)
        reward, info = episodes.outcome(values)
        terminated = ~episodes.batch.sane & live
        self._elapsed += live
        truncated = live & (self._elapsed >= self._limit) if self._limit else ~self._all
        if not episodes.batch.all_sane:
            info["termination"] = np.array([DIVERGED if one else None for one in terminated], dtype=object)
        self._done = terminated | truncated
        if self._mode is AutoresetMode.SAME_STEP and self._done.any():
            return self._finish(reward, terminated, truncated, info)
        infos = self._masked(info, live)
        if some_fresh:
            reward = np.where(live, reward, 0.0)
            infos = _merged(infos, self._restart(fresh))
        return self._observe(), reward, terminated, truncated, infos

    def render(self) -> tuple[Any, ...] | None:
        """A picture of every arm."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() needs a render_mode; give one to gymnasium.make_vec().")
            return None
        self._close_renderers([self._episodes.batch.model(e) for e in range(self.num_envs)])
        return tuple(self._picture(e) for e in range(self.num_envs))

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of every arm, as ``SyncVectorEnv`` does: ``render``, ``compute_reward`` ...

        What is no method is returned as it is.

        Raises:
            ConfigError: Arms do not have it one by one.
            UnknownNameError: Single environments do not have it either.
        """
        if name == "render":
            return self.render() or (None,) * self.num_envs
        found = attribute(self, name)
        return tuple(one(*args, **kwargs) if callable(one) else one for one in found)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of every arm: ``target``, ``perturbation``, ``joint_state``, ``model``, ``config`` ...

        Raises:
            ConfigError: Arms do not have it one by one.
            UnknownNameError: Single environments do not have it either.
        """
        return attribute(self, name)

    def set_attr(self, name: str, values: Any) -> None:
        """Give every arm a generator of its own; nothing else can be set of arms that are one object.

        Raises:
            ConfigError: It is something else, or not one generator for each arm.
        """
        self._rngs, self._seeds = [*set_generators(self, name, values)], [-1] * self.num_envs

    def close_extras(self, **kwargs: Any) -> None:
        """End the threads and release the graphics."""
        self._close_renderers([])
        self._episodes.close()

    def _close_renderers(self, used: Sequence[Any]) -> None:
        """Release the graphics of models that are no longer used: a random plant is a new model."""
        kept = [renderer for renderer in self._renderers if any(renderer.model is model for model in used)]
        for renderer in self._renderers:
            if renderer not in kept:
                renderer.close()
        self._renderers = kept

    def _picture(self, e: int) -> NDArray[Any]:
        batch, task, model = self._episodes.batch, self._episodes.task, self._episodes.batch.model(e)
        renderer = next((one for one in self._renderers if one.model is model), None)
        if renderer is None:
            renderer = Renderer(model, str(self.render_mode), self.config.success_radius)
            self._renderers.append(renderer)
        data = mujoco.MjData(model)
        batch.copy_state(e, data)
        picture = renderer.render(data, task.goal[e] if task.unit == "m" else None)
        assert picture is not None  # noqa: S101 (there is no window)
        return picture

    def _restart(self, which: NDArray[np.bool_]) -> dict[str, Any]:
        """Begin new episodes; returns what ``info`` says of them."""
        for e in np.flatnonzero(which):
            self._episodes.reset(int(e), self._rng(int(e)), ResetOptions())
        self._elapsed[which] = 0
        self._episodes.look()
        return _masked(self._episodes.goal_info(), which)

    def _finish(
        self, reward: Any, terminated: Any, truncated: Any, info: dict[str, Any]
    ) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """In the mode "SameStep": keep the last observation and info of what is done, and begin anew."""
        done, self._done = self._done, ~self._all
        last = self._observe()
        final = np.full(self.num_envs, None, dtype=object)
        for e in np.flatnonzero(done):
            final[e] = {k: v[e].copy() for k, v in last.items()} if self.goal else last[e].copy()
        going, ended = self._masked(info, ~done), self._masked(info, done)
        infos = _merged(going, self._restart(done))
        infos |= {"final_obs": final, "_final_obs": done, "final_info": ended, "_final_info": done}
        return self._observe(), reward, terminated, truncated, infos

    def _masked(self, info: dict[str, Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
        """What ``info`` says of these environments; some of it only of those that have diverged."""
        if self._episodes.batch.all_sane:
            return _masked(info, mask)
        rare = {name: info[name] for name in ("termination", "reward_diverged")}
        common = {name: value for name, value in info.items() if name not in rare}
        return _masked(common, mask) | _masked(rare, mask & ~self._episodes.batch.sane)

    def _observe(self) -> Any:
        return observation_of(self._episodes, goal=self.goal)

    def _rng(self, e: int) -> np.random.Generator:
        rng = self._rngs[e]
        if rng is None:
            rng, self._seeds[e] = seeding.np_random()
            self._rngs[e] = rng
        return rng

    def _spread_seeds(self, seed: Seeds) -> list[int | None]:
        """One per environment, all checked before anything begins anew."""
        seeds: list[Any]
        if seed is None:
            seeds = [None] * self.num_envs
        elif isinstance(seed, (int, np.integer)):
            seeds = [int(seed) + e for e in range(self.num_envs)]
        else:
            seeds = list(seed) if isinstance(seed, (Sequence, np.ndarray)) else [seed]
        for each in seeds:
            if each is not None and not (isinstance(each, (int, np.integer)) and each >= 0):
                raise ConfigError(
                    f"seed must be None, or one or more whole numbers of 0 or more, not {seed!r}."
                )
        if len(seeds) != self.num_envs:
            raise ConfigError(
                f"{len(seeds)} seeds for {self.num_envs} environments; give one each, or one number."
            )
        return [None if each is None else int(each) for each in seeds]

    def _mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return self._all
        array = np.asarray(mask)
        if array.shape != (self.num_envs,) or array.dtype != np.bool_ or not array.any():
            raise ConfigError(
                f"reset_mask must be {self.num_envs} booleans, at least one of them true; got {mask!r}."
            )
        return array


class GoalArmVectorEnv(GoalRewards, ArmVectorEnv):
    """Goal environments, stepped together."""

    goal = True


def _autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    names = [str(one.value) for one in AutoresetMode]
    if not isinstance(mode, AutoresetMode) and mode not in names:
        raise UnknownNameError("autoreset mode", str(mode), names)
    return AutoresetMode(mode)


def _masked(info: dict[str, Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Arrays with Gymnasium's masks: row i holds where the mask does, and is zero elsewhere."""
    if mask.all():
        return info | {f"_{name}": mask.copy() for name in info}
    masked: dict[str, Any] = {}
    if not mask.any():
        return masked
    for name, value in info.items():
        rows = mask.reshape(-1, *(1,) * (value.ndim - 1))
        empty = None if value.dtype == object else value.dtype.type(0)
        masked[name], masked[f"_{name}"] = np.where(rows, value, empty), mask.copy()
    return masked


def _merged(infos: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Infos of two groups of environments in one."""
    merged = dict(infos)
    for name in [n for n in more if not n.startswith("_")]:
        mask = more[f"_{name}"]
        if name in merged:
            rows = mask.reshape(-1, *(1,) * (more[name].ndim - 1))
            merged[name] = np.where(rows, more[name], merged[name])
            merged[f"_{name}"] = merged[f"_{name}"] | mask
        else:
            merged[name], merged[f"_{name}"] = more[name], mask
    return merged
