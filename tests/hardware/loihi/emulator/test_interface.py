"""What a user of nengo-loihi's emulator relies on, beyond the states that the other tests compare."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse
from nengo.exceptions import SimulationError
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.builder.discretize import VTH_MAX, discretize_model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput
from nengo_loihi.probe import LoihiProbe

from spikearm.errors import CapacityError
from spikearm.hardware.loihi import CompiledEmulator

BOTH = pytest.mark.parametrize("emulator", [CompiledEmulator, EmulatorInterface])


def make_emulator(kind, model, seed=0):
    with np.errstate(invalid="ignore"):
        return kind(model, seed=seed)


def flooded(n_axons, n_steps=12, learning=False):
    """Spikes on all axons in every step, weights of 1, one compartment pair."""
    model = Model()
    spike_input = SpikeInput(n_axons)
    for t in range(1, n_steps + 1):
        spike_input.add_spikes(t, np.arange(n_axons), permanent=t % 2 == 0)
    model.add_input(spike_input)
    block = LoihiBlock(2)
    block.compartment.configure_relu()
    block.compartment.configure_filter(0.1)
    model.add_block(block)
    synapse = Synapse(n_axons)
    synapse.set_weights(np.ones((n_axons, 2)))
    if learning:
        synapse.set_learning(tracing_tau=4, tracing_mag=10.0, learning_rate=1e-4)
    block.add_synapse(synapse)
    axon = Axon(n_axons)
    axon.target = synapse
    spike_input.add_axon(axon)
    for key in ("current", "voltage", "spiked"):
        model.add_probe(LoihiProbe(target=block, key=key))
    discretize_model(model)
    block.compartment.vmin = -(2**22) + 1
    block.compartment.vth[:] = VTH_MAX
    return model, block, synapse, spike_input


def outcome(kind, model, n_steps=12):
    """What was raised and when, and what came before it."""
    emulator = make_emulator(kind, model)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            emulator.run_steps(n_steps)
            raised = None
        except SimulationError as error:
            raised = str(error)
    data = [emulator.collect_probe_output(probe).tolist() for probe in model.probes]
    return raised, emulator.t, {str(warning.message) for warning in caught}, data


@pytest.mark.parametrize(("n_axons", "message"), [(100, "Overflow in current"), (1000, "Overflow in q0")])
@pytest.mark.parametrize("strict", [True, False])
def test_registers_overflow_like_the_stock_emulators(monkeypatch, n_axons, message, strict):
    monkeypatch.setattr(EmulatorInterface, "strict", strict)
    ours, theirs = (outcome(kind, flooded(n_axons)[0]) for kind in (CompiledEmulator, EmulatorInterface))
    assert ours == theirs
    assert message == ours[0] if strict else message in ours[2]


@pytest.mark.parametrize("strict", [True, False])
def test_lost_trace_spikes_are_told_like_the_stock_emulators(monkeypatch, strict):
    monkeypatch.setattr(EmulatorInterface, "strict", strict)
    ours, theirs = (outcome(k, flooded(3, learning=True)[0]) for k in (CompiledEmulator, EmulatorInterface))
    assert ours == theirs
    assert "Synaptic trace spikes lost" in (ours[2] if not strict else {ours[0]})


def test_after_an_error_spikes_of_later_steps_are_still_in_the_queue(monkeypatch):
    monkeypatch.setattr(EmulatorInterface, "strict", True)
    queues = []
    for kind in (CompiledEmulator, EmulatorInterface):
        model, *_, spike_input = flooded(1000)
        outcome(kind, model)
        queues.append({t: list(spikes) for t, spikes in spike_input.spikes.items()})
    assert queues[0] == queues[1]


def test_many_steps_at_once_are_many_single_steps(random_pair):
    for seed in range(12):
        together, single = random_pair(seed).compiled, random_pair(seed).compiled
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            together.run_steps(150)
            for _ in range(150):
                single.step()
        assert together.t == single.t == 150
        for name in ("current", "voltage", "spiked", "spike_count"):
            np.testing.assert_array_equal(
                getattr(together.compartment, name), getattr(single.compartment, name)
            )
        for ours, theirs in zip(together.probes.probes, single.probes.probes, strict=True):
            np.testing.assert_array_equal(
                together.collect_probe_output(ours), single.collect_probe_output(theirs)
            )


def test_stretches_longer_than_the_records_are_joined(random_pair):
    pair = random_pair(1)
    pair.compiled.probes.max_steps = 7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pair.stock.run_steps(60)
        pair.compiled.run_steps(60)
    pair.compare_probes()


def test_events_are_counted_in_every_step():
    emulator = make_emulator(CompiledEmulator, flooded(1000)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        emulator.run_steps(3)
    assert emulator.events.shape == (3, 6)
    assert emulator.events[1:, 3].tolist() == [2, 2]  # both inputs overflow
    assert emulator.wiring.arrivals.tolist() == [1000]
    assert emulator.wiring.operations.tolist() == [2000]


def test_of_repeated_indices_the_last_counts():
    """A sparse matrix may name an entry twice; NumPy's ``x[i] += w`` then adds the last only."""
    states = []
    for kind in (CompiledEmulator, EmulatorInterface):
        model, _, synapse, _ = flooded(2)
        twice = scipy.sparse.csr_matrix(
            (np.array([1.0, 2.0, 3.0, 1.0]), [0, 1, 0, 1], [0, 3, 4]), shape=(2, 2)
        )
        synapse.set_weights(twice)
        for rows in synapse.weights:
            rows.dtype = np.int32
            rows[...] = np.arange(1, rows.size + 1) * 64
        emulator = make_emulator(kind, model)
        emulator.run_steps(3)
        states.append((emulator.compartment.input.tolist(), emulator.compartment.current.tolist()))
    assert states[0] == states[1]
    assert states[0][0] == [[3 * 64, 2 * 64 + 64]]


