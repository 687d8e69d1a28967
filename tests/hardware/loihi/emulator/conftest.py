"""Pairs of emulators, stock and compiled, on equal chips, and their comparison step by step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import nengo
import numpy as np
import pytest
import scipy.sparse
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.builder.discretize import discretize_model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput
from nengo_loihi.probe import LoihiProbe

from spikearm.hardware.loihi import CompiledEmulator

STATES = ("input", "current", "voltage", "spiked", "spike_count", "ref_count")
N_STEPS = 200


class ChipBuilder:
    """Draws a chip: the same generator state gives the same chip."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.model = Model()
        self.model.pes_error_scale = float(rng.choice([1.0, 20.0, 100.0]))
        self.learning: list[tuple[Synapse, int]] = []
        self.fed: list[SpikeInput] = []

    def build(self, discrete: bool) -> ChipBuilder:
        blocks = [self.block() for _ in range(self.rng.integers(1, 5))]
        self.fed = fed = [SpikeInput(int(self.rng.integers(1, 12))) for _ in range(self.rng.integers(0, 3))]
        played = [SpikeInput(int(self.rng.integers(1, 12))) for _ in range(self.rng.integers(0, 2))]
        for spike_input in (*fed, *played):
            self.model.add_input(spike_input)
        for spike_input in played:
            self.play(spike_input)
        for block in blocks:
            for _ in range(self.rng.integers(0, 4)):
                self.connect(self.rng.choice(np.array([*blocks, *fed, *played], dtype=object)), block)
        for _ in range(self.rng.integers(0, 5)):
            self.probe(blocks)
        if discrete:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # lost bits and the like: the same for both
                discretize_model(self.model)
            for block in blocks:
                self.strain(block)
        return self

    def strain(self, block: LoihiBlock) -> None:
        """Now and then, more than the chip's registers hold."""
        if self.rng.random() < 0.1:
            block.compartment.bias[:] = self.rng.integers(-(2**23), 2**23, block.n_neurons)
        if self.rng.random() < 0.1:
            for synapse in block.synapses:
                for rows in [] if synapse.learning else synapse.weights:
                    rows[...] *= 2**8

    def block(self) -> LoihiBlock:
        rng = self.rng
        block = LoihiBlock(int(2 * rng.integers(1, 20)))
        comp = block.compartment
        kind = rng.integers(4)
        if kind == 0:
            comp.configure_relu(tau_ref=rng.choice([0.0, 0.001, 0.003]))
        elif kind == 1:
            comp.configure_nonspiking(vth=10)
        else:
            comp.configure_lif(tau_rc=rng.uniform(0.005, 0.05), tau_ref=rng.choice([0.0, 0.001, 0.004]))
        comp.configure_filter(rng.choice([0.0, 0.002, 0.01, 0.1]))
        comp.bias[:] = rng.uniform(-0.3, 1.5, block.n_neurons)
        comp.vmin = rng.choice([0, -1, -10])
        if rng.random() < 0.5:
            comp.enable_noise[:] = rng.random() < 0.8
            comp.noise_exp = rng.uniform(-2.5, -0.5)
            comp.noise_offset = rng.choice([0.0, 0.5])
            comp.noise_at_membrane = int(rng.integers(2))
        self.model.add_block(block)
        return block

    def connect(self, source: LoihiBlock | SpikeInput, block: LoihiBlock) -> None:
        add = self.rng.choice(
            np.array([self.dense, self.sparse, self.population, self.learned], dtype=object)
        )
        synapse = Synapse(int(self.rng.integers(1, 15)))
        atoms = add(synapse, block.n_neurons)
        block.add_synapse(synapse)
        axon = Axon(synapse.n_axons)
        axon.target = synapse
        n = source.n_neurons
        axon.set_compartment_axon_map(
            self.rng.integers(-1, synapse.n_axons, n), self.rng.integers(0, atoms, n) if atoms else None
        )
        source.add_axon(axon)
        if self.rng.random() < 0.3:
            again = Axon(synapse.n_axons)
            again.target = synapse
            again.set_compartment_axon_map(axon.compartment_map, axon.compartment_atoms)
            source.add_axon(again)

    def dense(self, synapse: Synapse, n: int) -> int:
        synapse.set_weights(self.rng.normal(size=(synapse.n_axons, n)) / 2)
        return 0

    def sparse(self, synapse: Synapse, n: int) -> int:
        mask = self.rng.random((synapse.n_axons, n)) < 0.3
        mask[0, 0] = True
        synapse.set_weights(scipy.sparse.csr_matrix(mask * self.rng.normal(size=mask.shape)))
        return 0

    def population(self, synapse: Synapse, n: int) -> int:
        rng = self.rng
        n_atoms, n_rows, width = int(rng.integers(1, 5)), int(rng.integers(1, 4)), n // 2
        indices = [np.array([rng.permutation(width) for _ in range(n_atoms)]) for _ in range(n_rows)]
        synapse.set_population_weights(
            [rng.normal(size=(n_atoms, width)) for _ in range(n_rows)],
            indices,
            rng.integers(0, n_rows, synapse.n_axons),
            rng.integers(-1, n - width + 1, synapse.n_axons),
            pop_type=int(rng.choice([16, 32])),
        )
        return n_atoms

    def learned(self, synapse: Synapse, n: int) -> int:
        rng = self.rng
        synapse.set_weights(rng.normal(size=(synapse.n_axons, n)) * rng.choice([0, 1]))
        synapse.set_learning(
            learning_rate=10 ** rng.uniform(-6, -2),
            tracing_tau=int(rng.integers(2, 20)),
            tracing_mag=10 ** rng.uniform(-1, 3),
            wgt_exp=int(rng.integers(-6, 8)),
        )
        self.learning.append((synapse, n // 2))
        return 0

    def play(self, spike_input: SpikeInput) -> None:
        for t in range(1, N_STEPS):
            spikes = np.flatnonzero(self.rng.random(spike_input.n_neurons) < 0.3)
            spike_input.add_spikes(t, spikes, permanent=bool(self.rng.integers(2)))

    def probe(self, blocks: list[LoihiBlock]) -> None:
        rng = self.rng
        targets = [blocks[i] for i in rng.permutation(len(blocks))[: rng.integers(1, 3)]]
        key = rng.choice(["current", "voltage", "spiked"])
        slices = [
            [slice(None), slice(1, None, 2), [0], list(range(block.n_neurons))[::-1]][rng.integers(4)]
            for block in targets
        ]
        sizes = [np.arange(block.n_neurons)[own].size for block, own in zip(targets, slices, strict=True)]
        kind = rng.integers(3)
        weights = [None if kind == 0 else 1000.0 if kind == 1 else rng.normal(size=(n, 3)) for n in sizes]
        reindexing = rng.permutation(sum(sizes)) if kind < 2 and rng.random() < 0.5 else None
        synapse = nengo.Lowpass(0.01) if rng.random() < 0.3 else None
        self.model.add_probe(
            LoihiProbe(
                target=targets, key=key, slice=slices, weights=weights, synapse=synapse, reindexing=reindexing
            )
        )


class Pair:
    """The same chip on both emulators, driven by the same host."""

    def __init__(self, make: Callable[[], ChipBuilder], seed: int) -> None:
        chips = [make(), make()]
        with np.errstate(invalid="ignore"):
            self.stock = EmulatorInterface(chips[0].model, seed=seed)
        self.compiled = CompiledEmulator(chips[1].model, seed=seed)
        self.chips = dict(zip((self.stock, self.compiled), chips, strict=True))
        self._seed = seed

    def drive(self, emulator: Any) -> None:
        """What the host sends before a step: a function of the seed and the step alone."""
        rng = np.random.default_rng([self._seed, emulator.t])
        chip = self.chips[emulator]
        spikes = [(fed, emulator.t + 1, np.flatnonzero(rng.random(fed.n_neurons) < 0.3)) for fed in chip.fed]
        errors = [
            (synapse, emulator.t + 1, rng.normal(size=n) * 10 ** rng.uniform(-2, 1))
            for synapse, n in chip.learning
            if rng.random() < 0.9
        ]
        emulator.host2chip(spikes, errors)

    def step(self) -> tuple[list[str], list[str]]:
        """One step of both; the warnings of each, every one once."""
        said = []
        for emulator in (self.stock, self.compiled):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self.drive(emulator)
                emulator.step()
            said.append(sorted({str(warning.message) for warning in caught}))
        return said[0], said[1]

    def compare(self) -> None:
        """Every piece of state must be the same."""
        stock, compiled = self.stock, self.compiled
        assert compiled.t == stock.t
        for name in STATES:
            ours, theirs = getattr(compiled.compartment, name), getattr(stock.compartment, name)
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
        for ours, theirs in zip(compiled.synapses.slices, stock.synapses.slices, strict=True):
            assert _spikes(compiled, ours) == _spikes(stock, theirs)
            for row, other in zip(ours.weights, theirs.weights, strict=True):
                np.testing.assert_array_equal(row, other)
        for (ours, _), (theirs, _) in zip(
            self.chips[compiled].learning, self.chips[stock].learning, strict=True
        ):
            for name in ("traces", "pes_errors", "trace_spikes"):
                a, b = getattr(compiled.synapses, name)[ours], getattr(stock.synapses, name)[theirs]
                np.testing.assert_array_equal(a, b) if name != "trace_spikes" else _same(a, b)
        ours, theirs = compiled.rng.get_state(legacy=False), stock.rng.get_state(legacy=False)
        assert ours["state"]["pos"] == theirs["state"]["pos"]
        np.testing.assert_array_equal(ours["state"]["key"], theirs["state"]["key"])

    def compare_probes(self) -> None:
        """What the probes have seen since the last comparison."""
        probes = zip(self.chips[self.compiled].model.probes, self.chips[self.stock].model.probes, strict=True)
        for ours, theirs in probes:
            a, b = self.compiled.collect_probe_output(ours), self.stock.collect_probe_output(theirs)
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def _same(a: set[int], b: set[int]) -> None:
    assert a == b


def _spikes(emulator: Any, synapse: Synapse) -> list[tuple[int, int]]:
    return [(spike.axon_idx, spike.atom) for spike in emulator.synapses.spikes_in[synapse]]


@pytest.fixture
def random_pair():
    """Both emulators on a chip drawn from a seed."""

    def make(seed: int, discrete: bool = True) -> Pair:
        return Pair(lambda: ChipBuilder(np.random.default_rng(seed)).build(discrete), seed)

    return make
