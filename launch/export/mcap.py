"""The log as MCAP, for Foxglove, PlotJuggler, Rerun and others that replay what robots recorded.

Messages are JSON with a JSON schema. Poses have the well-known schema ``foxglove.PoseInFrame``, so that
viewers draw them; the other topics group the columns of the log. Times are those of the arm's clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from spikearm.controller.ticklog import read_ticks
from spikearm.errors import ConfigError
from spikearm.launch.progress import StepProgress

_BATCH = 1000
"""Ticks between two looks at how far it is."""
_FRAME = "world"
_NUMBER = {"type": "number"}
_NULLABLE = {"type": ["number", "null"]}
_NUMBERS = {"type": "array", "items": _NUMBER}
_TICK = ["tick", "trial", "reach", "saturated", "deadline_missed", "position_error_m"]
_NETWORK = ["fallback", "network_age_s"]
_TORQUES = ("commanded", "applied", "task", "adaptive")

Message = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Makes a message of a tick, or None if the tick has nothing to say."""


def export_mcap(run: Path, path: Path) -> int:
    """One MCAP file; returns the number of ticks.

    Args:
        run: The run folder.
        path: The file; one that is there is replaced.

    Raises:
        ConfigError: The package ``mcap`` is not installed.
    """
    try:
        from mcap.writer import CompressionType, Writer
    except ImportError as error:
        raise ConfigError('MCAP needs the package mcap: pip install "spikearm[mcap]".') from error
    table = read_ticks(run)
    topics = _topics(table.column_names)
    with path.open("wb") as file, StepProgress("writing", table.num_rows) as progress:
        writer = Writer(file, compression=CompressionType.LZ4)
        writer.start(profile="", library="spikearm")
        channels = [(_channel(writer, topic, schema), message) for topic, (schema, message) in topics.items()]
        n_ticks = 0
        for batch in table.to_batches(max_chunksize=_BATCH):
            for tick in batch.to_pylist():
                _write(writer, channels, tick)
            n_ticks += batch.num_rows
            progress.done(n_ticks)
        writer.finish()  # type: ignore[no-untyped-call]
    return int(table.num_rows)


def _write(writer: Any, channels: Sequence[tuple[int, Message]], tick: dict[str, Any]) -> None:
    """The messages of a tick, on all channels that it has something to say on."""
    time_ns = round(1e9 * tick["t_s"])
    for channel, message in channels:
        content = message(tick)
        if content is not None:
            data = json.dumps(content).encode()
            writer.add_message(channel, log_time=time_ns, publish_time=time_ns, data=data)


def _channel(writer: Any, topic: str, schema: dict[str, Any]) -> int:
    schema_id = writer.register_schema(
        name=schema["title"], encoding="jsonschema", data=json.dumps(schema).encode()
    )
    channel: int = writer.register_channel(topic=topic, message_encoding="json", schema_id=schema_id)
    return channel


def _topics(names: list[str]) -> dict[str, tuple[dict[str, Any], Message]]:
    """Schema and maker of the message of each topic."""
    topics = {
        "/tick": _plain("Tick", _TICK),
        "/network": _plain("Network", _NETWORK),
        "/joint_states": _arrays("JointState", names, {"q_rad": "q_*_rad", "dq_rad_s": "dq_*_rad_s"}),
        "/torque": _arrays("Torque", names, {f"{t}_nm": f"torque_{t}_*_nm" for t in _TORQUES}),
        "/target": _pose("target"),
        "/end_effector": _pose("ee"),
    }
    for topic, prefix in (("/latency", "late"), ("/energy", "energy_")):
        found = [name for name in names if name.startswith(prefix)]
        if found:
            topics[topic] = _plain(topic[1:].capitalize(), found)
    first_count = names.index("spikes")
    topics["/counts"] = _plain("Counts", names[first_count : names.index("saturated")])
    return topics


def _schema(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "type": "object", "properties": properties}


def _plain(title: str, names: list[str]) -> tuple[dict[str, Any], Message]:
    """Columns under their own names."""
    kinds = {"saturated": {"type": "boolean"}, "deadline_missed": {"type": "boolean"}}
    schema = _schema(f"spikearm.{title}", {name: kinds.get(name, _NULLABLE) for name in names})
    return schema, lambda tick: {name: tick[name] for name in names}


def _arrays(title: str, names: list[str], patterns: dict[str, str]) -> tuple[dict[str, Any], Message]:
    """Columns of all joints side by side."""
    groups = {
        key: [name for name in names if re.fullmatch(pattern.replace("*", r"\d+"), name)]
        for key, pattern in patterns.items()
    }
    schema = _schema(f"spikearm.{title}", dict.fromkeys(groups, _NUMBERS))
    return schema, lambda tick: {key: [tick[name] for name in group] for key, group in groups.items()}


def _pose(what: str) -> tuple[dict[str, Any], Message]:
    """Pose of the end effector, wanted or true, as viewers know it."""

    def message(tick: dict[str, Any]) -> dict[str, Any] | None:
        if tick[f"{what}_x_m"] is None:
            return None
        seconds = int(tick["t_s"])
        return {
            "timestamp": {"sec": seconds, "nsec": round(1e9 * (tick["t_s"] - seconds))},
            "frame_id": _FRAME,
            "pose": {
                "position": {axis: tick[f"{what}_{axis}_m"] for axis in "xyz"},
                "orientation": {axis: tick[f"{what}_q{axis}"] for axis in "xyzw"},
            },
        }

    time = {"type": "object", "properties": {"sec": {"type": "integer"}, "nsec": {"type": "integer"}}}
    parts = {
        "position": {"type": "object", "properties": dict.fromkeys("xyz", _NUMBER)},
        "orientation": {"type": "object", "properties": dict.fromkeys("xyzw", _NUMBER)},
    }
    pose = {"type": "object", "properties": parts}
    properties = {"timestamp": time, "frame_id": {"type": "string"}, "pose": pose}
    return _schema("foxglove.PoseInFrame", properties), message
