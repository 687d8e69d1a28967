import dataclasses

import nengo
import numpy as np
import pytest

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.hardware.reference import ReferenceBackend
from spikearm.models.osc import SpikingOSC
from spikearm.models.osc_rates import DEAD_TIME_S, HIDDEN_HZ, PRODUCT_HZ, rates
from spikearm.models.osc_weights import readout_name

STATE = np.array((0.7, -0.5, 0.3, -0.2))
TARGET = {
    "target": np.array((0.02, -0.01, 0.03, 0.1, 0.0, -0.1)),
    "velocity": np.array((0.1, 0.0, -0.2, 0.0, 0.3, 0.0)),
    "acceleration": np.array((0.5, 1.0, 0.0, -0.5, 0.0, 2.0)),
}


def inputs(spec):
    return {"state": STATE} | {name: TARGET[name] for name in spec.inputs if name != "state"}


def command(spec):
    gains = {"target": spec.weights.kp, "velocity": spec.weights.damping, "acceleration": 1.0}
    return sum(gains[name] * TARGET[name] for name in spec.inputs if name != "state")


def run(spec, n_steps):
    """Output of every step, shape (n_steps, size)."""
    program = ReferenceBackend().compile(spec, dt_s=0.001, seed=0)
    ((name, _),) = spec.outputs.items()
    outputs = np.array([program.step(inputs(spec)).outputs[name] for _ in range(n_steps)])
    program.close()
    return outputs


@pytest.fixture
def spec(osc_weights):
    return SpikingOSC(osc_weights, lead_s=0.0)


@pytest.mark.parametrize("feedforward", [False, True])
def test_rate_stage_is_the_perceptron_the_products_and_the_decoders(spec, feedforward):
    spec = dataclasses.replace(spec, stage="rate", feedforward=feedforward)
    decoders = spec.weights.readout(readout_name("rates", feedforward=feedforward))
    activity = rates(spec.weights, STATE[None], command(spec)[None])[0]
    np.testing.assert_allclose(run(spec, 3)[-1], decoders @ np.append(activity, 1.0), rtol=1e-9)


def test_spikes_are_the_rates_in_the_mean(spec):
    spec = dataclasses.replace(spec, stage="spiking", observed=True)
    activity = run(spec, 2000)[500:].mean(axis=0)
    wanted = rates(spec.weights, STATE[None], command(spec)[None], "spikes")[0]
    np.testing.assert_allclose(activity, wanted, atol=0.05 * wanted.max())


def test_observing_changes_nothing_but_what_is_given(spec):
    decoders = spec.used_decoders()
    torque = run(spec, 50)
    activity = run(dataclasses.replace(spec, observed=True), 50)
    assert np.abs(torque).max() > 0.1
    np.testing.assert_allclose(torque, activity @ decoders[:, :-1].T + decoders[:, -1], atol=1e-9)


def test_node_stage_is_the_reduced_algebra(spec, rng):
    weights = spec.weights
    reduced = rng.normal(size=6 + weights.n_modes + weights.n_joints)
    spec = dataclasses.replace(spec, stage="nodes", reduction=lambda state: reduced + state.sum())
    y, modes, support = np.split(reduced + STATE.sum(), (6, 9))
    task = weights.task_matrix + sum(c * A for c, A in zip(modes, weights.task_modes, strict=True))
    np.testing.assert_allclose(run(spec, 2)[-1], task @ (command(spec) - y) + support, rtol=1e-9)


def test_joint_angles_are_extrapolated_by_the_time_the_hidden_layers_take(spec):
    ahead = dataclasses.replace(spec, lead_s=0.01, stage="spiking", observed=True)
    later = dataclasses.replace(spec, stage="spiking", observed=True)
    program = ReferenceBackend().compile(later, dt_s=0.001, seed=0)
    moved = STATE + np.append(0.01 * STATE[2:], (0.0, 0.0))
    for wanted in run(ahead, 20):
        got = program.step(inputs(later) | {"state": moved}).outputs["activity"]
        np.testing.assert_allclose(got, wanted, atol=1e-9)
    program.close()


def test_between_the_ports_lie_neurons_and_two_constants(spec):
    network = spec.build(seed=0).network
    functions = {node.label for node in network.all_nodes if node.output is not None}
    ports = {"state", "target", "velocity", "acceleration", "torque"}
    assert functions - ports - {"scaled", "drive"} == {"linear", "offset"}
    (torque,) = (node for node in network.all_nodes if node.label == "torque")
    into_torque = [c for c in network.all_connections if c.post_obj is torque]
    others = [c.pre_obj for c in into_torque if not isinstance(c.pre_obj, nengo.ensemble.Neurons)]
    (offset,) = others
    np.testing.assert_array_equal(offset.output, spec.used_decoders()[:, -1])


