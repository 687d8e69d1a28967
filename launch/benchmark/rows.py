"""The rows of a benchmark's table: a controller on a substrate, its runs, and what its ticks cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikearm.envs.arms import load_arm
from spikearm.launch.compose import adaptive_network
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.mapping import to_mapping

LAWS = ("osc", "pd", "pid")
"""Controllers without a network."""

Result = Mapping[str, Any]
"""What :func:`spikearm.launch.benchmark.measure.measure` returns of one run."""


@dataclass(frozen=True)
class Variant:
    """One row: a controller on a substrate.

    Attributes:
        label: Name of the row, unique within its block.
        config: Controller, network and substrate; the rest is the session's.
    """

    label: str
    config: RunConfig

    @property
    def has_network(self) -> bool:
        """Whether anything of it runs on a substrate."""
        return self.config.controller not in LAWS

    def about(self) -> dict[str, Any]:
        """What the row is, for the document; ``config`` has every setting, those of a session left out."""
        network = self.config.network if self.config.controller == "adaptive" else None
        return {
            "label": self.label,
            "controller": self.config.controller,
            "backend": self.config.backend if self.has_network else None,
            "encoder": None if network is None else network.encoder,
            "state_share": None if network is None else network.state_share,
            "n_neurons": None if network is None else network.n_neurons,
            "learning_rule": None if network is None else network.learning_rule,
            "learning_rate": None if network is None else self._rate(network),
            "config": to_mapping(self.config),
        }

    def _rate(self, network: NetworkConfig) -> float:
        """The learning rate in force, whether it was set or is the network's own."""
        return adaptive_network(network, load_arm(self.config.arm)).rate

    @property
    def is_counted(self) -> bool:
        """Whether the substrate does all of the work, so that its operations can be counted and priced.

        The first stage of spiking control is the law in functions of the host, products apart.
        """
        return self.has_network and not (
            self.config.controller == "spiking-osc" and self.config.spiking.stage == "nodes"
        )


def job_key(block: str, variant: Variant, session: int) -> str:
    """Key of a run, which is also its path."""
    label = variant.label.replace(",", "").replace(" ", "-").lower()
    return f"{block}/{label}/session-{session + 1}"


def runs_of(
    results: Mapping[str, Result], block: str, variant: Variant, n_sessions: int
) -> list[Result] | None:
    """The runs of a row by session, or None as long as one is missing."""
    runs = [results.get(job_key(block, variant, session)) for session in range(n_sessions)]
    complete = [run for run in runs if run is not None]
    return complete if len(complete) == n_sessions else None


def costs(variant: Variant, runs: Sequence[Result]) -> dict[str, Any]:
    """Means over sessions of what a tick cost; None where nothing modelled or measured a value."""
    measured = {
        "tick_s": float(np.median([run["tick_s"] for run in runs])),
        "energy_measured_j": _mean([run["energy_measured_j_per_tick"] for run in runs]),
        "saturated_ticks": _mean([float(run["saturated_ticks"]) for run in runs]),
    }
    counted = runs if variant.is_counted else ()
    return measured | {
        "neurons_in_all": _mean([run["counts_per_tick"]["neuron_updates"] for run in counted]),
        "latency_model_s": _mean([run["latency_model_s_mean"] for run in counted]),
        "energy_model_j": _mean([run["energy_model_j_per_tick"]["total"] for run in counted]),
        "energy_chip_j": _mean([run["energy_chip_j_per_tick"] for run in counted]),
        "energy_chip_scope": counted[0]["energy_chip_scope"] if counted else None,
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
