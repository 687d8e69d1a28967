"""The columns of the tick log: what is recorded in every control tick, in which unit."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from spikearm.controller.protocols import Command, Target
from spikearm.errors import ConfigError, JournalError
from spikearm.hardware.cost import CostModel
from spikearm.records import COUNT_NAMES, NO_COUNTS, FloatArray, JointState, Pose

FORMAT_VERSION = 1
_DTYPES = ("<i8", "<f8", "?")
_INTEGERS = ("tick", "trial", "reach", "fallback")
_UNKNOWN = [math.nan] * 7


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: With the unit at its end, where it has one.
        dtype: NumPy type, one of ``"<i8"``, ``"<f8"``, ``"?"``.
        measured: Whether it holds what a clock or a meter said, which no seed makes repeatable.
        nullable: Whether a NaN means that there is no value.
    """

    name: str
    dtype: str = "<f8"
    measured: bool = False
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class TickRecord:
    """Everything one control tick leaves behind.

    Attributes:
        state: What the arm reported.
        target: Where it should have been.
        ee: True pose of the end effector at the time of ``state``; None where nobody knows it.
        command: The controller's decision.
        applied: Torque really applied [N m], shape (n_joints,).
        trial: Number of the trial.
        reach: Number of the reach within the schedule; -1 on the way to the start of one.
        latency_read_s: Measured time of reading the state [s].
        latency_write_s: Measured time of writing the torque [s].
        latency_log_s: Measured time of recording the *previous* tick [s]; NaN in the first one.
        latency_tick_s: Measured time from before reading to after writing [s].
        lateness_s: How long after it was due the tick began [s].
        deadline_missed: Whether the torque was written later than one period after the tick was due.
        energy_measured_j: What a meter says the tick took [J]; None without a meter.
    """

    state: JointState
    target: Target
    ee: Pose | None
    command: Command
    applied: FloatArray
    trial: int = 0
    reach: int = 0
    latency_read_s: float = 0.0
    latency_write_s: float = 0.0
    latency_log_s: float = math.nan
    latency_tick_s: float = 0.0
    lateness_s: float = 0.0
    deadline_missed: bool = False
    energy_measured_j: float | None = None


