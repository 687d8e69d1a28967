"""One arm as a ``gymnasium.Env``."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import mujoco
import numpy as np
from gymnasium.spaces import Dict

from spikearm.envs.gym.actions import as_array
from spikearm.envs.gym.config import EnvConfig
from spikearm.envs.gym.episodes import DIVERGED, Episodes, settings_of
from spikearm.envs.gym.rendering import MODES, Renderer, check_mode
from spikearm.envs.gym.rewards import diverged
from spikearm.envs.gym.scenario import Scenario, make_episodes
from spikearm.records import FloatArray, JointState


class ArmEnv(gymnasium.Env[Any, Any]):
    """An arm with a task; see the subclasses for their data sheets.

    Args:
        render_mode: "human", "rgb_array", "depth_array", or None.
        arguments: Those of :class:`~spikearm.envs.gym.config.EnvConfig` and of the scenario.

    Raises:
        SpikearmError: An argument is out of its range, or the arm cannot be used.
    """

    scenario: ClassVar[Scenario]
    goal: ClassVar[bool] = False
    metadata: dict[str, Any] = {"render_modes": list(MODES), "render_fps": 50}  # noqa: RUF012 (Gymnasium's shape)

    def __init__(self, *, render_mode: str | None = None, **arguments: Any) -> None:
        check_mode(render_mode, MODES)
        self.render_mode = render_mode
        self._episodes = make_episodes(self.scenario, 1, 1, goal=self.goal, arguments=arguments)
        self.metadata = dict(self.metadata, render_fps=round(1.0 / self.config.control_dt_s))
        self.action_space = self._episodes.commands.space()
        self.observation_space = space_of(self._episodes, goal=self.goal)
        self._data: Any = None
        self._renderer: Renderer | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_data": None, "_renderer": None}

    @property
    def config(self) -> EnvConfig:
        """The arguments it was made with, defaults filled in."""
        return self._episodes.config

    @property
    def perturbation(self) -> dict[str, Any]:
        """What differs from the nominal arm now, by name."""
        return settings_of(self._episodes.perturbation[0])

    @property
    def episodes(self) -> Episodes:
        """Everything behind the environment, for wrappers."""
        return self._episodes

    @property
    def joint_state(self) -> JointState:
        """What the joint sensors report now."""
        return self._episodes.joint_state(0)

    @property
    def target(self) -> FloatArray:
        """The target now [m], shape (3,); joint angles [rad] where the task is in joint space."""
        target: FloatArray = self._episodes.task.goal[0].copy()
        return target

    @property
    def model(self) -> Any:
        """The ``MjModel``."""
        return self._episodes.batch.model(0)

    @property
    def data(self) -> Any:
        """An ``MjData`` in the present state, for rendering and tools; writing to it has no effect."""
        if self._data is None or self._data.model is not self.model:  # a random plant is a new model
            self._data = mujoco.MjData(self.model)
            self._close_renderer()
        self._episodes.batch.copy_state(0, self._data)
        return self._data

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: Starts the environment's generator anew.
            options: ``start``, ``target``, ``payload_kg``, ``perturbation``, ``faults``; see
                :func:`~spikearm.envs.gym.options.parse_options`.

        Raises:
            SpikearmError: An option is unknown or out of its range.
        """
        episodes = self._episodes
        chosen = episodes.check(options)
        super().reset(seed=seed)
        episodes.reset(0, self.np_random, chosen)
        episodes.look()
        if self.render_mode == "human":
            self.render()
        return self._observation(), _first(episodes.goal_info())

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Carry out one action.

        Returns:
            Observation, reward, terminated (only when the simulation diverged), truncated (never: a wrapper
            limits the time), and info: the reward's terms, ``is_success``, the distance, ``energy_j``,
            ``torque_nm``, ``saturated``; ``termination`` with the reason when terminated.

        Raises:
            ConfigError: The action has the wrong shape.
            NotFiniteError: It is not finite; nothing was applied.
        """
        episodes = self._episodes
        actions = as_array(action)[None]
        episodes.step(actions)
        reward, infos = episodes.outcome(actions)
        info = _first(infos)
        terminated = not episodes.batch.sane[0]
        if terminated:
            info["termination"] = DIVERGED
        if self.render_mode == "human":
            self.render()
        return self._observation(), float(reward[0]), terminated, False, info

    @property
    def info_numbers(self) -> tuple[str, ...]:
        """Names of all entries of ``info`` after a step that are one number, which may be given a price."""
        return self._episodes.numbers

    def render(self) -> Any:
        """A picture as the render mode says."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() needs a render_mode; give one to gymnasium.make().")
            return None
        data = self.data
        if self._renderer is None:
            self._renderer = Renderer(self.model, self.render_mode, self.config.success_radius)
        task = self._episodes.task
        return self._renderer.render(data, task.goal[0] if task.unit == "m" else None)

    def close(self) -> None:
        """Release physics and graphics; closing twice is not an error."""
        self._close_renderer()
        self._episodes.close()

    def _close_renderer(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = None

    def _observation(self) -> Any:
        return observation_of(self._episodes, goal=self.goal, row=0)


class GoalRewards:
    """What goal environments compute for any goals, single or vectorised."""

    _episodes: Episodes

    def compute_reward(self, achieved_goal: Any, desired_goal: Any, info: Any) -> Any:
        """The reward had the desired goal been this; any number of rows at once.

        Args:
            achieved_goal: Positions of the end effector [m], shape (..., 3).
            desired_goal: Targets [m], same shape.
            info: What ``step`` returned, or a sequence of that, one per row.

        Returns:
            Shape (...); a number for a single goal.
        """
        return self._episodes.rewards.compute(achieved_goal, desired_goal, info)

    def compute_terminated(self, achieved_goal: Any, desired_goal: Any, info: Any) -> Any:
        """Reaching a goal ends nothing; only a diverged simulation does. Any number of rows at once."""
        return diverged(achieved_goal, info)

    def compute_truncated(self, achieved_goal: Any, desired_goal: Any, info: Any) -> Any:
        """Never: a wrapper limits the time."""
        rows = np.zeros(np.shape(achieved_goal)[:-1], dtype=np.bool_)
        return rows if rows.shape else False


class GoalArmEnv(GoalRewards, ArmEnv):
    """The same with a dictionary of observation, achieved and desired goal, for hindsight."""

    goal = True


def space_of(episodes: Episodes, *, goal: bool) -> Any:
    """The observation space of one arm."""
    if not goal:
        return episodes.observation_box(goal=False)
    # In the order of the keys, whatever library reads it: actors see the parts in the order of the space.
    return Dict(
        {
            "achieved_goal": episodes.goal_box(),
            "desired_goal": episodes.goal_box(),
            "observation": episodes.observation_box(goal=True),
        }
    )


def observation_of(episodes: Episodes, *, goal: bool, row: int | None = None) -> Any:
    """Observations of all arms, or of one of them; new arrays."""
    rows: Any = slice(None) if row is None else row
    observed = episodes.observe(goal=goal)[rows]
    if not goal:
        return observed
    task = episodes.task
    return {
        "achieved_goal": task.achieved[rows].copy(),
        "desired_goal": task.goal[rows].copy(),
        "observation": observed,
    }


def _first(infos: dict[str, Any]) -> dict[str, Any]:
    """The first row of everything, as plain numbers where it is one."""
    return {name: value[0].item() if value.ndim == 1 else value[0] for name, value in infos.items()}
