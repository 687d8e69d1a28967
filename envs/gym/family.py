"""Environments of random plants with unknown forces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from spikearm.envs.arms import ArmSpec
from spikearm.envs.batch.arms import ArmBatch
from spikearm.envs.batch.drives import Drive
from spikearm.envs.gym.checks import check_number, check_whole
from spikearm.envs.gym.config import EnvConfig
from spikearm.envs.gym.scenario import OnReset, Own, Scenario, make_drive
from spikearm.envs.gym.tasks import JointSpaceDraw, JointTask, Task
from spikearm.envs.mjcf import CompiledArm, compile_spec
from spikearm.envs.random_plant import family_arm, random_plant, random_waves
from spikearm.errors import ConfigError


class NewPlants:
    """Gives an arm a new body and new unknown forces when an episode begins.

    Args:
        batch: The arms.
        drive: What is added to each body.
        n_joints: Number of joints.
        force_share: Size of the unknown forces.
    """

    def __init__(self, batch: ArmBatch, drive: Drive, n_joints: int, force_share: float) -> None:
        self._batch, self._drive = batch, drive
        self._n_joints, self._force_share = n_joints, force_share

    def __call__(self, e: int, rng: np.random.Generator) -> None:
        """Draw what the episode of arm ``e`` needs."""
        self._batch.set_model(e, compile_plant(self._drive, self._n_joints, rng))
        self._batch.set_waves(e, random_waves(self._n_joints, rng, share=self._force_share))


def compile_plant(drive: Drive, n_joints: int, rng: np.random.Generator) -> CompiledArm:
    """A random plant with its drives."""
    return compile_spec(
        random_plant(n_joints, rng), f"random plant of {n_joints} joints", extend=drive.extend
    )


class PlantFamily(Scenario):
    """Random plants that follow joint angles."""

    own: ClassVar[Own] = {"n_joints": 3, "plant_seed": None, "force_share": 0.25, "period_s": 3.0}

    def make_arm(self, shared: Mapping[str, Any], own: Own) -> ArmSpec:
        """What all plants share."""
        if "arm" in shared:
            raise ConfigError("this environment draws its arms; choose n_joints instead of an arm.")
        if shared.get("action_mode") == "pose":
            raise ConfigError("random plants have no task axes; choose action_mode 'torque' or 'position'.")
        return family_arm(own["n_joints"])

    def defaults(self, arm: ArmSpec) -> Mapping[str, Any]:
        """Torque, and a distance in joint space."""
        return {"action_mode": "torque", "success_radius": 0.1}

    def make_physics(
        self, arm: ArmSpec, config: EnvConfig, n_arms: int, n_threads: int, own: Own
    ) -> tuple[ArmBatch, OnReset | None]:
        """Plants with their unknown forces."""
        share, seed = own["force_share"], own["plant_seed"]
        check_number("force_share", share)
        if seed is not None:
            check_whole("plant_seed", seed, least=0)
        drive, rng = make_drive(arm, config), np.random.default_rng(seed or 0)
        batch = ArmBatch(
            compile_plant(drive, arm.n_joints, rng),
            n_arms,
            control_dt_s=config.control_dt_s,
            physics_dt_s=config.physics_dt_s,
            n_threads=n_threads,
            n_waves=2 * arm.n_joints,
        )
        waves = random_waves(arm.n_joints, rng, share=share)
        for e in range(n_arms):
            batch.set_waves(e, waves)
        return batch, NewPlants(batch, drive, arm.n_joints, share) if seed is None else None

    def make_task(self, arm: ArmSpec, batch: ArmBatch, draw: JointSpaceDraw, own: Own) -> Task:
        """The task."""
        return JointTask(batch, draw, period_s=own["period_s"])