@dataclass(frozen=True)
class TickSchema:
    """Which columns a log has.

    A column exists only if something can fill it: a run without a chip-anchored figure or without a meter
    has no such column, rather than one full of zeros.

    Attributes:
        n_joints: Number of joints.
        energy_terms: Terms of the cost model's bottom-up energy.
        has_energy_chip: Whether the cost model has a chip-anchored figure.
        has_energy_measured: Whether there is a meter.
    """

    n_joints: int
    energy_terms: tuple[str, ...] = ()
    has_energy_chip: bool = False
    has_energy_measured: bool = False

    def __post_init__(self) -> None:
        if self.n_joints < 1:
            raise ConfigError(f"n_joints must be at least 1, not {self.n_joints!r}.")

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns: whole numbers first, then floats, then flags."""
        return (
            *(Column(name, "<i8") for name in _INTEGERS),
            *(column for group in self.groups.values() for column in group),
            Column("saturated", "?"),
            Column("deadline_missed", "?", measured=True),
        )

    @cached_property
    def groups(self) -> Mapping[str, tuple[Column, ...]]:
        """The columns of floating-point numbers by what they belong to, in the order of the log."""
        groups = {
            "t": ["t_s"],
            "q": self._per_joint("q", "rad"),
            "dq": self._per_joint("dq", "rad_s"),
            "target": _pose_names("target"),
            "ee": _pose_names("ee"),
            "position_error": ["position_error_m"],
            "torque_commanded": self._per_joint("torque_commanded", "nm"),
            "torque_applied": self._per_joint("torque_applied", "nm"),
            "torque_task": self._per_joint("torque_task", "nm"),
            "torque_adaptive": self._per_joint("torque_adaptive", "nm"),
            "latency": [f"latency_{stage}_s" for stage in ("read", "law", "network", "write", "log", "tick")],
            "lateness": ["lateness_s"],
            "network_age": ["network_age_s"],
            "latency_model": ["latency_model_s"],
            "energy_model": [f"energy_model_{term}_j" for term in self.energy_terms],
            "energy_chip": ["energy_chip_j"] * self.has_energy_chip,
            "energy_measured": ["energy_measured_j"] * self.has_energy_measured,
            "counts": list(COUNT_NAMES),
        }
        measured = {"latency", "lateness", "network_age", "energy_measured"}
        nullable = {"ee", "position_error", "latency", "energy_chip", "energy_measured"}
        return {
            group: tuple(Column(name, "<f8", group in measured, group in nullable) for name in names)
            for group, names in groups.items()
        }

    def description(self) -> dict[str, Any]:
        """The columns as JSON, for :func:`columns_from`."""
        return {"format": FORMAT_VERSION, "columns": [asdict(column) for column in self.columns]}

    def _per_joint(self, name: str, unit: str) -> list[str]:
        return [f"{name}_{i}_{unit}" for i in range(self.n_joints)]


def schema_for(
    n_joints: int, cost_model: CostModel | None, *, control_dt_s: float, metered: bool = False
) -> TickSchema:
    """The schema of a run.

    Args:
        n_joints: Number of joints.
        cost_model: Cost model of the substrate, or None without a network.
        control_dt_s: Control time step [s].
        metered: Whether a meter measures energy.
    """
    if cost_model is None:
        return TickSchema(n_joints, has_energy_measured=metered)
    has_chip = cost_model.estimate(NO_COUNTS, control_dt_s).energy_chip_j is not None
    return TickSchema(n_joints, cost_model.terms, has_chip, metered)


def columns_from(description: Mapping[str, Any]) -> tuple[Column, ...]:
    """Columns of a log, from what :meth:`TickSchema.description` wrote into it.

    Raises:
        JournalError: The log was written by another version, or does not describe its columns.
    """
    if description.get("format") != FORMAT_VERSION:
        raise JournalError(
            f"the log has format {description.get('format')!r}, this version reads format {FORMAT_VERSION}; "
            "use the version of spikearm that wrote it (see run.json)."
        )
    try:
        columns = tuple(Column(**entry) for entry in description["columns"])
    except (TypeError, KeyError) as error:
        raise JournalError(f"the log does not describe its columns as expected: {error}.") from error
    for column in columns:
        if column.dtype not in _DTYPES:
            raise JournalError(f"column {column.name!r} has type {column.dtype!r}; known are {_DTYPES}.")
    return columns


def row_dtype(columns: Sequence[Column]) -> np.dtype[np.void]:
    """The packed record of one tick."""
    return np.dtype([(column.name, column.dtype) for column in columns])


class TickEncoder:
    """Puts a record into the bytes of one row, without making an object per column.

    Args:
        schema: The columns.
        row: Bytes of one row, written in place, shape (row_dtype(schema.columns).itemsize,), uint8.
    """

    def __init__(self, schema: TickSchema, row: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        n_floats = sum(len(group) for group in schema.groups.values())
        self._row = row.data
        self._layout = struct.Struct(f"<{len(_INTEGERS)}q{n_floats}d2?")
        self._terms = schema.energy_terms
        self._has_chip, self._has_measured = schema.has_energy_chip, schema.has_energy_measured

    def encode(self, tick: int, record: TickRecord) -> None:
        """Fill the row; the numbers come in the order of :attr:`TickSchema.groups`."""
        command, cost, measured_j = record.command, record.command.cost, record.energy_measured_j
        wanted, actual = _numbers(record.target.pose), _UNKNOWN if record.ee is None else _numbers(record.ee)
        optional = []
        if self._has_chip:
            optional.append(math.nan if cost.energy_chip_j is None else cost.energy_chip_j)
        if self._has_measured:
            optional.append(math.nan if measured_j is None else measured_j)
        self._layout.pack_into(
            self._row,
            0,
            tick,
            record.trial,
            record.reach,
            command.fallback,
            record.state.t_s,
            *record.state.q.tolist(),
            *record.state.dq.tolist(),
            *wanted,
            *actual,
            math.dist(wanted[:3], actual[:3]),
            *command.torque.tolist(),
            *record.applied.tolist(),
            *command.task_torque.tolist(),
            *command.adaptive_torque.tolist(),
            record.latency_read_s,
            command.law_s,
            command.network_s,
            record.latency_write_s,
            record.latency_log_s,
            record.latency_tick_s,
            record.lateness_s,
            command.network_age_s,
            cost.latency_s,
            *[cost.energy_j[term] for term in self._terms],
            *optional,
            *command.counts,
            command.saturated,
            record.deadline_missed,
        )


def _numbers(pose: Pose) -> list[float]:
    position: list[float] = pose.position.tolist()
    return position + pose.quaternion.tolist()  # type: ignore[no-any-return]


def _pose_names(name: str) -> list[str]:
    return [f"{name}_{axis}_m" for axis in "xyz"] + [f"{name}_q{axis}" for axis in "wxyz"]
