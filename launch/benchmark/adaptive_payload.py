"""``adaptive-payload``: reaching under an unknown load, by the protocol of DeWolf et al. 2020.

Published (Front. Neurorobot. 14:568359): 5 sessions of 50 trials, a weight of 0.907 kg; PD control without
and with it, PID and spiking adaptation; error of a trial = mean distance from where the hand should be,
normalised between the two PD controllers; bootstrap of 3000 samples. Ours: the arm, the reaches, the state
encoder, the substrates, and the families of perturbation beside the weight.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import load_arm
from spikearm.envs.families import FAMILIES, HELD_OUT, draw_from
from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.registry import BACKENDS
from spikearm.launch.benchmark.jobs import Job
from spikearm.launch.benchmark.rows import Variant, job_key
from spikearm.launch.compose import adaptive_network
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.reaches import Targets
from spikearm.models.rules import LEARNING_RULES

WEIGHT = "weight"
"""The published perturbation; the others are families of which every session draws a member."""

PERTURBATIONS = (WEIGHT, *FAMILIES)
FREE_BLOCK = "free"
"""Where the unperturbed runs stand, which all blocks share."""

FREE, PD, PID = "PD, unperturbed", "PD", "PID"

SEEN = {"raw": ("none", 0.0), "encoded": ("shipped", 0.0), "mixed": ("shipped", 0.5)}
"""What the neurons of a row see: its encoder, and the share of those that see the state itself beside it."""


def _some(name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ConfigError(f"{name} needs at least one; leave the option out for all.")
    return values


@dataclass(frozen=True)
class AdaptivePayload:
    """Settings of the protocol; the defaults are its published size.

    Attributes:
        arm: A shipped arm, or the path of an MJCF file.
        sessions: Sessions, each with its own targets and network. They and all noise are the same for every
            controller.
        trials: Reaches of a session, out or back; learning goes on from one to the next.
        last: Last trials, whose mean error is the result.
        targets: Targets of a session, drawn at random. They are gone to in turn.
        reach_s: Time of a trial [s].
        perturbations: Loads and forces. Each is a block of the table: "weight", the published 0.907 kg, or
            a family of perturbations. By default the weight and the families held out from encoder training.
        backends: Substrates, at full size. Smaller networks run on the first.
        neurons: Sizes of the networks. The largest runs on all substrates, the others on the first one.
        learning_rules: Rules to learn by; the first in all rows, others in one row each.
        learning_rate: Of networks with an encoder; by default its own.
        raw_learning_rate: Of networks on the state itself; by default the best that was found for it.
        pid_ki: Integral gain of PID control in the task's axes [1/s^3]; by default the best of four, in
            sessions of other seeds.
        seed: Seed of the first session.
    """

    arm: str = "iiwa14"
    sessions: int = 5
    trials: int = 50
    last: int = 10
    targets: int = 5
    reach_s: float = 0.8
    perturbations: tuple[str, ...] = (WEIGHT, *HELD_OUT)
    backends: tuple[str, ...] = tuple(BACKENDS)
    neurons: tuple[int, ...] = (1000, 250)
    learning_rules: tuple[str, ...] = tuple(LEARNING_RULES)
    learning_rate: float | None = None
    raw_learning_rate: float | None = None
    pid_ki: float = 1500.0
    seed: int = 2001

    def __post_init__(self) -> None:
        for name in ("sessions", "trials", "last", "targets"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not (math.isfinite(self.reach_s) and self.reach_s > 0):
            raise ConfigError(f"reach_s must be a positive number, not {self.reach_s!r}.")
        if self.last > self.trials:
            raise ConfigError(f"last={self.last} is more than the {self.trials} trials of a session.")
        for name, known in (
            ("perturbations", PERTURBATIONS),
            ("backends", BACKENDS),
            ("learning_rules", LEARNING_RULES),
        ):
            for chosen in _some(name, getattr(self, name)):
                if chosen not in known:
                    raise UnknownNameError(name, chosen, known)
        if min(_some("neurons", self.neurons)) < 1:
            raise ConfigError(f"neurons must be at least 1 each, not {self.neurons}.")


QUICK = AdaptivePayload(sessions=2, trials=8, last=4, targets=2, neurons=(1000,))
"""A first impression, two rounds of two targets; too few trials for the published claim."""


def families_held_out(settings: AdaptivePayload) -> tuple[str, ...]:
    """Families of perturbation that training of the arm's encoder never saw, by the encoder's own record."""
    encoder = adaptive_network(NetworkConfig(), load_arm(settings.arm)).encoder
    return () if encoder is None else encoder.held_out


def unperturbed(settings: AdaptivePayload) -> Variant:
    """The row that is 0 on the scale of every block."""
    return Variant(FREE, RunConfig(arm=settings.arm, controller="osc"))


def variants(settings: AdaptivePayload) -> list[Variant]:
    """All rows of a block but the unperturbed one."""
    base = RunConfig(arm=settings.arm, controller="osc")
    rows = [Variant(PD, base), Variant(PID, dataclasses.replace(base, gains=Gains(ki=settings.pid_ki)))]
    largest = max(settings.neurons)
    for n_neurons in sorted(settings.neurons, reverse=True):
        backends = settings.backends if n_neurons == largest else settings.backends[:1]
        rows += [_adaptive(settings, backend, state, n_neurons) for state in SEEN for backend in backends]
    return rows + [_by_rule(settings, rule) for rule in settings.learning_rules[1:]]


def _adaptive(settings: AdaptivePayload, backend: str, state: str, n_neurons: int) -> Variant:
    encoder, state_share = SEEN[state]
    network = NetworkConfig(
        encoder=encoder,
        state_share=state_share,
        n_neurons=n_neurons,
        learning_rule=settings.learning_rules[0],
        learning_rate=settings.raw_learning_rate if encoder == "none" else settings.learning_rate,
    )
    config = RunConfig(arm=settings.arm, controller="adaptive", backend=backend, network=network)
    return Variant(network_label(state, n_neurons, backend), config)


def _by_rule(settings: AdaptivePayload, rule: str) -> Variant:
    """The largest network on the encoded state, learning by another rule at that rule's own rate."""
    n_neurons = max(settings.neurons)
    config = _adaptive(settings, settings.backends[0], "encoded", n_neurons).config
    network = dataclasses.replace(config.network, learning_rule=rule, learning_rate=None)
    return Variant(f"{rule} {n_neurons}", dataclasses.replace(config, network=network))


