"""The environments whose target is a point for the end effector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from spikearm.envs.arms import ArmSpec
from spikearm.envs.batch.arms import ArmBatch
from spikearm.envs.gym.scenario import Own, Scenario
from spikearm.envs.gym.tasks import CenterOutTask, JointSpaceDraw, ReachTask, Task, TrackTask
from spikearm.errors import ConfigError

PAYLOAD_OFFSET_M = 0.03
"""Greatest distance of an unknown payload's centre from the end effector, along each axis."""


class Reach(Scenario):
    """One point per episode."""

    def make_task(self, arm: ArmSpec, batch: ArmBatch, draw: JointSpaceDraw, own: Own) -> Task:
        """The task."""
        return ReachTask(batch, draw)


class PayloadReach(Reach):
    """One point per episode, and a payload nobody told of."""

    def default_range(self, arm: ArmSpec) -> Mapping[str, Any]:
        """A payload, up to the arm's own."""
        offset = [PAYLOAD_OFFSET_M] * 3
        return {"payload_kg": [0.0, arm.payload_kg], "payload_offset_m": [[-x for x in offset], offset]}


class Track(Scenario):
    """A moving point."""

    own: ClassVar[Own] = {"period_s": 3.0}

    def make_task(self, arm: ArmSpec, batch: ArmBatch, draw: JointSpaceDraw, own: Own) -> Task:
        """The task."""
        return TrackTask(batch, draw, period_s=own["period_s"])


class CenterOut(Scenario):
    """Eight points on a circle and its centre."""

    own: ClassVar[Own] = {"radius_m": None, "hold_s": 0.8}

    def defaults(self, arm: ArmSpec) -> Mapping[str, Any]:
        """The start is the centre."""
        return {"start_spread_rad": 0.0}

    def make_task(self, arm: ArmSpec, batch: ArmBatch, draw: JointSpaceDraw, own: Own) -> Task:
        """The task, on a circle of half a reach unless it is said."""
        axes = tuple(int(axis) for axis in np.flatnonzero(arm.task_axes[:3]))
        if not axes:
            raise ConfigError(f"arm {arm.name!r} controls no position; this environment moves to positions.")
        radius_m = 0.5 * arm.reach_m if own["radius_m"] is None else own["radius_m"]
        home = np.asarray(arm.home)
        return CenterOutTask(batch, draw, axes=axes, home=home, radius_m=radius_m, hold_s=own["hold_s"])
