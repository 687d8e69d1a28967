"""What a robot's server needs of an arm, and what some arms can do beyond it."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

from spikearm.finite import all_finite
from spikearm.records import FloatArray, JointState


class ServedPlant(Protocol):
    """What the server needs of an arm; every ``Plant`` of the controller has it."""

    @property
    def dt_s(self) -> float:
        """Period [s]."""
        ...

    def reset(self, *, seed: int | None = None) -> JointState:
        """Bring the arm to its starting state."""
        ...

    def read(self) -> JointState:
        """What the arm's sensors say now."""
        ...

    def write(self, torque: FloatArray) -> FloatArray:
        """Apply a torque [N m] for one period; returns what was applied."""
        ...

    def close(self) -> None:
        """Torque off."""
        ...


@runtime_checkable
class MeasuresTorque(Protocol):
    """An arm whose joints measure their torque."""

    @property
    def torque_measured(self) -> FloatArray:
        """At the last reading [N m], shape (n_joints,)."""
        ...


@runtime_checkable
class LimitsTorque(Protocol):
    """An arm whose drives give less than its model may say."""

    @property
    def torque_limits(self) -> FloatArray:
        """Largest torque that each joint's drive gives, both ways [N m], shape (n_joints,)."""
        ...


@runtime_checkable
class KeepsTime(Protocol):
    """An arm with a clock of its own."""

    @property
    def paces(self) -> bool:
        """Whether ``read`` returns when the arm's next period begins, and not before."""
        ...


@runtime_checkable
class Recovers(Protocol):
    """An arm that stops by itself, and has to be told when that is over."""

    def recover(self) -> None:
        """Take torque again."""
        ...


@runtime_checkable
class LetsGo(Protocol):
    """An arm with brakes, a controller or a switch of its own, that torque 0 is not the end of."""

    def let_go(self) -> None:
        """No torque of ours any more, until the next ``write``."""
        ...


def reading_is_finite(reading: JointState, measured: FloatArray | None) -> bool:
    """Whether every number of a reading is one.

    Args:
        reading: What the sensors said.
        measured: Torque of the joints [N m], shape (n_joints,); None if they measure none.
    """
    measures = measured is None or all_finite(measured)
    return measures and math.isfinite(reading.t_s) and all_finite(reading.q) and all_finite(reading.dq)
