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
from spikearm.controller.path import Schedule, sample
from spikearm.controller.protocols import Law
from spikearm.controller.torque import Adaptation, TorqueController, network_rate
from spikearm.envs.arms import ARMS, ArmSpec, load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.envs.perturbation import Perturbation
from spikearm.envs.plant import MujocoPlant
from spikearm.errors import WeightsError
from spikearm.hardware.backend import Backend, Program
from spikearm.hardware.cost import CostModel
from spikearm.hardware.link.address import parse_address
from spikearm.hardware.link.key import load_key
from spikearm.hardware.link.remote_program import RemoteBackend
from spikearm.hardware.registry import make_backend
from spikearm.launch.config import NetworkConfig, RunConfig
from spikearm.launch.reaches import draw_reaches
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.encoder import StateEncoder, load_encoder, shipped_encoder_path
from spikearm.models.scaling import StateScaling

JOINT_INTEGRAL = 500.0
"""Integral gain of the pid controller unless one is given [1/s^3]: a time constant of 0.3 s at kp = 150."""


@dataclass(frozen=True)
class Control:
    """Everything a loop needs on this side of the plant.

    Attributes:
        arm: The arm.
        dynamics: The controller's own model of it.
        controller: The law and, if the run has one, the network.
        schedule: Targets of all ticks.
        cost_model: Of the network's substrate; None without a network.
        program: The compiled network, or None.
    """

    arm: ArmSpec
    dynamics: MujocoDynamics
    controller: TorqueController
    schedule: Schedule
    cost_model: CostModel | None
    program: Program | None


@dataclass(frozen=True)
class Run:
    """Everything a loop needs.

    Attributes:
        control: All but the arm.
        plant: The simulated arm, with the perturbation.
    """

    control: Control
    plant: MujocoPlant


def compose(config: RunConfig) -> Run:
    """Make all parts of a run.

    The direction of the reach, the network and the plant's noise are drawn from independent streams of
    the seed, so that a run with and one without a network move along the same path.

    Raises:
        SpikearmError: Of many kinds: a name that is not known, a file that cannot be used, a setting
            that does not fit the arm.
    """
    plant = simulated_arm(
        load_arm(config.arm), config.perturbation, seed=config.seed, control_dt_s=config.control_dt_s
    )
    return Run(compose_control(config), plant)


def simulated_arm(arm: ArmSpec, perturbation: Perturbation, *, seed: int, control_dt_s: float) -> MujocoPlant:
    """The simulated arm of a run, here or in a process of its own."""
    return MujocoPlant(
        arm, control_dt_s=control_dt_s, perturbation=perturbation, seed=_number(_streams(seed)[2])
    )


def compose_control(config: RunConfig) -> Control:
    """Make all parts of a run but the arm.

    Raises:
        SpikearmError: As for :func:`compose`.
    """
    arm = load_arm(config.arm)
    path_seed = _streams(config.seed)[0]
    dynamics = MujocoDynamics(arm)
    reaches = draw_reaches(
        arm,
        dynamics,
        np.random.default_rng(path_seed),
        distance_m=config.distance_m,
        n_reaches=config.n_trials,
        duration_s=config.reach_s,
    )
    schedule = sample(reaches, config.control_dt_s)
    if config.controller in ("pd", "pid"):
        schedule = joint_reference(schedule, dynamics, np.asarray(arm.home), task_axes=arm.task_axes)
    # The network comes last: what else does not fit is known before it is compiled.
    adaptation = _adaptation(config, arm) if config.controller == "adaptive" else None
    controller = TorqueController(
        _law(config, arm, dynamics),
        dynamics.torque_limits,
        control_dt_s=config.control_dt_s,
        adaptation=adaptation,
    )
    if adaptation is None:
        return Control(arm, dynamics, controller, schedule, None, None)
    return Control(arm, dynamics, controller, schedule, adaptation.cost_model, adaptation.program)


def _streams(seed: int) -> list[np.random.SeedSequence]:
    """Independent streams of a run's seed: for the path, the network, and the plant's noise."""
    return np.random.SeedSequence(seed).spawn(3)


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


def make_substrate(config: RunConfig) -> Backend:
    """The substrate of a run, in this process."""
    settings = {"loihi": config.loihi, "crossbar": config.crossbar}.get(config.backend)
    return make_backend(config.backend, **({} if settings is None else {"config": settings}))


def network_seed(seed: int) -> int:
    """Seed of a run's network."""
    return _number(_streams(seed)[1])


def _adaptation(config: RunConfig, arm: ArmSpec) -> Adaptation:
    network_dt_s = config.network.network_dt_s
    network_rate(config.control_dt_s, network_dt_s)
    backend = make_substrate(config)
    if config.substrate_at:
        address, key = parse_address(config.substrate_at), load_key(config.substrate_key_file)
        backend = RemoteBackend(backend, address, key, config.substrate_wait_s)
    network = adaptive_network(config.network, arm)
    program = backend.compile(network, dt_s=network_dt_s, seed=network_seed(config.seed))
    return Adaptation(program, backend.cost_model)


def _law(config: RunConfig, arm: ArmSpec, dynamics: MujocoDynamics) -> Law:
    gains = config.gains
    if config.controller in ("pd", "pid"):
        if config.controller == "pid" and not gains.ki:
            gains = Gains(gains.kp, gains.kd, JOINT_INTEGRAL)
        if config.controller == "pd":
            gains = dataclasses.replace(gains, ki=0.0)
        return JointPID(dynamics, gains, dt_s=config.control_dt_s)
    return OperationalSpace(dynamics, gains, posture=np.asarray(arm.home), task_axes=arm.task_axes)


def _encoder(choice: str, arm: ArmSpec) -> StateEncoder | None:
    """The encoder asked for; an arm that is not shipped has none unless one is trained for it."""
    if choice == "none" or (choice == "shipped" and arm.name not in ARMS):
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