@BOTH
def test_spikes_of_neurons_that_do_not_exist_are_an_error(emulator):
    model, *_, spike_input = flooded(3)
    chip = make_emulator(emulator, model)
    spike_input.spikes[1] = np.array([0, 7])
    with pytest.raises(IndexError):
        chip.run_steps(2)


@BOTH
def test_axons_that_lead_out_of_their_block_are_an_error_when_a_spike_takes_them(emulator):
    model, _, synapse, _ = flooded(3)
    synapse.axon_compartment_bases = np.array([0, 1, -1])
    chip = make_emulator(emulator, model)
    chip.step()
    with pytest.raises(IndexError):
        chip.step()


@BOTH
def test_probes_of_anything_else_work_as_in_the_stock_emulator(emulator):
    model, block, *_ = flooded(3)
    probe = LoihiProbe(target=block, key="spike_count", slice=slice(1, None))
    model.add_probe(probe)
    chip = make_emulator(emulator, model)
    chip.run_steps(5)
    assert chip.collect_probe_output(probe).tolist() == [[0]] * 5


@BOTH
def test_probes_can_be_collected_after_closing(emulator):
    model = flooded(3)[0]
    with make_emulator(emulator, model) as chip:
        assert not chip.closed
        chip.run_steps(5)
    assert chip.closed
    assert chip.collect_probe_output(model.probes[0]).shape == (5, 2)


def test_another_generator_is_taken_over():
    emulator = make_emulator(CompiledEmulator, flooded(3)[0])
    emulator.step()
    emulator.rng = np.random.RandomState(3)
    emulator.step()
    expected = np.random.RandomState(3)
    expected.randint(-127, 128, size=2, dtype=np.int32)
    assert emulator.rng.rand() == expected.rand()


def test_learned_weights_are_seen_through_the_model():
    model, _, synapse, _ = flooded(3, learning=True)
    emulator = make_emulator(CompiledEmulator, model)
    before = [rows.copy() for rows in synapse.weights]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        emulator.host2chip([], [(synapse, 1, np.array([0.9]))])
        emulator.run_steps(8)
    assert any((a != b).any() for a, b in zip(before, synapse.weights, strict=True))
    assert emulator.pending(synapse).shape == (3,)


@pytest.mark.parametrize("error", [np.array([np.nan]), np.array([1e30]), np.array([-3e9])])
def test_errors_beyond_32_bits_end_as_in_the_stock_emulator(error):
    results = []
    for kind in (CompiledEmulator, EmulatorInterface):
        model, _, synapse, _ = flooded(3, learning=True)
        emulator = make_emulator(kind, model)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            emulator.host2chip([], [(synapse, 1, error)])
        said = {str(warning.message) for warning in caught}
        results.append((emulator.synapses.pes_errors[synapse].tolist(), said))
    assert results[0] == results[1]


def test_errors_of_the_wrong_shape_are_refused():
    model, _, synapse, _ = flooded(3, learning=True)
    emulator = make_emulator(CompiledEmulator, model)
    with pytest.raises(ValueError, match=r"the error has shape \(2,\), the learned connection wants \(1,\)"):
        emulator.host2chip([], [(synapse, 1, np.zeros(2))])


def test_learning_on_anything_but_a_full_matrix_is_refused():
    model, _, synapse, _ = flooded(3, learning=True)
    synapse.weights[1] = synapse.weights[1][:, :1]
    synapse.indices[1] = synapse.indices[1][:, :1]
    with pytest.raises(
        CapacityError, match=r"needs one row of 2 weights for each of its 3 axons; use a dense"
    ):
        make_emulator(CompiledEmulator, model)


def test_preparing_changes_nothing(random_pair):
    pair = random_pair(2)
    pair.compiled.prepare()
    pair.step()
    pair.compare()
