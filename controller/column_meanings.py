"""What every column of the tick log means: the source of the table in ``docs/logs.md``."""

from __future__ import annotations

import re

from spikearm.controller.tickschema import Column, TickSchema
from spikearm.records import OpCounts

_INDEX = re.compile(r"_\d+_")

_MEANINGS = {
    "tick": "number of the tick, from 0; a gap is a tick that could not be written",
    "trial": "number of the trial",
    "reach": "number of the reach within the schedule, from 0; -1 on the way to the start of one",
    "fallback": "where the network's part comes from: 0 the network, 1 its last good output held, "
    "2 fading out or gone",
    "t_s": "time on the arm's clock when the state was read [s]",
    "q_*_rad": "joint angle, as the controller saw it [rad]",
    "dq_*_rad_s": "joint velocity, as the controller saw it [rad/s]",
    "target_?_m": "desired position of the end effector [m]",
    "target_q?": "desired orientation, unit quaternion w x y z",
    "ee_?_m": "true position of the end effector [m]; null where nobody knows it",
    "ee_q?": "true orientation, unit quaternion w x y z; null where nobody knows it",
    "position_error_m": "distance between true and desired position [m]",
    "torque_commanded_*_nm": "what the controller wanted [N m]",
    "torque_applied_*_nm": "what the arm applied [N m]: differs at limits, also of its rate, or if delayed",
    "torque_task_*_nm": "task part of the law [N m], without gravity; its negative trains the network",
    "torque_adaptive_*_nm": "what the network added [N m]; 0 without one",
    "latency_read_s": "measured time of reading the state [s]",
    "latency_law_s": "measured time of the law [s]",
    "latency_network_s": "measured time of the network's steps [s]",
    "latency_write_s": "measured time of writing the torque [s]",
    "latency_log_s": "measured time of recording the *previous* tick [s]; null in the first one",
    "latency_tick_s": "measured time from before reading to after writing [s]",
    "lateness_s": "how long after it was due the tick began [s]",
    "network_age_s": "measured age of the network's output [s]; 0 where a step is done when it returns",
    "latency_model_s": "modelled time of the network's steps on the substrate [s]; 0 if it is not modelled",
    "energy_model_*_j": "bottom-up model: counts times published energy per operation [J], by term",
    "energy_chip_j": "chip-anchored model: a measured figure of a whole chip, scaled [J]; another kind of "
    "evidence, not to be added",
    "energy_measured_j": "what the meter said since the tick before [J]; no such column without a meter",
    "saturated": "whether a torque limit was reached, so that learning stood still",
    "deadline_missed": "whether the torque was written later than one period after the tick was due",
}


def meaning(column: Column) -> str:
    """What a column means, with its unit.

    Raises:
        KeyError: The column is not documented.
    """
    counts = _counts()
    if column.name in counts:
        return counts[column.name].rstrip(".").replace("``", "`")
    return _MEANINGS[_pattern(column.name)]


def table(schema: TickSchema) -> str:
    """The columns of a schema as a Markdown table; those of all joints, axes or terms in one row."""
    rows: dict[str, Column] = {}
    for column in schema.columns:
        rows.setdefault(_pattern(column.name), column)
    lines = ["| column | type | measured | may be null | meaning |", "|---|---|---|---|---|"]
    types = {"<i8": "int64", "<f8": "float64", "?": "bool"}
    for pattern, column in rows.items():
        flags = (("yes" if flag else "") for flag in (column.measured, column.nullable))
        lines.append(f"| `{pattern}` | {types[column.dtype]} | {' | '.join(flags)} | {meaning(column)} |")
    return "\n".join(lines)


def _pattern(name: str) -> str:
    """A column's name with ``*`` for a joint's number or a term, and ``?`` for an axis."""
    if name in _MEANINGS:
        return name
    if name.startswith("energy_model_"):
        return "energy_model_*_j"
    name = _INDEX.sub("_*_", name)
    return re.sub(r"^(target|ee)_(q?)[wxyz](_m)?$", r"\1_\2?\3", name)


def _counts() -> dict[str, str]:
    """Meanings of the counts: the attributes' lines in the docstring of :class:`OpCounts`."""
    text = (OpCounts.__doc__ or "").split("Attributes:")[1]
    found = re.findall(r"^ {8}(\w+): (.*?)(?=^ {8}\w+: |\Z)", text, re.DOTALL | re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found}
