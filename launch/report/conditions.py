"""What tells runs from one another: their labels, and whether their numbers may be compared at all."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.launch.config import NETWORKED, RunConfig
from spikearm.launch.mapping import to_mapping
from spikearm.launch.report.run_data import RunData, read_runs

_MOST_SETTINGS = 3


def perturbation_words(perturbation: Perturbation) -> str:
    """What differs from an unperturbed arm."""
    changed = {
        field.name: getattr(perturbation, field.name)
        for field in dataclasses.fields(perturbation)
        if getattr(perturbation, field.name) != getattr(NO_PERTURBATION, field.name)
    }
    payload_kg = changed.pop("payload_kg", None)
    parts = [] if payload_kg is None else [f"{payload_kg:g} kg"]
    parts += [
        f"{name.replace('_', ' ')} {value:g}" if isinstance(value, float) else name.replace("_", " ")
        for name, value in changed.items()
    ]
    return ", ".join(parts) or "no perturbation"


def _reach_words(config: RunConfig) -> str:
    targets = config.targets
    parts = [] if config.distance_m is None else [f"{config.distance_m:g} m"]
    parts += [f"{targets.n} targets"] if targets.n > 1 else []
    parts += ["cube"] if targets.arrangement == "cube" else []
    parts += [f"turns of {targets.turn_rad:g} rad"] if targets.turn_rad else []
    return ", ".join(parts) or "one target at the usual distance"


@dataclasses.dataclass(frozen=True)
class Condition:
    """Something that runs have to have in common for a number of theirs to be comparable.

    Attributes:
        name: What it is called on the page.
        of: Its value for a run; values are compared.
        words: The value in words.
    """

    name: str
    of: Callable[[RunConfig], Any]
    words: Callable[[RunConfig], str]


TASK = (
    Condition("arm", lambda c: c.arm, lambda c: c.arm),
    Condition("perturbation", lambda c: c.perturbation, lambda c: perturbation_words(c.perturbation)),
    Condition("targets", lambda c: (c.targets, c.distance_m), _reach_words),
    Condition("seed", lambda c: c.seed, lambda c: f"seed {c.seed}"),
    Condition(
        "reaches",
        lambda c: (c.n_trials, round(c.reach_s, 9)),
        lambda c: f"{c.n_trials} × {c.reach_s:g} s",
    ),
    Condition("control step", lambda c: c.control_dt_s, lambda c: f"ticks of {1e3 * c.control_dt_s:g} ms"),
)
"""What decides where the arm has to go and what it meets on the way: the errors of runs that differ in one
of these say nothing about their controllers. The seed draws the targets."""

PACE = (
    Condition("pace", lambda c: c.realtime, lambda c: "in real time" if c.realtime else "free-running"),
    Condition(
        "delay of the torque",
        lambda c: c.actuation_delay,
        lambda c: "delayed torque" if c.actuation_delay == "modelled" else "torque not delayed",
    ),
)
"""What else changes the meaning of times and of missed deadlines."""

_BESIDE = {"out", "name", "backend", "controller", "trials", "duration_s", "distance_m", "targets", "seed"}
_BESIDE |= {"arm", "perturbation", "control_dt_s", "realtime", "actuation_delay"}


def differing(runs: Sequence[RunData], conditions: Iterable[Condition] = (*TASK, *PACE)) -> list[Condition]:
    """The conditions that not all runs share."""
    return [c for c in conditions if any(c.of(run.config) != c.of(runs[0].config) for run in runs)]


def alike(runs: Sequence[RunData]) -> list[list[RunData]]:
    """The runs in groups that did the same task as far, in the order of the page."""
    groups: list[list[RunData]] = []
    for run in runs:
        mine = next((group for group in groups if _same_task(group[0], run)), None)
        if mine is None:
            groups.append([run])
        else:
            mine.append(run)
    return groups


def _same_task(one: RunData, other: RunData) -> bool:
    as_far = one.summary["reaches_done"] == other.summary["reaches_done"]
    return as_far and not differing([one, other], TASK)


def baselines(runs: Sequence[RunData]) -> list[tuple[str, RunData]]:
    """Runs whose reaches without adaptation differ from one another, each with a name for these."""
    found: dict[tuple[float, ...], RunData] = {}
    for run in runs:
        if run.without_adaptation_m is not None:
            found.setdefault(tuple(run.without_adaptation_m), run)
    name, others = "without adaptation", list(found.values())
    task = differing(others, TASK) if others else []
    return [
        (name, run)
        if len(others) == 1
        else (f"{name} ({', '.join(c.words(run.config) for c in task) or run.label})", run)
        for run in others
    ]


def warning(runs: Sequence[RunData]) -> str | None:
    """What a reader must not compare, in words; None where all may be."""
    task, pace = differing(runs, TASK), differing(runs, PACE)
    if not task and not pace:
        return None
    words = f"These runs differ in {_and([_difference(runs, c) for c in (*task, *pace)])}."
    if task:
        words += " Errors are compared only between runs of the same task."
    if pace:
        words += " Times and missed deadlines of the one kind cannot be compared with those of the other."
    return words


def _difference(runs: Sequence[RunData], condition: Condition) -> str:
    values = dict.fromkeys(condition.words(run.config).removeprefix("seed ") for run in runs)
    return f"{condition.name} ({'; '.join(values)})"


def load_runs(folders: Sequence[Path]) -> list[RunData]:
    """The runs of some folders, with labels that tell them apart; see :func:`~.run_data.read_runs`."""
    return labelled(read_runs(folders))


def labelled(runs: Sequence[RunData]) -> list[RunData]:
    """The runs with labels that say what they differ in, and with places on the page.

    Args:
        runs: Their labels so far are names, or what they run on.
    """
    shown = differing(runs)
    labels = [
        ", ".join([run.label, *(c.words(run.config) for c in shown if not _said(run, c))]) for run in runs
    ]
    labels = _told_apart(labels, [_settings(run.config) for run in runs])
    same = {label for label, n in Counter(labels).items() if n > 1}
    return [
        dataclasses.replace(run, number=i, label=f"{label} ({run.folder.name})" if label in same else label)
        for i, (run, label) in enumerate(zip(runs, labels, strict=True))
    ]


def _said(run: RunData, condition: Condition) -> bool:
    """Whether the label has it: rows of a comparison are named after their perturbation."""
    return run.compared and condition.name == "perturbation"


def _told_apart(labels: list[str], settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Runs of one label get the settings in which they differ, unless these are many."""
    told = list(labels)
    for label in {label for label, n in Counter(labels).items() if n > 1}:
        mine = [i for i, own in enumerate(labels) if own == label]
        keys = dict.fromkeys(key for i in mine for key in settings[i])
        differ = [k for k in keys if any(settings[i].get(k) != settings[mine[0]].get(k) for i in mine)]
        if 0 < len(differ) <= _MOST_SETTINGS:
            for i in mine:
                told[i] = ", ".join([label, *(_setting(key, settings[i].get(key)) for key in differ)])
    return told


def _setting(key: str, value: Any) -> str:
    name = key.rpartition(".")[2].replace("_", " ")
    return f"{name} {'as usual' if value is None else value}"


def _settings(config: RunConfig) -> dict[str, Any]:
    """All settings that change what the run does and are no condition of it, by dotted name."""
    parts = {"adaptive": {"network"}, "spiking-osc": {"spiking"}}.get(config.controller, set())
    parts = parts | ({config.backend} if config.controller in NETWORKED else set())
    unused = {"network", "spiking", "loihi", "crossbar"} - parts
    kept = {k: v for k, v in to_mapping(config).items() if k not in _BESIDE | unused}
    return dict(_leaves(kept, ""))


def _leaves(mapping: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
