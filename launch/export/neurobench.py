"""The metrics of NeuroBench that a closed loop has, from a run's log.

Names and definitions are those of Yik et al. 2025, "The neurobench framework for benchmarking neuromorphic
computing algorithms and systems", Nat. Commun. 16, 1545. NeuroBench has no closed-loop task and defines no
metric of learning, latency or energy; those stay in ``summary.json``. Operations are per execution of the
model, which is a step of the network, as the substrate of the run counted them: on Loihi, where every value
travels as spikes, all synaptic operations are accumulates.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import nengo
import numpy as np
from nengo.builder.neurons import SimNeurons
from nengo.builder.operator import DotInc

from spikearm.controller.ticklog import read_ticks
from spikearm.envs.arms import load_arm
from spikearm.errors import ConfigError, JournalError
from spikearm.launch.compose import adaptive_network
from spikearm.launch.config import NETWORKED, RunConfig
from spikearm.launch.recovery import settings_of
from spikearm.launch.summary import column, in_reaches, mean_counts
from spikearm.records import OpCounts

_OPS_PER_UPDATE = 4
"""Operations of a neuron in a step, as NeuroBench 2.3 counts its leaky one (``Leaky``): decay, input, and two
for the reset. The neurons here are leaky or, with a decay of one, without a leak."""

_PER_EXECUTION = "per execution (one step of the network), mean of the reaches"
_UNITS = {
    "Footprint": "bytes, in the double precision of the reference",
    "SynapticOperations": f"{_PER_EXECUTION}; each weight once, however many devices it has",
    "MembraneUpdates": f"{_PER_EXECUTION}; neurons whose state was advanced",
    "NeuronOperations": f"{_PER_EXECUTION}; effective: of neurons that received input or fired, where the "
    "substrate tells them apart",
    "ModelExecutionRate": "Hz",
    "MSE": "m^2, distance of the end effector from the desired trajectory",
}


def export_neurobench(run: Path, path: Path) -> int:
    """One JSON document about the reaches of a run; returns the number of their ticks.

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
    table = table.filter(in_reaches(table))
    if not table.num_rows:
        raise JournalError(f"{run} ended before its first reach: there is no error to export.")
    counts = mean_counts(table)
    executions = config.control_dt_s / config.network.network_dt_s  # of the network, per tick
    network = _of_network(config)
    document = {
        "Footprint": network.footprint_bytes,
        "ConnectionSparsity": network.zero_weights / network.weights,
        "ActivationSparsity": 1.0 - counts.spikes / counts.neuron_updates,
        "SynapticOperations": {
            "Effective_MACs": _effective_macs(config, counts, network) / executions,
            "Effective_ACs": counts.synaptic_ops / executions,
            "Dense": counts.synaptic_ops_dense / executions,
        },
        "MembraneUpdates": counts.neuron_updates / executions,
        "NeuronOperations": {
            "Effective Neuron Ops": _OPS_PER_UPDATE * counts.neuron_updates_active / executions,
            "Neuron Dense Ops": _OPS_PER_UPDATE * counts.neuron_updates / executions,
        },
        "ModelExecutionRate": 1.0 / config.network.network_dt_s,
        "MSE": float(np.nanmean(np.square(column(table, "position_error_m")))),
        "units": _UNITS,
        "task": {"name": "closed-loop reaching", "arm": config.arm, "backend": config.backend},
    }
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return int(table.num_rows)


@dataclass(frozen=True)
class _Network:
    """Sizes of a network as it is described, whatever it ran on."""

    footprint_bytes: int
    weights: int
    zero_weights: int
    real_macs: int


def _effective_macs(config: RunConfig, counts: OpCounts, network: _Network) -> float:
    """Products of weights with real values that are not zero, per tick.

    A crossbar counts cells, several per weight where it has several pairs of devices, and the reads that
    compensate drift; its products are those of the description, which it carries out one by one.
    """
    if config.backend == "crossbar":
        return network.real_macs * config.control_dt_s / config.network.network_dt_s
    return counts.active_macs - counts.synaptic_ops


def _of_network(config: RunConfig) -> _Network:
    """Footprint, sparsity and products of the network.

    Weights that are learned count as connections: they are zero only before the first error. Real values
    are taken to be other than zero in every step.
    """
    spec = adaptive_network(config.network, load_arm(config.arm))
    ported = spec.build(seed=0)
    with nengo.Simulator(
        ported.network, dt=config.network.network_dt_s, progress_bar=False, optimize=False
    ) as simulator:
        operators = simulator.model.operators
        signals = {signal.base for op in operators for signal in op.all_signals}
        spikes = {op.output.base for op in operators if isinstance(op, SimNeurons) and op.neurons.spiking}
        products = [op for op in operators if isinstance(op, DotInc)]
        zeros = [int((op.A.initial_value == 0).sum()) if op.A.base.readonly else 0 for op in products]
        effective = [op.A.size - n for op, n in zip(products, zeros, strict=True) if op.X.base not in spikes]
        return _Network(
            footprint_bytes=int(sum(signal.initial_value.nbytes for signal in signals)),
            weights=sum(op.A.size for op in products),
            zero_weights=sum(zeros),
            real_macs=sum(effective),
        )
