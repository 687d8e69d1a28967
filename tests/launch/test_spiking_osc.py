"""The spiking operational-space controller as a run composes it."""

from __future__ import annotations

import dataclasses
from contextlib import closing

import mujoco
import numpy as np
import pytest

from spikearm.controller.laws.gains import Gains
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import NO_PERTURBATION
from spikearm.errors import ConfigError, WeightsError
from spikearm.launch.compose import compose
from spikearm.launch.config import RunConfig, SpikingConfig
from spikearm.launch.reaches import Targets
from spikearm.models.osc_weights import load_osc, save_osc, shipped_osc_path

LIMIT_M = 1.5e-3
"""Largest error with feed-forward in spikes."""
N_COMPARED = 300
"""Ticks whose torques are compared."""

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
    assert rmse_m(SHORT) < LIMIT_M


def test_node_stage_errs_by_the_truncated_expansion_alone():
    config = dataclasses.replace(SHORT, spiking=SpikingConfig(stage="nodes"))
    assert rmse_m(config) < 1e-3


def torques(config, *, without_model=None):
    """All torques of a run [N m]; ``without_model`` is told the plant once everything is composed."""
    sent = []
    with closing(compose(config)) as run:
        run.control.controller.reset()
        if without_model is not None:
            without_model(run.plant)
        for target in run.control.schedule.targets[:N_COMPARED]:
            sent.append(run.control.controller.update(run.plant.read(), target).torque)
            run.plant.write(sent[-1])
    return np.array(sent)


@pytest.fixture
def without_model(monkeypatch):
    """Makes every model of an arm raise when asked, and MuJoCo itself for all data but the plant's."""

    def refuse(*_, **__):
        raise AssertionError("somebody asked a model of the arm")

    def install(plant):
        for name, member in vars(MujocoDynamics).items():
            if not name.startswith("_"):
                refusing = property(refuse) if isinstance(member, property) else refuse
                monkeypatch.setattr(MujocoDynamics, name, refusing)
        mine, kinds = (plant.model, plant.data), (mujoco.MjModel, mujoco.MjData)
        for name in dir(mujoco):
            function = getattr(mujoco, name)
            if name.startswith("mj_") and callable(function):
                monkeypatch.setattr(mujoco, name, only_of(mine, kinds, function, refuse))
        for name in ("MjModel", "MjData", "MjSpec"):
            monkeypatch.setattr(mujoco, name, refuse)

    return install


def only_of(mine, kinds, function, refuse):
    """The function, for these models and data alone."""

    def guarded(*args, **kwargs):
        theirs = (
            a for a in (*args, *kwargs.values()) if isinstance(a, kinds) and not any(a is m for m in mine)
        )
        return refuse() if any(True for _ in theirs) else function(*args, **kwargs)

    return guarded


@pytest.mark.parametrize("feedforward", [False, True], ids=["published", "feedforward"])
@pytest.mark.parametrize(
    ("backend", "stage"),
    [
        ("reference", "rate"),
        ("reference", "spiking"),
        ("reference", "hardware"),
        pytest.param("loihi", "hardware", marks=pytest.mark.slow),
        pytest.param("crossbar", "hardware", marks=pytest.mark.slow),
    ],
)
def test_torques_are_the_same_to_the_bit_without_any_model_of_the_arm(
    backend, stage, feedforward, without_model
):
    settings = SpikingConfig(stage=stage)
    config = dataclasses.replace(SHORT, backend=backend, feedforward=feedforward, spiking=settings)
    undisturbed = torques(config)
    assert len(np.unique(undisturbed, axis=0)) > 0.9 * N_COMPARED
    np.testing.assert_array_equal(torques(config, without_model=without_model), undisturbed)


@pytest.mark.parametrize("controller", ["osc", "spiking-osc"])
def test_a_controller_that_asks_a_model_is_found_out(controller, without_model):
    config = dataclasses.replace(SHORT, controller=controller, spiking=SpikingConfig(stage="nodes"))
    with pytest.raises(AssertionError, match="somebody asked a model of the arm"):
        torques(config, without_model=without_model)


@pytest.mark.parametrize("dead", ["readouts", "reductions"])
def test_without_its_neurons_the_hand_does_not_follow(dead, tmp_path):
    weights = load_osc(shipped_osc_path("iiwa14"))
    # What goes round the neurons stays: the linear part, and the constant torque.
    silenced = {name: values.copy() for name, values in getattr(weights, dead).items()}
    for values in silenced.values():
        values[:, : weights.n_units if dead == "readouts" else None] = 0.0
    path = tmp_path / "dead.npz"
    save_osc(path, dataclasses.replace(weights, **{dead: silenced}))
    config = dataclasses.replace(SHORT, spiking=SpikingConfig(weights=str(path)))
    assert rmse_m(config) > 10 * LIMIT_M


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
