"""From a configuration to the objects of a run: the only place where names become things."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikearm.controller.ik import joint_reference
from spikearm.controller.laws.gains import Gains
from spikearm.controller.laws.joint import JointPID
from spikearm.controller.laws.osc import OperationalSpace
from spikearm.controller.network import TickNetwork
from spikearm.controller.path import Schedule, sample
from spikearm.controller.protocols import Controller, Law
from spikearm.controller.torque import TorqueController
from spikearm.envs.arms import ArmSpec, load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import WeightsError
from spikearm.hardware.backend import Backend, Program
from spikearm.hardware.cost import CostModel
from spikearm.hardware.registry import make_backend
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.reaches import draw_reaches
from spikearm.launch.spiking import compile_spiking
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.encoder import SHIPPED_FOR, StateEncoder, load_encoder, shipped_encoder_path
from spikearm.models.scaling import StateScaling
from spikearm.timesteps import n_steps

JOINT_INTEGRAL = 500.0
"""Integral gain of the pid controller unless one is given [1/s^3]: a time constant of 0.3 s at kp = 150."""


@dataclass(frozen=True)
class Run:
    """Everything a loop needs.

    Attributes:
        arm: The arm.
        plant: The simulated arm, with the perturbation.
        controller: The law and, if the run has one, the network.
        schedule: Targets of all ticks.
        cost_model: Of the network's substrate; None without a network.
        program: The compiled network, or None.
    """

    arm: ArmSpec
    plant: MujocoPlant
    controller: Controller
    schedule: Schedule
    cost_model: CostModel | None
    program: Program | None

    def close(self) -> None:
        """Release the plant and the substrate."""
        self.controller.close()
        self.plant.close()


def compose(config: RunConfig) -> Run:
    """Make all parts of a run.

    The targets of the reaches, the network and the plant's noise are drawn from independent streams of
    the seed, so that a run with and one without a network move along the same path.

    Raises:
        SpikearmError: Of many kinds: a name that is not known, a file that cannot be used, a setting
            that does not fit the arm.
    """
    arm = load_arm(config.arm)
    path_seed, network_seed, plant_seed = np.random.SeedSequence(config.seed).spawn(3)
    dynamics = MujocoDynamics(arm)
    reaches = draw_reaches(
        arm,
        dynamics,
        np.random.default_rng(path_seed),
        targets=config.targets,
        distance_m=config.distance_m,
        n_reaches=config.n_trials,
        duration_s=config.reach_s,
    )
    schedule = sample(reaches, config.control_dt_s)
    if config.controller in ("pd", "pid"):
        schedule = joint_reference(schedule, dynamics, np.asarray(arm.home), task_axes=arm.task_axes)
    plant = MujocoPlant(
        arm,
        control_dt_s=config.control_dt_s,
        perturbation=config.perturbation,
        seed=_number(plant_seed),
    )
    # The network comes last: what else does not fit is known before it is compiled.
    controller, network = _controller(config, arm, dynamics, _number(network_seed))
    if network is None:
        return Run(arm, plant, controller, schedule, None, None)
    return Run(arm, plant, controller, schedule, network.cost_model, network.program)


def adaptive_network(network: NetworkConfig, arm: ArmSpec) -> AdaptiveNetwork:
    """The network description for an arm; the same for every substrate."""
    encoder = _encoder(network.encoder, arm)
    return AdaptiveNetwork(
        n_joints=arm.n_joints,
        scaling=state_scaling(arm) if encoder is None else encoder.scaling,
        torque_scale=arm.torque_scale_nm,
        encoder=encoder,
        committee=network.committee,
        n_neurons=network.n_neurons,
        n_ensembles=network.n_ensembles,
        learning_rate=network.learning_rate,
    )


def state_scaling(arm: ArmSpec) -> StateScaling:
    """The state (q, dq) of an arm about its home, scaled to [-1, 1]."""
    n = arm.n_joints
    return StateScaling(arm.home + (0.0,) * n, (arm.q_half_range_rad,) * n + (arm.dq_half_range_rad_s,) * n)


def make_adaptation(config: RunConfig, arm: ArmSpec, seed: int) -> TickNetwork | None:
    """The compiled network of the "adaptive" controller; None for the others."""
    if config.controller != "adaptive":
        return None
    network_dt_s = config.network.network_dt_s
    n_steps(config.control_dt_s, network_dt_s, outer="control step", inner="network step")
    backend = make_substrate(config)
    program = backend.compile(adaptive_network(config.network, arm), dt_s=network_dt_s, seed=seed)
    return TickNetwork(program, backend.cost_model, control_dt_s=config.control_dt_s)


def make_substrate(config: RunConfig) -> Backend:
    """The substrate of a run."""
    settings = {"loihi": config.loihi, "crossbar": config.crossbar}.get(config.backend)
    return make_backend(config.backend, **({} if settings is None else {"config": settings}))


def _controller(
    config: RunConfig, arm: ArmSpec, dynamics: MujocoDynamics, seed: int
) -> tuple[Controller, TickNetwork | None]:
    """The controller, and the network that it has or consists of."""
    if config.controller == "spiking-osc":
        return compile_spiking(config, arm, dynamics, make_substrate(config), seed=seed)
    adaptation = make_adaptation(config, arm, seed)
    law = make_law(config, arm, dynamics)
    return TorqueController(law, dynamics.torque_limits, adaptation=adaptation), adaptation


def make_law(config: RunConfig, arm: ArmSpec, dynamics: MujocoDynamics) -> Law:
    """The control law of the configuration's controller."""
    gains = config.gains
    if config.controller in ("pd", "pid"):
        if config.controller == "pid" and not gains.ki:
            gains = Gains(gains.kp, gains.kd, JOINT_INTEGRAL)
        if config.controller == "pd":
            gains = dataclasses.replace(gains, ki=0.0)
        return JointPID(dynamics, gains, dt_s=config.control_dt_s)
    return OperationalSpace(
        dynamics,
        gains,
        dt_s=config.control_dt_s,
        posture=np.asarray(arm.home),
        task_axes=arm.task_axes,
        feedforward=config.feedforward,
    )


def _encoder(choice: str, arm: ArmSpec) -> StateEncoder | None:
    """The encoder asked for; an arm without shipped weights has none unless one is trained for it."""
    if choice == "none" or (choice == "shipped" and arm.name not in SHIPPED_FOR):
        return None
    path = shipped_encoder_path(arm.name) if choice == "shipped" else Path(choice)
    encoder = load_encoder(path)
    if encoder.scaling.size != 2 * arm.n_joints or encoder.arm != arm.name:
        raise WeightsError(
            f"encoder {path} was trained for arm {encoder.arm!r} with {encoder.scaling.size // 2} joints, "
            f"not for {arm.name!r} with {arm.n_joints}; train one with "
            f"`spikearm train encoder --arm {arm.name}`, or use --encoder none."
        )
    return encoder


def _number(seed: np.random.SeedSequence) -> int:
    return int(seed.generate_state(1)[0])
