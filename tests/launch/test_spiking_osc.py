"""The spiking operational-space controller as a run composes it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.controller.orientation import displacement
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.errors import ConfigError, WeightsError
from spikearm.launch.compose import compose
from spikearm.launch.config import RunConfig, SpikingConfig
from spikearm.launch.reaches import Targets

SHORT = RunConfig(
    controller="spiking-osc",
    trials=2,
    duration_s=2.0,
    distance_m=0.12,
    targets=Targets(turn_rad=0.3),
    perturbation=NO_PERTURBATION,
)


def rmse_m(config):
    """Root mean square distance from the path."""
    run = compose(config)
    run.control.controller.reset()
    squares = []
    for target in run.control.schedule:
        squares.append(np.sum((run.plant.ee_position() - target.pose.position) ** 2))
        run.plant.write(run.control.controller.update(run.plant.read(), target).torque)
    run.close()
    return float(np.sqrt(np.mean(squares)))


@pytest.mark.parametrize("stage", ["rate", "spiking"])
def test_published_form_follows_like_the_analytic_controller(stage):
    config = dataclasses.replace(SHORT, feedforward=False, spiking=SpikingConfig(stage=stage))
    analytic = rmse_m(dataclasses.replace(config, controller="osc"))
    assert 0.02 < analytic < 0.03
    assert rmse_m(config) == pytest.approx(analytic, rel=0.0413)


def test_with_feedforward_spikes_keep_within_their_limit():
    assert rmse_m(SHORT) < 1.5e-3


def test_node_stage_errs_by_the_truncated_expansion_alone():
    config = dataclasses.replace(SHORT, spiking=SpikingConfig(stage="nodes"))
    assert rmse_m(config) < 1e-3


def test_no_model_of_the_arm_is_used_while_the_controller_runs(monkeypatch):
    run = compose(SHORT)

    def refuse(*_, **__):
        raise AssertionError("the controller asked the arm's model")

    for name in ("update", "mass_matrix", "bias", "jacobian", "jacobian_dot_dq", "pose"):
        monkeypatch.setattr(MujocoDynamics, name, refuse)
    torques = []
    for target in run.control.schedule.targets[:100]:
        command = run.control.controller.update(run.plant.read(), target)
        torques.append(command.torque)
        run.plant.write(command.torque)
    run.control.controller.close()
    assert np.abs(torques[-1]).max() > 10.0  # gravity at least
    start = displacement(run.control.schedule.targets[0].pose, run.plant.ee_pose())
    assert np.linalg.norm(start) < 0.05


def test_spiking_run_has_a_cost():
    run = compose(dataclasses.replace(SHORT, backend="loihi"))
    command = run.control.controller.update(run.plant.read(), run.control.schedule.targets[0])
    for target in run.control.schedule.targets[1:20]:
        command = run.control.controller.update(run.plant.read(), target)
    run.control.controller.close()
    assert command.counts.spikes > 0
    assert command.cost.total_j > 0


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"gains": Gains(kp=100.0)}, ConfigError, r"trained for kp = 150, kd = 24\.4949, ki = 0"),
        ({"arm": "planar2"}, WeightsError, "no weights of a spiking controller"),
        (
            {"backend": "loihi", "spiking": SpikingConfig(stage="rate")},
            ConfigError,
            "stage 'rate' has no spikes and runs on the reference only",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, text):
    if changes.get("arm") == "planar2":
        changes = {**changes, "targets": Targets()}
    with pytest.raises(error, match=text):
        compose(dataclasses.replace(SHORT, **changes))
