from __future__ import annotations

import nengo
import numpy as np
import pytest

from spikearm.errors import StateError
from spikearm.hardware.loihi.config import LoihiConfig
from spikearm.hardware.reference import ReferenceBackend


def _target(state):
    return np.array([6.0 + 4.0 * state[0], -3.0 + 5.0 * state[1]])


def _learn(program, drive, n_steps):
    """Root mean square of what the torque lacks [N m], by quarter."""
    torque, errors = np.zeros(2), []
    for i in range(n_steps):
        wanted = _target(drive(i)["state"])
        torque = program.step(drive(i, error=torque - wanted)).outputs["torque"]
        errors.append(torque - wanted)
    return np.sqrt((np.array(errors).reshape(4, -1) ** 2).mean(axis=1))


def test_a_function_of_the_state_is_learned_as_on_the_reference(make_network, compiled, drive):
    network = make_network(100)
    reference = ReferenceBackend().compile(network, dt_s=0.001, seed=0)
    expected = _learn(reference, drive, 3000)
    reference.close()
    found = _learn(compiled(network), drive, 3000)
    assert expected[-1] < 0.4 * expected[0]
    # Weights of 8 bits, errors of 8 bits, spikes for values: a tenth more error than floating point.
    np.testing.assert_allclose(found, expected, rtol=0.15)


def test_two_ensembles_learn_together(make_network, compiled, drive):
    errors = _learn(compiled(make_network(100, n_ensembles=2)), drive, 2000)
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_the_decoded_state_of_an_error_free_run_is_silent(make_network, compiled, drive, sign):
    program = compiled(make_network())
    for i in range(50):
        state = {"state": sign * drive(i)["state"], "error": np.zeros(2)}
        torque = program.step(state).outputs["torque"]
    np.testing.assert_array_equal(torque, 0.0)


def test_a_coarser_weight_exponent_learns_too(make_network, compiled, drive):
    errors = _learn(compiled(make_network(), LoihiConfig(pes_wgt_exp=4)), drive, 1000)
    assert errors[-1] < errors[0]


def test_reset_forgets_what_was_learned(make_network, compiled, drive):
    program = compiled(make_network())
    _learn(program, drive, 200)
    assert max(np.abs(w).max() for w in _learned_rows(program)) > 0
    program.reset()
    assert max(np.abs(w).max() for w in _learned_rows(program)) == 0


def _learned_rows(program):
    synapses = program._simulator.sims["emulator"].synapses.slices
    return next(synapse.weights for synapse in synapses if synapse.learning)


def test_state_is_exact_at_every_phase_of_the_learning_epoch(make_network, compiled, drive):
    network = make_network(20)
    program, twin = compiled(network), compiled(network)
    for i in range(9):
        torque = program.step(drive(i, error=(-3.0, 3.0))).outputs["torque"]
        state = program.state_dict()
        twin.load_state_dict(state)
        for name, array in twin.state_dict().items():
            np.testing.assert_array_equal(array, state[name])
        ours = [program.step(drive(j, error=(-3.0, 3.0))).outputs["torque"] for j in range(i + 1, i + 12)]
        theirs = [twin.step(drive(j, error=(-3.0, 3.0))).outputs["torque"] for j in range(i + 1, i + 12)]
        np.testing.assert_array_equal(ours, theirs)
        program.load_state_dict(state)
    assert np.isfinite(torque).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("to_chip/0", np.array([[5, 4000]]), "has spikes of neurons outside 0 to 7"),
        ("to_chip/0", np.zeros((2, 3), dtype=np.int64), "is not a list of"),
        ("to_host/0", np.zeros((0, 3)), "is not a list of times with 2 values"),
        ("chip/t", np.array(1.5), "is not a whole number"),
        ("chip/trace_spikes0", np.zeros(3, dtype=bool), r"is bool of shape \(3,\), not bool of \(60,\)"),
        ("chip/weights0", np.zeros(3, dtype=np.int32), r"is int32 of shape \(3,\), not int32 of \(240,\)"),
    ],
)
def test_damaged_queues_and_arrays_are_refused(make_network, compiled, drive, name, value, message):
    program = compiled(make_network())
    program.step(drive())
    state = {**program.state_dict(), name: value}
    with pytest.raises(StateError, match=message):
        program.load_state_dict(state)


def test_a_program_keeps_no_data_of_probes(make_network, compiled, drive):
    class Probed:
        inputs, outputs = make_network().inputs, make_network().outputs

        def build(self, *, seed):
            ported = make_network().build(seed=seed)
            ensemble = ported.network.all_ensembles[0]
            with ported.network:
                for attr in ("output", "voltage"):
                    nengo.Probe(ensemble.neurons[:5], attr)
                nengo.Probe(ensemble)
            return ported

    program = compiled(Probed())
    probes = program._simulator.sims["emulator"].probes
    torques = [program.step(drive(i, error=(-2.0, 1.0))).outputs["torque"] for i in range(100)]
    assert len(probes.outputs) == 4
    assert all(parts == [] for outputs in probes.outputs.values() for parts in outputs)
    assert np.abs(torques).max() > 0


def test_inputs_arrive_a_step_later_and_answers_another(make_network, compiled, drive):
    """Host, chip, host: what a spike causes on the chip can reach the output two steps after it was sent."""
    quiet, driven = compiled(make_network()), compiled(make_network())
    torques = []
    for i in range(300):
        error = (-3.0, 3.0)
        state = drive(0)["state"]
        late = state if i < 150 else -state
        a = quiet.step({"state": state, "error": np.array(error)}).outputs["torque"]
        b = driven.step({"state": late, "error": np.array(error)}).outputs["torque"]
        torques.append(not np.array_equal(a, b))
    first = torques.index(True)
    assert first >= 152
    assert first < 200