def network_label(state: str, n_neurons: int, backend: str) -> str:
    """Name of an adaptive row."""
    return f"{state} {n_neurons} {backend}"


def jobs(settings: AdaptivePayload) -> list[Job]:
    """Every controller in every session under every perturbation."""
    return [Job(key, config) for key, config in _jobs(settings)]


def _jobs(settings: AdaptivePayload) -> Iterator[tuple[str, RunConfig]]:
    for session in range(settings.sessions):
        free = _in_session(settings, session, unperturbed(settings), NO_PERTURBATION)
        yield job_key(FREE_BLOCK, unperturbed(settings), session), free
        for name in settings.perturbations:
            perturbation = perturbation_of(settings, name, session)
            for variant in variants(settings):
                yield job_key(name, variant, session), _in_session(settings, session, variant, perturbation)


def perturbation_of(settings: AdaptivePayload, name: str, session: int) -> Perturbation:
    """What a session suffers: drawn by session and family, whatever else is run."""
    arm = load_arm(settings.arm)
    if name == WEIGHT:
        return Perturbation(payload_kg=arm.payload_kg)
    stream = np.random.SeedSequence(settings.seed + session, spawn_key=(PERTURBATIONS.index(name),))
    return draw_from(arm, np.random.default_rng(stream), name)


def _in_session(
    settings: AdaptivePayload, session: int, variant: Variant, perturbation: Perturbation
) -> RunConfig:
    return dataclasses.replace(
        variant.config,
        trials=settings.trials,
        duration_s=settings.trials * settings.reach_s,
        targets=Targets(n=settings.targets),
        perturbation=perturbation,
        seed=settings.seed + session,
    )
