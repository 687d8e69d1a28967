from __future__ import annotations

import numpy as np
import pytest

from spikearm.errors import StateError
from spikearm.hardware.loihi import decoders
from spikearm.hardware.loihi.program import LoihiProgram

N = 120
N_STEPS = 400


@pytest.fixture
def divided(make_network, compiled, monkeypatch):
    """A network whose learned connection is spread over some cores, though it would fit on one."""

    def compile_(n_parts):
        with monkeypatch.context() as patch:
            patch.setattr(decoders, "MAX_IN_AXONS", -(-N // n_parts))
            return compiled(make_network(N))

    return compile_


def _run(program, drive, n_steps=N_STEPS):
    """Spikes of the neurons, torques, and counts, while a lasting error is learned from."""
    spikes, torques, counts = [], [], []
    for i in range(n_steps):
        result = program.step(drive(i, error=(-2.0, 1.0)))
        spikes.append(program._simulator.sims["emulator"].compartment.spiked[:N].copy())
        torques.append(result.outputs["torque"])
        counts.append(result.counts)
    return np.array(spikes), np.array(torques), counts


def _rms(values):
    return np.sqrt((values**2).mean())


def _learned(program):
    return [s for block in program._simulator.model.blocks for s in block.synapses if s.learning]


@pytest.mark.parametrize("n_parts", [2, 3, 7])
def test_parts_of_decoders_learn_what_the_whole_learns(make_network, compiled, divided, drive, n_parts):
    whole, again, parts = compiled(make_network(N)), compiled(make_network(N)), divided(n_parts)
    again._simulator.sims["emulator"].rng = np.random.RandomState(99)  # the same chip, rounding otherwise
    spikes, torques, counts = _run(whole, drive)
    _, torques_again, _ = _run(again, drive)
    spikes_of_parts, torques_of_parts, counts_of_parts = _run(parts, drive)
    assert [len(_learned(p)) for p in (whole, parts)] == [1, n_parts]
    assert spikes.sum() > 100
    np.testing.assert_array_equal(spikes_of_parts, spikes)
    assert np.abs(torques).max() > 2.0
    # The chip rounds at random: parts differ from the whole as one run of the whole does from another.
    assert _rms(torques_of_parts - torques) < 1.5 * _rms(torques_again - torques) < 0.25 * _rms(torques)
    for name in ("spikes", "synaptic_ops", "synaptic_ops_dense", "learning_updates", "spike_messages"):
        totals = [sum(getattr(c, name) for c in found) for found in (counts, counts_of_parts)]
        assert totals[0] == totals[1], name


def test_without_learning_the_sum_of_the_parts_is_the_whole(make_network, compiled, divided, drive):
    """Weights set to the same numbers in the parts and in the whole: the same output but for rounding."""
    whole, parts = compiled(make_network(N)), divided(3)
    rng = np.random.default_rng(0)
    scale = _learned(whole)[0].synapse_cfg.scale  # of whole numbers, which random rounding leaves alone
    positive = rng.integers(-100, 100, (N, 2), dtype=np.int32) * scale
    rows = np.hstack([positive, -positive])  # an output is a pair of compartments
    for program in (whole, parts):
        weights = [row for synapse in _learned(program) for row in synapse.weights]
        for row, values in zip(weights, rows, strict=True):
            row[...] = values
    outputs = [np.array([p.step(drive(i)).outputs["torque"] for i in range(200)]) for p in (whole, parts)]
    assert np.abs(outputs[0]).max() > 0.1
    # Each part rounds its own decay, in every step of a filter of 10 ms.
    np.testing.assert_allclose(outputs[1], outputs[0], atol=0.03 * np.abs(outputs[0]).max())


def test_every_neuron_has_one_axon_to_one_part(divided):
    model = divided(7)._simulator.model
    synapses = [s for block in model.blocks for s in block.synapses if s.learning]
    axons = [axon for block in model.blocks for axon in block.axons if axon.target in synapses]
    maps = np.array([axon.compartment_map for axon in axons])
    assert (maps >= 0).sum(axis=0).tolist() == [1] * N
    assert [axon.n_axons for axon in axons] == [synapse.n_axons for synapse in synapses]
    assert sum(synapse.n_axons for synapse in synapses) == N


@pytest.mark.slow
def test_more_than_4096_neurons_learn_together(make_network, compiled, drive):
    program = compiled(make_network(5000))
    assert isinstance(program, LoihiProgram)
    in_axons = [part.resources["input axons"].used for part in program.utilisation.parts]
    assert in_axons[-2:] == [2500, 2500]
    for i in range(60):
        torque = program.step(drive(i, error=(-3.0, 3.0))).outputs["torque"]
    assert torque[0] > 0 > torque[1]


def test_wide_outputs_are_split_by_memory(compiled, make_network, monkeypatch):
    monkeypatch.setattr(decoders, "MAX_SYNAPSE_BITS", 64 * 50)  # one axon to 4 decoders takes 64 bits
    program = compiled(make_network(N))
    assert [synapse.n_axons for synapse in _learned(program)] == [40, 40, 40]


def test_a_state_of_parts_is_no_state_of_the_whole(make_network, compiled, divided, drive):
    whole, parts = compiled(make_network(N)), divided(2)
    _run(parts, drive, 9)
    state = parts.state_dict()
    after = [parts.step(drive(i)).outputs["torque"] for i in range(12)]
    parts.load_state_dict(state)
    np.testing.assert_array_equal([parts.step(drive(i)).outputs["torque"] for i in range(12)], after)
    with pytest.raises(StateError, match="does not belong here"):
        whole.load_state_dict(state)
