"""The native vector environment as Stable-Baselines3 wants it; needs the extra ``rl``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from spikearm.envs.gym.attributes import PER_ARM, SHARED
from spikearm.envs.gym.rendering import OFFSCREEN_MODES, check_mode
from spikearm.envs.gym.vector import ArmVectorEnv
from spikearm.errors import ConfigError

Indices = int | Sequence[int] | None


class NativeVecEnv(VecEnv):
    """Many arms in threads for agents of Stable-Baselines3, hindsight included.

    ``info`` of an arm is that of the single environment, of the step that ended an episode, too.

    Args:
        env: A native vector environment with ``autoreset_mode="SameStep"``: Stable-Baselines3 expects
            finished episodes to begin anew within the same step.

    Raises:
        ConfigError: It is another environment, or in another mode.
    """

    def __init__(self, env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> None:
        arms = env.unwrapped
        if env is not arms or not isinstance(arms, ArmVectorEnv):
            raise ConfigError(
                f"NativeVecEnv takes a native vector environment of spikearm, without wrappers; got {env!r}. "
                "Make one with gymnasium.make_vec, and put wrappers of Stable-Baselines3 around this."
            )
        if arms.metadata["autoreset_mode"] is not AutoresetMode.SAME_STEP:
            raise ConfigError(
                f"autoreset_mode is {arms.metadata['autoreset_mode'].value!r}; Stable-Baselines3 needs "
                "'SameStep': gymnasium.make_vec(..., autoreset_mode='SameStep')."
            )
        self.env = arms
        self._actions: NDArray[Any] = np.zeros(arms.action_space.shape or ())
        super().__init__(arms.num_envs, arms.single_observation_space, arms.single_action_space)

    def reset(self) -> Any:
        """Begin all episodes, with the seeds and options set before."""
        options = self._options if any(self._options) else [{}]
        for e, one in enumerate(options):
            mask = {"reset_mask": np.arange(self.num_envs) == e} if len(options) > 1 else {}
            seeds = None if all(seed is None for seed in self._seeds) else self._seeds
            observed, info = self.env.reset(seed=seeds, options={**one, **mask})
            for i, row in enumerate(_rows(info, self.num_envs)):
                if row:
                    self.reset_infos[i] = row
        self._reset_seeds()
        self._reset_options()
        return observed

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions, shape (n_arms, n_actions)."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, NDArray[Any], NDArray[np.bool_], list[dict[str, Any]]]:
        """Carry them out; returns observations, rewards, whether episodes ended, and info of each arm."""
        observed, reward, terminated, truncated, info = self.env.step(self._actions)
        done = terminated | truncated
        ended, last = info.pop("final_info", {}), info.pop("final_obs", None)
        begun, infos = _rows(info, self.num_envs), _rows(ended, self.num_envs)
        for e in range(self.num_envs):
            if done[e]:
                self.reset_infos[e], infos[e]["terminal_observation"] = begun[e], last[e]
            else:
                infos[e] = begun[e]
            infos[e]["TimeLimit.truncated"] = bool(truncated[e] and not terminated[e])
        return observed, reward.astype(np.float32), done, infos

    def close(self) -> None:
        """End the threads and release the graphics."""
        self.env.close()

    def get_images(self) -> Sequence[NDArray[Any] | None]:
        """A picture of every arm."""
        pictures: Sequence[NDArray[Any]] = self.env.render() or ()
        return pictures

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """An attribute of the arms (``target``, ``action_space``), else of the vector environment."""
        if attr_name in PER_ARM:
            values = self.env.get_attr(attr_name)
        else:
            values = (getattr(self.env, SHARED.get(attr_name, attr_name)),) * self.num_envs
        return [values[e] for e in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Set ``render_mode`` or ``np_random`` of all arms: they are one object.

        Raises:
            ConfigError: It is to be set for some arms only, is something else, or cannot have this value.
        """
        if sorted(self._get_indices(indices)) != list(range(self.num_envs)):
            raise ConfigError(
                f"{attr_name} cannot be set for arms {indices!r} alone, all arms are one object; leave out "
                "indices."
            )
        if attr_name == "render_mode":
            check_mode(value, OFFSCREEN_MODES)
            self.env.render_mode = value
        else:
            self.env.set_attr(attr_name, [value] * self.num_envs)

    def env_method(self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Call a method once, for all arms: such as ``compute_reward``, which takes any number of goals."""
        result = getattr(self.env, method_name)(*args, **kwargs)
        return [result for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Indices = None) -> list[bool]:
        """No arm is wrapped."""
        return [False for _ in self._get_indices(indices)]


def _rows(info: dict[str, Any], n: int) -> list[dict[str, Any]]:
    """``info`` of each environment, as plain numbers where it is one: what single environments say."""
    rows: list[dict[str, Any]] = [{} for _ in range(n)]
    for name in [name for name in info if not name.startswith("_")]:
        values = info[name].tolist() if info[name].ndim == 1 else info[name]
        for e in np.flatnonzero(info[f"_{name}"]):
            rows[e][name] = values[e]
    return rows