def test_published_form_takes_the_pose_of_the_target_alone(spec):
    assert set(dataclasses.replace(spec, feedforward=False).inputs) == {"state", "target"}


def test_dead_time_is_made_up_for_by_what_a_spike_counts(spec):
    slow = dataclasses.replace(spec, dead_time=True)
    plain, larger = (
        np.array([ensemble.neuron_type.amplitude for ensemble in s.build(seed=0).network.all_ensembles])
        for s in (spec, slow)
    )
    rates_hz = np.array((HIDDEN_HZ, HIDDEN_HZ, PRODUCT_HZ))
    np.testing.assert_allclose(plain, 1.0 / rates_hz)
    np.testing.assert_allclose(larger / plain, 1.0 + DEAD_TIME_S * rates_hz * 0.45)


def test_dead_time_has_decoders_of_its_own(spec):
    slow = dataclasses.replace(spec, dead_time=True)
    np.testing.assert_array_equal(slow.used_decoders(), spec.weights.readout("feedforward, dead time"))
    (reduce,) = (c for c in slow.build(seed=0).network.all_connections if c.label == "osc.reduce")
    sizes = np.abs(spec.weights.encoders).max(axis=0)[6:, None]
    np.testing.assert_allclose(reduce.transform.init[6:], sizes * spec.weights.reduction("dead time")[6:])


def test_what_goes_round_the_neurons_is_linear_in_the_state(spec, rng):
    network = spec.build(seed=0).network
    (linear,) = (node for node in network.all_nodes if node.label == "linear")
    x, y = rng.normal(size=(2, linear.size_in))
    both = linear.output(0.0, x) - 2.0 * linear.output(0.0, y)
    np.testing.assert_allclose(linear.output(0.0, x - 2.0 * y), both)
    (to_command,) = (c for c in network.all_connections if c.pre_obj is linear)
    assert to_command.synapse == nengo.Alpha(spec.tau_s)


def test_what_goes_round_the_neurons_is_of_the_scaled_state_once_for_all_copies(spec):
    ported = spec.build(seed=0)
    scaled, linear = (
        next(node for node in ported.network.all_nodes if node.label == label)
        for label in ("scaled", "linear")
    )
    part = linear.output(0.0, scaled.output(0.0, STATE))
    wanted = -spec.weights.skip @ spec.weights.scaling(STATE) / spec.weights.command_range
    np.testing.assert_allclose(part, wanted, rtol=1e-12)
    assert ported.host_macs == spec.weights.skip.size


def test_the_algebra_of_the_node_stage_is_declared(spec):
    ported = dataclasses.replace(spec, stage="nodes", reduction=lambda state: np.zeros(11)).build(seed=0)
    assert ported.host_macs == 3 * 2 * 6 + 2 * 6  # modes, then the task's matrix


def test_product_neurons_get_accelerations_and_modes_of_about_one_size(spec):
    encoders = [c for c in spec.build(seed=0).network.all_connections if c.label == "osc.encode"]
    for connection in encoders:
        np.testing.assert_allclose(np.abs(connection.transform.init).max(axis=0), 1.0)


def test_velocity_of_the_target_is_as_late_as_that_of_the_arm(spec):
    def from_velocity(stage):
        network = dataclasses.replace(spec, stage=stage).build(seed=0).network
        (connection,) = (c for c in network.all_connections if getattr(c.pre_obj, "label", "") == "velocity")
        return connection.synapse

    assert from_velocity("rate") is None
    assert from_velocity("spiking") == nengo.Alpha(spec.tau_s)


def test_wrong_settings_are_refused(spec):
    with pytest.raises(UnknownNameError, match="stage"):
        dataclasses.replace(spec, stage="spikes")
    with pytest.raises(ConfigError, match=r'stage "nodes" takes the reduced representation from a function'):
        dataclasses.replace(spec, stage="nodes")
    with pytest.raises(ConfigError, match="there are no neurons to observe"):
        dataclasses.replace(spec, stage="nodes", reduction=lambda state: state, observed=True)
    with pytest.raises(ConfigError, match="copies must be at least 1, not 0"):
        dataclasses.replace(spec, copies=0)
    with pytest.raises(ConfigError, match=r"decoders must have the shape \(2, 35\), not \(2, 3\)"):
        dataclasses.replace(spec, decoders=np.zeros((2, 3)))
    with pytest.raises(UnknownNameError, match="read-out"):
        spec.weights.readout("fedforward")
