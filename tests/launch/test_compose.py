from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.joint import JointPID
from spikearm.controller.laws.osc import OperationalSpace
from spikearm.envs.arms import ARMS, load_arm
from spikearm.errors import TimeStepError, WeightsError
from spikearm.launch import compose as composing
from spikearm.launch.compose import (
    JOINT_INTEGRAL,
    adaptive_network,
    compose,
    state_scaling,
)
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.models.encoder import SHIPPED_FOR, load_encoder, save_encoder, shipped_encoder_path
from spikearm.models.node_perturbation import NodePerturbation
from spikearm.models.rules import Pes

SHORT = RunConfig(controller="osc", trials=2, duration_s=0.1)


@pytest.mark.parametrize(
    ("controller", "gains", "law", "ki"),
    [
        ("osc", Gains(), OperationalSpace, 0.0),
        ("pd", Gains(), JointPID, 0.0),
        ("pd", Gains(ki=7.0), JointPID, 0.0),
        ("pid", Gains(), JointPID, JOINT_INTEGRAL),
        ("pid", Gains(ki=7.0), JointPID, 7.0),
    ],
)
def test_controller_is_made_from_its_name(monkeypatch, controller, gains, law, ki):
    made = []
    for kind in (JointPID, OperationalSpace):
        monkeypatch.setattr(
            composing,
            kind.__name__,
            lambda dynamics, gains, *, kind=kind, **rest: (
                made.append((kind, gains)) or kind(dynamics, gains, **rest)
            ),
        )
    compose(dataclasses.replace(SHORT, controller=controller, gains=gains)).plant.close()
    ((kind, used),) = made
    assert (kind, used.ki, used.kp) == (law, ki, gains.kp)


def test_schedule_is_as_long_as_the_run():
    run = compose(SHORT)
    assert len(run.control.schedule) == SHORT.n_ticks == 100
    assert sorted(set(run.control.schedule.reach_index)) == [0, 1]


def test_laws_in_joint_space_get_joint_targets():
    assert compose(SHORT).control.schedule.targets[0].q is None
    q = compose(dataclasses.replace(SHORT, controller="pd")).control.schedule.targets[0].q
    np.testing.assert_allclose(q, ARMS["iiwa14"].home, atol=1e-6)


def test_only_an_adaptive_run_has_a_cost_model():
    assert compose(SHORT).control.cost_model is None
    run = compose(dataclasses.replace(SHORT, controller="adaptive"))
    assert run.control.cost_model is not None
    run.control.controller.close()


def test_network_has_the_settings_asked_for():
    settings = NetworkConfig(encoder="none", n_neurons=600, n_ensembles=3, learning_rate=1e-3)
    network = adaptive_network(settings, ARMS["planar3"])
    assert (network.n_neurons, network.n_ensembles, network.learning_rate) == (600, 3, 1e-3)
    assert network.encoder is None
    assert network.n_joints == 3
    assert network.torque_scale == ARMS["planar3"].torque_scale_nm
    assert network.scaling == state_scaling(ARMS["planar3"])


def test_network_learns_by_the_rule_asked_for():
    network = adaptive_network(NetworkConfig(learning_rule="node-perturbation"), ARMS["planar2"])
    assert network.rule == NodePerturbation()
    assert adaptive_network(NetworkConfig(), ARMS["planar2"]).rule == Pes()


def share(arm: str, **network) -> float:
    return adaptive_network(NetworkConfig(**network), ARMS[arm]).state_share


def test_share_asked_for_is_used_wherever_there_is_an_encoder():
    assert share("iiwa14", state_share=0.25) == share("planar2", state_share=0.25) == 0.25
    assert share("iiwa14", encoder="none", state_share=0.25) == share("ur5e", state_share=0.25) == 0.0


@pytest.mark.parametrize("name", sorted(ARMS.keys() - set(SHIPPED_FOR)))
def test_arm_without_shipped_weights_goes_without_an_encoder(name):
    assert adaptive_network(NetworkConfig(), ARMS[name]).encoder is None


@pytest.mark.parametrize("name", SHIPPED_FOR)
def test_shipped_arm_gets_its_shipped_encoder(name):
    network = adaptive_network(NetworkConfig(), ARMS[name])
    assert network.encoder is not None
    assert network.encoder.arm == name
    assert network.scaling == network.encoder.scaling


def test_other_arm_goes_without_an_encoder(tmp_path):
    path = tmp_path / "mine.xml"
    path.write_text(ARMS["planar2"].path.read_text())
    assert adaptive_network(NetworkConfig(), load_arm(path)).encoder is None


def test_missing_shipped_weights_are_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(composing, "shipped_encoder_path", lambda arm: tmp_path / f"{arm}.npz")
    with pytest.raises(WeightsError, match=r"no encoder weights at .*planar2\.npz; `spikearm train encoder`"):
        adaptive_network(NetworkConfig(), ARMS["planar2"])


def test_weights_from_a_file_are_used(tmp_path):
    path = tmp_path / "mine.npz"
    encoder = load_encoder(shipped_encoder_path("iiwa14"))
    save_encoder(path, dataclasses.replace(encoder, w3=2.0 * encoder.w3))
    network = adaptive_network(NetworkConfig(encoder=str(path)), ARMS["iiwa14"])
    np.testing.assert_allclose(network.encoder.w3, 2.0 * encoder.w3)


def test_state_is_scaled_about_home():
    arm = ARMS["planar2"]
    scaling = state_scaling(arm)
    np.testing.assert_array_equal(scaling(np.array([*arm.home, 0.0, 0.0])), 0.0)
    beyond = np.array([*arm.home, 0.0, 0.0]) + np.array([1, 1, 3, 3])
    np.testing.assert_allclose(scaling(beyond), 1.0)


def test_time_steps_are_checked_before_anything_is_compiled(monkeypatch):
    monkeypatch.setattr(composing, "make_backend", lambda *_, **__: pytest.fail("compiled"))
    settings = dataclasses.replace(SHORT, controller="adaptive", network=NetworkConfig(network_dt_s=0.0003))
    with pytest.raises(
        TimeStepError, match=r"control step 0\.001 s is not a multiple of network step 0\.0003"
    ):
        compose(settings)
