"""Learned decoders of more neurons than a core has input axons, spread over several cores.

Nothing about the neurons changes: not their number, encoders, rates, nor the integers they become, so that
they spike as before, bit for bit. Only the decoders' core is divided: each part takes the axons of some of
the neurons, gets all errors, and learns at the rate of the whole connection; the host adds up the outputs.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from nengo_loihi.block import Axon, LoihiBlock
from nengo_loihi.builder import Model
from nengo_loihi.probe import LoihiProbe

from spikearm.records import FloatArray

MAX_IN_AXONS = 4096
MAX_SYNAPSE_BITS = 1_048_576

PARTS = "decoder_parts"
"""In ``model.objs`` of a connection: synapses and probes of all parts, if there are several."""


def split_decoders(model: Model) -> None:
    """Split every learned connection built so far that needs more axons or memory than a core has.

    Args:
        model: Being built; not yet cut to cores and not yet discretised.
    """
    for probe, connection in model.nengo_probe_conns.items():
        built = model.objs[connection]
        if PARTS not in built and "decoders" in built and built["decoders"].learning:
            n_parts = _parts_needed(built["decoders"])
            if n_parts > 1:
                built[PARTS] = _split(model, built, model.objs[probe]["out"], n_parts)


def error_targets(model: Model, connection: Any) -> tuple[Any, ...]:
    """The synapses that learn from the errors of a connection."""
    built = model.objs[connection]
    return built[PARTS][0] if PARTS in built else (built["decoders"],)


def summing_receivers(model: Model, receivers: Mapping[Any, Any]) -> dict[Any, Any]:
    """What receives the values of each probe, the parts of one connection added up.

    Args:
        model: The built model.
        receivers: For each probe of a whole connection, its receiver on the host.
    """
    parts = {
        probes[0]: probes for built in model.objs.values() if PARTS in built for probes in [built[PARTS][1]]
    }
    summing: dict[Any, Any] = {}
    for probe, receiver in receivers.items():
        probes = parts.get(probe, (probe,))
        shared = receiver if len(probes) == 1 else _Sum(receiver, len(probes))
        summing.update(dict.fromkeys(probes, shared))
    return summing


class _Sum:
    """Adds up what some probes say in one step, and passes it on."""

    def __init__(self, receiver: Any, n_parts: int) -> None:
        self._receiver = receiver
        self._n_parts = n_parts
        self._heard: list[FloatArray] = []

    def receive(self, t_s: float, values: FloatArray) -> None:
        """Take one part's values; the last part's completes the sum."""
        self._heard.append(values)
        if len(self._heard) == self._n_parts:
            self._receiver.receive(t_s, np.sum(self._heard, axis=0))
            self._heard.clear()


def _parts_needed(decoders: Any) -> int:
    """The fewest parts that fit; nengo-loihi refuses what does not for another reason."""
    n_axons: int = decoders.n_axons
    most_axons = min(MAX_IN_AXONS, MAX_SYNAPSE_BITS // (decoders.bits() // n_axons))
    return -(-n_axons // max(1, int(most_axons)))


def _split(
    model: Model, built: dict[str, Any], probe: LoihiProbe, n_parts: int
) -> tuple[tuple[Any, ...], tuple[LoihiProbe, ...]]:
    """Cut the axons of a decoder block into runs of nearly equal length; the first stays in its place."""
    whole, decoders, axon = built["decoded"], built["decoders"], built["decode_axon"]
    source = next(block for block in model.blocks if axon in block.axons)
    bounds = np.linspace(0, decoders.n_axons, n_parts + 1).astype(int).tolist()
    synapses, probes = [], []
    for first, last in itertools.pairwise(bounds[1:]):
        block = LoihiBlock(whole.n_neurons, label=f"{whole.label}[{first}:{last}]")
        block.compartment = copy.deepcopy(whole.compartment)
        synapse = copy.copy(decoders)
        synapse.synapse_cfg = copy.copy(decoders.synapse_cfg)
        _keep(synapse, first, last)
        block.add_synapse(synapse)
        source.add_axon(_axon_to(synapse, axon, first, last))
        model.add_block(block)
        part = LoihiProbe(
            [block], probe.key, [slice(None)], [np.array(w) for w in probe.weights], probe.synapse
        )
        model.add_probe(part)
        synapses.append(synapse)
        probes.append(part)
    _keep(decoders, 0, bounds[1])
    source.axons[source.axons.index(axon)] = _axon_to(decoders, axon, 0, bounds[1])
    whole.label = f"{whole.label}[0:{bounds[1]}]"
    return (decoders, *synapses), (probe, *probes)


def _keep(synapse: Any, first: int, last: int) -> None:
    """Leave a synapse group only some of its axons."""
    synapse.n_axons = last - first
    synapse.weights, synapse.indices = synapse.weights[first:last], synapse.indices[first:last]


def _axon_to(synapse: Any, axon: Axon, first: int, last: int) -> Axon:
    """The part of an axon group that leads to these of its synapses."""
    part = Axon(last - first, label=axon.label)
    part.target = synapse
    old = np.asarray(axon.compartment_map)
    part.set_compartment_axon_map(np.where((old >= first) & (old < last), old - first, -1).astype(np.int32))
    return part
