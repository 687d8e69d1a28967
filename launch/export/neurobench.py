"""The metrics of NeuroBench that a closed loop has, from a run's log.

Names and definitions are those of Yik et al. 2025, "The neurobench framework for benchmarking neuromorphic
computing algorithms and systems", Nat. Commun. 16, 1545. NeuroBench has no closed-loop task and defines no
metric of learning, latency or energy; those stay in ``summary.json``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nengo
import numpy as np
from nengo.builder.operator import DotInc

from spikearm.controller.ticklog import read_ticks
from spikearm.envs.arms import load_arm
from spikearm.errors import ConfigError
from spikearm.launch.compose import adaptive_network
from spikearm.launch.config import NETWORKED, RunConfig
from spikearm.launch.recovery import settings_of
from spikearm.launch.summary import column, mean_counts


def export_neurobench(run: Path, path: Path) -> int:
    """One JSON document; returns the number of ticks.

    Args:
        run: The run folder.
        path: The file; one that is there is replaced.

    Raises:
        ConfigError: The run had no adaptive network.
    """
    config = settings_of(run)
    if config.controller != "adaptive":
        raise ConfigError(
            f"{run} is a run of {config.controller}, "
            + (
                "and this export knows the adaptive network only."
                if config.controller in NETWORKED
                else "without a network: NeuroBench has no metric for it."
            )
        )
    table = read_ticks(run)
    counts = mean_counts(table)
    error_m = column(table, "position_error_m")
    document = {
        **_of_network(config),
        "ActivationSparsity": 1.0 - counts.spikes / counts.neuron_updates,
        "SynapticOperations": {
            "Effective_MACs": counts.active_macs - counts.synaptic_ops,
            "Effective_ACs": counts.synaptic_ops,
            "Dense": counts.synaptic_ops_dense,
        },
        "MembraneUpdates": counts.neuron_updates,
        "ModelExecutionRate": 1.0 / config.network.network_dt_s,
        "MSE": float(np.nanmean(np.square(error_m))),
        "units": {
            "Footprint": "bytes, in the double precision of the reference",
            "SynapticOperations": "per control tick, mean of the run",
            "MembraneUpdates": "per control tick, mean of the run",
            "ModelExecutionRate": "Hz",
            "MSE": "m^2, distance of the end effector from the desired trajectory",
        },
        "task": {"name": "closed-loop reaching", "arm": config.arm, "backend": config.backend},
    }
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return int(table.num_rows)


def _of_network(config: RunConfig) -> dict[str, Any]:
    """Footprint and sparsity of the network as it is described, whatever it ran on.

    Weights that are learned count as connections: they are zero only before the first error.
    """
    spec = adaptive_network(config.network, load_arm(config.arm))
    ported = spec.build(seed=0)
    with nengo.Simulator(
        ported.network, dt=config.network.network_dt_s, progress_bar=False, optimize=False
    ) as simulator:
        signals = {signal.base for op in simulator.model.operators for signal in op.all_signals}
        weights = [op.A for op in simulator.model.operators if isinstance(op, DotInc)]
        n_weights = sum(weight.size for weight in weights)
        n_zero = sum(int((w.initial_value == 0).sum()) for w in weights if w.base.readonly)
    return {
        "Footprint": int(sum(signal.initial_value.nbytes for signal in signals)),
        "ConnectionSparsity": n_zero / n_weights,
    }
