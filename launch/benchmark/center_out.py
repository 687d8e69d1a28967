"""``center-out``: centre-out reaching in 3-D with orientation, as DeWolf et al. 2023 measure it.

Published (Neuromorph. Comput. Eng. 3 014007): centre-out reaching of a 7-DOF arm, position and orientation;
root mean square of the end effector's deviation from the ideal trajectory, in percent more than that of the
analytic controller. Ours, since the paper does not give them: the eight corners of a cube, the turns, the
length and time of a reach, minimum jerk as the ideal, the gains.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.cost import CostModel
from spikearm.hardware.host_cost import GPU_COST, HOST_COST
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.benchmark.jobs import Job
from spikearm.launch.benchmark.rows import Result, Variant, costs, job_key, runs_of
from spikearm.launch.benchmark.statistics import bootstrap_paired, percent_more_rms
from spikearm.launch.config import RunConfig, SpikingConfig
from spikearm.launch.device_variants import DAY_S
from spikearm.launch.reaches import N_CORNERS, Targets
from spikearm.models.osc import STAGES
from spikearm.records import FloatArray, OpCounts

FORMS = {"published": False, "feedforward": True}
"""Forms of the law: whether it knows the target's velocity and acceleration."""

ANALYTIC = "analytic"


@dataclass(frozen=True)
class CenterOut:
    """Settings of the protocol.

    Attributes:
        arm: A shipped arm, or the path of an MJCF file; it must move and turn in all directions.
        sessions: Sessions, each with the cube of targets turned. Turns, networks and devices, too, are drawn
            anew.
        rounds: Rounds to the eight targets and back in a session.
        distance_m: From the centre to each target [m].
        turn_rad: Turn on the way to each target [rad].
        reach_s: Time of a reach, out or back [s].
        forms: Forms of the control law. Each is a block of the table: "published" damps all motion,
            "feedforward" knows the target's velocity and acceleration.
        stages: Stages of the spiking controller. Each is a row, on the reference substrate.
        backends: Substrates that run its last stage.
        seed: Seed of the first session; nothing was tuned on those of the default.
    """

    arm: str = "iiwa14"
    sessions: int = 5
    rounds: int = 1
    distance_m: float = 0.15
    turn_rad: float = 0.35
    reach_s: float = 1.0
    forms: tuple[str, ...] = tuple(FORMS)
    stages: tuple[str, ...] = STAGES[:-1]
    backends: tuple[str, ...] = ("loihi", "crossbar")
    seed: int = 4001

    def __post_init__(self) -> None:
        for name in ("sessions", "rounds"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("distance_m", "reach_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be a positive number, not {value!r}.")
        if not self.forms:
            raise ConfigError(f"forms needs at least one of {', '.join(FORMS)}; leave it out for all.")
        choices = {"form of the law": (self.forms, FORMS), "stage": (self.stages, STAGES)}
        choices["backend"] = (self.backends, tuple(BACKENDS))
        for kind, (chosen, known) in choices.items():
            for name in chosen:
                if name not in known:
                    raise UnknownNameError(kind, name, known)

    @property
    def trials(self) -> int:
        """Reaches of a session."""
        return 2 * N_CORNERS * self.rounds


QUICK = CenterOut(sessions=1)
"""A first impression: one session says nothing about chance."""


def variants(settings: CenterOut, form: str) -> list[Variant]:
    """All rows of a block: the analytic controller, stages of the spiking one, its last stage by substrate.

    Crossbars have a second row, with devices that were written a day before and have drifted since.
    """
    analytic = RunConfig(
        arm=settings.arm,
        controller="osc",
        feedforward=FORMS[form],
        trials=settings.trials,
        duration_s=settings.trials * settings.reach_s,
        distance_m=settings.distance_m,
        targets=Targets(n=N_CORNERS, arrangement="cube", turn_rad=settings.turn_rad),
        perturbation=NO_PERTURBATION,
    )
    spiking = dataclasses.replace(analytic, controller="spiking-osc")
    staged = [
        Variant(stage, dataclasses.replace(spiking, spiking=SpikingConfig(stage=stage)))  # type: ignore[arg-type]
        for stage in settings.stages
    ]
    rows = [Variant(ANALYTIC, analytic), *staged]
    for backend in settings.backends:
        on_substrate = dataclasses.replace(spiking, backend=backend)
        rows.append(Variant(backend, on_substrate))
        if backend == "crossbar":
            drifted = dataclasses.replace(on_substrate.crossbar, programmed_s=DAY_S)
            rows.append(Variant("crossbar, a day old", dataclasses.replace(on_substrate, crossbar=drifted)))
    return rows


def jobs(settings: CenterOut) -> list[Job]:
    """Every controller in every session, in each form of the law."""
    return [Job(key, config) for key, config in _jobs(settings)]


def _jobs(settings: CenterOut) -> Iterator[tuple[str, RunConfig]]:
    for session in range(settings.sessions):
        for form in settings.forms:
            for variant in variants(settings, form):
                config = dataclasses.replace(variant.config, seed=settings.seed + session)
                yield job_key(form, variant, session), config


def summarise(settings: CenterOut, results: Mapping[str, Result]) -> list[dict[str, Any]]:
    """The blocks of the table, one per form; rows of which a session is missing are left out."""
    return [_block(settings, form, results) for form in settings.forms]


def _block(settings: CenterOut, form: str, results: Mapping[str, Result]) -> dict[str, Any]:
    rows, baseline = [], None
    processors: list[dict[str, Any]] = []
    for variant in variants(settings, form):
        runs = runs_of(results, form, variant, settings.sessions)
        if runs is None:
            continue
        if variant.label == ANALYTIC:
            baseline = runs
        rows.append(variant.about() | _errors(runs) | _more(settings, runs, baseline) | costs(variant, runs))
        if variant.is_counted and variant.config.backend == "reference":
            processors = [_on(model, runs) for model in (HOST_COST, GPU_COST)]
    return {"form": form, "feedforward": FORMS[form], "rows": rows, "processors": processors}


def _errors(runs: list[Result]) -> dict[str, Any]:
    """Deviation from the ideal trajectory over all reaches of all sessions."""
    trials = {name: np.array([run["trials"][name] for run in runs]) for name in runs[0]["trials"]}
    return {
        "rmse_m": _rms(trials["rms_m"]),
        "rmse_m_by_session": [_rms(session) for session in trials["rms_m"]],
        "max_m": float(trials["max_m"].max()),
        "off_line_rms_m": _rms(trials["off_line_rms_m"]),
        "turn_rms_rad": _rms(trials["turn_rms_rad"]),
        "turn_max_rad": float(trials["turn_max_rad"].max()),
    }


def _more(settings: CenterOut, runs: list[Result], baseline: list[Result] | None) -> dict[str, Any]:
    """Percent more than the analytic controller in the same reaches; None without it.

    The interval resamples sessions, since the reaches of one share targets, network and devices.
    """
    if baseline is None:
        return {"more_percent": None, "more_percent_by_session": None}
    ours, theirs = (
        np.array([np.mean(np.square(run["trials"]["rms_m"])) for run in of]) for of in (runs, baseline)
    )
    more = bootstrap_paired(ours, theirs, percent_more_rms, np.random.default_rng(settings.seed))
    by_session = percent_more_rms(ours, theirs).tolist()
    return {"more_percent": more.document(), "more_percent_by_session": by_session}


def _on(model: CostModel, runs: list[Result]) -> dict[str, Any]:
    """The same network on a clocked processor, by its cost model: energy of a tick, errors as they were."""
    dt_s = runs[0]["control_dt_s"]
    joules = [model.estimate(OpCounts(**run["counts_per_tick"]), dt_s).total_j for run in runs]
    return {"label": model.name, "energy_model_j": float(np.mean(joules))}


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
