"""The command ``spikearm robot look``: what a real arm says, before it is given any torque."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import tyro
from rich.table import Column, Table

from spikearm.controller.interruption import StopRequest
from spikearm.envs.arms import load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError, NoReadingError
from spikearm.hardware.adapters.dynamixel_config import DynamixelConfig
from spikearm.hardware.adapters.franka_config import FrankaConfig
from spikearm.hardware.adapters.lerobot_config import LeRobotConfig
from spikearm.hardware.link.senses import Senses
from spikearm.hardware.link.served_plant import KeepsTime, MeasuresTorque, ServedPlant
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.display import console, say
from spikearm.launch.exit_codes import DONE
from spikearm.launch.robot_config import RobotConfig
from spikearm.launch.robot_drives import make_arm
from spikearm.records import FloatArray, JointState

_SHOWN_EVERY_S = 1.0


@dataclass(frozen=True)
class RobotLookCommand:
    """Read an arm and give it no torque: move it by hand, and see whether zero, signs and model are right.

    Attributes:
        arm: A shipped arm, or an MJCF file's path. It is to be the arm's model.
        drive: The arm's drive. "franka", "dynamixel" or "lerobot"; "mujoco" is a simulated arm that stands
            still.
        acknowledge_real_arm: Say that a real arm may sink: opening it switches Dynamixel servos off, and
            what a LeRobot robot does when it is connected is up to it. Support it.
        control_dt_s: Time between two readings [s].
        duration_s: Time after which it ends [s]; until then, Ctrl-C ends it.
        dynamixel: The servos.
        franka: The Franka arm.
        lerobot: The robot of LeRobot's.
        json: Print the last reading as one JSON document. It comes on stdout, with the angles between which
            each joint was.
    """

    arm: str = "iiwa14"
    drive: Literal["mujoco", "dynamixel", "franka", "lerobot"] = "mujoco"
    acknowledge_real_arm: bool = False
    control_dt_s: float = 0.001
    duration_s: float = math.inf
    dynamixel: Annotated[DynamixelConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=DynamixelConfig)
    franka: Annotated[FrankaConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=FrankaConfig)
    lerobot: Annotated[LeRobotConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=LeRobotConfig)
    json: bool = False

    def __post_init__(self) -> None:
        if not self.duration_s > 0.0:
            raise ConfigError(f"duration_s must be a positive number of seconds, not {self.duration_s!r}.")


class View:
    """What was read so far, beside what the model says.

    Args:
        arm: The model's name, or the path of its file.
    """

    def __init__(self, arm: str) -> None:
        self._dynamics = MujocoDynamics(load_arm(arm))
        self.q_range = self._dynamics.joint_ranges
        n_joints = len(self.q_range)
        self._lowest, self._highest = np.full(n_joints, math.inf), np.full(n_joints, -math.inf)
        self._last = JointState(np.zeros(n_joints), np.zeros(n_joints), 0.0)
        self._measured: FloatArray | None = None

    def take(self, reading: JointState, measured: FloatArray | None) -> None:
        """Take note of a reading."""
        self._last, self._measured = reading, measured
        np.minimum(self._lowest, reading.q, out=self._lowest)
        np.maximum(self._highest, reading.q, out=self._highest)

    @property
    def _outside(self) -> list[int]:
        low, high = self.q_range.T
        return np.flatnonzero((self._last.q < low) | (self._last.q > high)).tolist()

    @property
    def _weight(self) -> FloatArray:
        self._dynamics.update(self._last.q, np.zeros_like(self._last.dq))
        return self._dynamics.bias()

    def document(self) -> dict[str, Any]:
        """The last reading, and the extremes."""
        return {
            "q_rad": self._last.q.tolist(),
            "dq_rad_s": self._last.dq.tolist(),
            "q_lowest_rad": self._lowest.tolist(),
            "q_highest_rad": self._highest.tolist(),
            "torque_measured_nm": None if self._measured is None else self._measured.tolist(),
            "weight_by_model_nm": self._weight.tolist(),
            "joints_outside_their_range": self._outside,
        }

    def table(self) -> Table:
        """The same for people."""
        columns = {
            "joint": [f"{j} outside" if j in self._outside else f"{j}" for j in range(len(self.q_range))],
            "q": _words(self._last.q, 3),
            "so far": _from_to(self._lowest, self._highest),
            "range": _from_to(*self.q_range.T),
            "dq": _words(self._last.dq, 3),
            "measured": [] if self._measured is None else _words(self._measured, 2),
            "weight": _words(self._weight, 2),
        }
        shown = {head: cells for head, cells in columns.items() if cells}
        table = Table(*(Column(head, no_wrap=True) for head in shown), show_edge=False)
        for row in zip(*shown.values(), strict=True):
            table.add_row(*row)
        return table


def _words(values: FloatArray, digits: int) -> list[str]:
    return [f"{value:z.{digits}f}" for value in values]


def _from_to(low: FloatArray, high: FloatArray) -> list[str]:
    return [f"{a} .. {b}" for a, b in zip(_words(low, 2), _words(high, 2), strict=True)]


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_look, argv)


def _look(argv: Sequence[str]) -> int:
    command = parse(
        RobotLookCommand,
        argv,
        prog="spikearm robot look",
        examples=(
            "spikearm robot look --duration-s 2",
            "spikearm robot look --drive dynamixel --arm MY.xml --acknowledge-real-arm",
        ),
    )
    if command.drive != "mujoco" and not command.acknowledge_real_arm:
        raise ConfigError(
            "this arm is real and may sink when it is opened, as its servos are switched off. Support it, "
            "and say so with --acknowledge-real-arm."
        )
    view = View(command.arm)
    config = RobotConfig(
        arm=command.arm,
        drive=command.drive,
        dynamixel=command.dynamixel,
        franka=command.franka,
        lerobot=command.lerobot,
        control_dt_s=command.control_dt_s,
    )
    with StopRequest() as stop, closing(make_arm(config, load_arm(command.arm))) as plant:
        say(_announcement(command, plant))
        # A simulated arm stands still: there is nothing new to see.
        _watch(
            plant, view, stop, command.duration_s, math.inf if command.drive == "mujoco" else _SHOWN_EVERY_S
        )
    if command.json:
        print_json(view.document())
    return DONE


def _announcement(command: RobotLookCommand, plant: ServedPlant) -> str:
    words = "no torque is given; in rad, rad/s and N m, the weight by the model; Ctrl-C ends it."
    if command.drive == "mujoco":
        return (
            f"a simulated {command.arm}, which stands still at its home and measures no torque; --drive "
            f"looks at a real one. {words[0].upper()}{words[1:]}"
        )
    return words if isinstance(plant, MeasuresTorque) else f"{words} This arm measures no torque."


def _watch(
    plant: ServedPlant, view: View, stop: StopRequest, duration_s: float, shown_every_s: float
) -> None:
    """Read as often as the arm is served: servos that are not spoken to stop by themselves."""
    senses = Senses(plant, len(view.q_range))
    paces = isinstance(plant, KeepsTime) and plant.paces
    end_s = time.monotonic() + duration_s
    shown_s = -math.inf
    while True:  # at least once: there is nothing to tell of an arm that was not read
        with suppress(NoReadingError):  # a single one, as is lost on a serial line
            view.take(*senses.read())
        if time.monotonic() - shown_s >= shown_every_s:
            shown_s = time.monotonic()
            console.print(view.table())
        if stop.requested or time.monotonic() >= end_s:
            return
        if not paces:
            time.sleep(plant.dt_s)


if __name__ == "__main__":
    sys.exit(main())
