"""What one run of a protocol comes to: errors of every trial, and the means of what a tick took."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pyarrow as pa

from spikearm.controller.ticklog import read_ticks
from spikearm.launch.config import RunConfig
from spikearm.launch.run import execute
from spikearm.launch.summary import column, mean_counts, rms
from spikearm.records import FloatArray

_KEPT = (
    "latency_model_s_mean",
    "energy_model_j_per_tick",
    "energy_chip_j_per_tick",
    "energy_chip_scope",
    "energy_measured_j_per_tick",
    "spikes_per_tick",
    "saturated_ticks",
    "saturated_weights_per_tick",
    "overflows_per_tick",
)
"""What of a run's summary the protocols use."""


def measure(config: RunConfig) -> dict[str, Any] | None:
    """Carry out one run and keep its numbers; its log is dropped.

    Returns:
        JSON of the run, or None if it was interrupted.

    Raises:
        SpikearmError: The run cannot be composed, or it failed.
    """
    start, cpu_start = perf_counter(), process_time()
    with TemporaryDirectory(prefix="spikearm-") as folder:
        finished = execute(dataclasses.replace(config, out=Path(folder), name="job"), baseline=False)
        if finished.summary["interrupted"]:
            return None
        table = read_ticks(finished.folder)
    return {
        "trials": trial_errors(table),
        "tick_s": finished.summary["latency_measured_s"]["p50"],
        **{name: finished.summary[name] for name in _KEPT},
        "counts_per_tick": mean_counts(table)._asdict(),
        "control_dt_s": config.control_dt_s,
        "seconds": perf_counter() - start,
        "cpu_seconds": process_time() - cpu_start,
    }


def trial_errors(table: pa.Table) -> dict[str, list[float]]:
    """Errors of every trial (reach), each a list over trials.

    ``mean_m``, ``rms_m`` and ``max_m`` are of the distance between the end effector and the desired
    trajectory at the same moment [m]; ``off_line_rms_m`` of the distance from its line, whenever it was
    there [m]; ``turn_rms_rad`` and ``turn_max_rad`` of the angle to the desired orientation [rad].
    """
    reach = column(table, "reach")
    position, target = _columns(table, "ee", "xyz", "m"), _columns(table, "target", "xyz", "m")
    distance_m = np.linalg.norm(position - target, axis=1)
    turn_rad = rotation_angles(_columns(table, "ee", "wxyz"), _columns(table, "target", "wxyz"))
    trials = [reach == r for r in np.unique(reach)]
    off_line_m = [distance_from_line(position[t], target[t][0], target[t][-1]) for t in trials]
    return {
        "mean_m": [float(distance_m[t].mean()) for t in trials],
        "rms_m": [rms(distance_m[t]) for t in trials],
        "max_m": [float(distance_m[t].max()) for t in trials],
        "off_line_rms_m": [rms(off) for off in off_line_m],
        "turn_rms_rad": [rms(turn_rad[t]) for t in trials],
        "turn_max_rad": [float(turn_rad[t].max()) for t in trials],
    }


def distance_from_line(points: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Distance of points from the line through a and b [m], shape (n,); from a, if b is the same point."""
    way = b - a
    length = float(np.linalg.norm(way))
    away = points - a
    if length > 0:
        along = way / length
        away = away - np.outer(away @ along, along)
    distances: FloatArray = np.linalg.norm(away, axis=1)
    return distances


def rotation_angles(a: FloatArray, b: FloatArray) -> FloatArray:
    """Angle between orientations [rad], shape (n,).

    ``4 asin(|a - b| / 2)`` for unit quaternions of one half of the sphere: exact for small angles too,
    where an arc cosine loses half of its digits.
    """
    same_half = np.where(np.sum(a * b, axis=1, keepdims=True) < 0.0, -b, b)
    chord = np.linalg.norm(a - same_half, axis=1)
    angles: FloatArray = 4.0 * np.arcsin(np.minimum(1.0, 0.5 * chord))
    return angles


def _columns(table: pa.Table, group: str, axes: str, unit: str = "") -> FloatArray:
    """Columns of a position (``xyz``) or a quaternion (``wxyz``) side by side."""
    names = [f"{group}_{axis}_{unit}" if unit else f"{group}_q{axis}" for axis in axes]
    return np.column_stack([column(table, name) for name in names])
