"""What an encoder is worth: reaches in the loop under a perturbation of a family it was not trained on.

All neurons lie behind the encoder here, although a run lets some of them see the state beside it.
"""

from __future__ import annotations

import dataclasses
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikearm.controller.path import Schedule, sample
from spikearm.envs.arms import ARMS, ArmSpec
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.families import draw_from
from spikearm.envs.perturbation import Perturbation
from spikearm.launch.compose import compose
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.reaches import Targets, draw_reaches
from spikearm.records import FloatArray

_N_TARGETS = 5
_REACH_S = 0.8
_CONTROL_DT_S = 0.001


@dataclass(frozen=True)
class Check:
    """Mean distance from the path: without adaptation, on the state itself, and behind the encoder.

    Attributes:
        family: Family of the perturbation.
        n_trials: Reaches of each run.
        without_m: Without adaptation [m].
        raw_m: With 1000 neurons on the state itself: in all reaches, and in the last third of them [m].
        encoded_m: With as many behind the encoder [m].
        quarter_m: With a quarter of them behind the encoder [m].
    """

    family: str
    n_trials: int
    without_m: float
    raw_m: tuple[float, float]
    encoded_m: tuple[float, float]
    quarter_m: tuple[float, float]

    def line(self) -> str:
        """One line for people."""
        raw, encoded, quarter = (
            "{:.2f} and {:.2f} mm".format(*(1e3 * value for value in pair))
            for pair in (self.raw_m, self.encoded_m, self.quarter_m)
        )
        return (
            f"{self.family}: {1e3 * self.without_m:.2f} mm without adaptation; mean of {self.n_trials} "
            f"reaches and of the last third: {raw} on the state itself, {encoded} with this encoder, "
            f"{quarter} with a quarter of the neurons"
        )


def check(arm: ArmSpec, encoder: Path, family: str, *, n_trials: int, seed: int) -> Check:
    """Carry out the runs, each at the learning rate that is its default.

    Args:
        arm: The arm.
        encoder: The encoder's weights.
        family: Family to draw the perturbation from.
        n_trials: Reaches of each run.
        seed: Draws perturbation, targets and network.
    """
    rng = np.random.default_rng(seed)
    perturbation = draw_from(arm, rng, family)
    schedule = reaching(arm, rng, n_trials)
    network = NetworkConfig()
    raw = _errors(arm, perturbation, schedule, dataclasses.replace(network, encoder="none"), seed)
    encoded = dataclasses.replace(network, encoder=str(encoder), state_share=0.0)
    quarter = dataclasses.replace(encoded, n_neurons=network.n_neurons // 4)
    return Check(
        family=family,
        n_trials=n_trials,
        without_m=float(_errors(arm, perturbation, schedule, None, seed).mean()),
        raw_m=_all_and_late(raw),
        encoded_m=_all_and_late(_errors(arm, perturbation, schedule, encoded, seed)),
        quarter_m=_all_and_late(_errors(arm, perturbation, schedule, quarter, seed)),
    )


def reaching(arm: ArmSpec, rng: np.random.Generator, n_trials: int) -> Schedule:
    """Reaches from the arm's home to several targets in turn, and back after each."""
    reaches = draw_reaches(
        arm,
        MujocoDynamics(arm),
        rng,
        targets=Targets(n=_N_TARGETS),
        distance_m=None,
        n_reaches=n_trials,
        duration_s=_REACH_S,
    )
    return sample(reaches, _CONTROL_DT_S)


def _errors(
    arm: ArmSpec, perturbation: Perturbation, schedule: Schedule, network: NetworkConfig | None, seed: int
) -> FloatArray:
    """Mean distance from the path in every reach [m], without a log."""
    config = RunConfig(
        arm=arm.name if arm.name in ARMS else str(arm.path),
        controller="osc" if network is None else "adaptive",
        perturbation=perturbation,
        network=network or NetworkConfig(),
        seed=seed,
        trials=1,
    )
    with closing(compose(config)) as run:
        controller = run.control.controller
        distance_m = np.empty(len(schedule))
        for tick, target in enumerate(schedule):
            command = controller.update(run.plant.read(), target)
            distance_m[tick] = np.linalg.norm(run.plant.ee_position() - target.pose.position)
            controller.notify_applied(command.torque, run.plant.write(command.torque))
    reach = np.asarray(schedule.reach_index)
    return np.array([distance_m[reach == r].mean() for r in np.unique(reach)])


def _all_and_late(errors_m: FloatArray) -> tuple[float, float]:
    return float(errors_m.mean()), float(errors_m[-max(1, len(errors_m) // 3) :].mean())
