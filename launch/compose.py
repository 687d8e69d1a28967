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
from spikearm.controller.network import TickNetwork, network_rate
from spikearm.controller.path import Schedule, sample
from spikearm.controller.protocols import Controller, Law
from spikearm.controller.torque import TorqueController
from spikearm.envs.arms import ArmSpec, load_arm
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
from spikearm.launch.spiking import compile_spiking, spiking_network
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.encoder import SHIPPED_FOR, StateEncoder, load_encoder, shipped_encoder_path
from spikearm.models.network import NetworkSpec
from spikearm.models.rules import learning_rule
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
    controller: Controller
    schedule: Schedule
    cost_model: CostModel | None
    program: Program | None

    def close(self) -> None:
        """Release the substrate."""
        self.controller.close()


@dataclass(frozen=True)
class Run:
    """Everything a loop needs.

    Attributes:
        control: All but the arm.
        plant: The simulated arm, with the perturbation.
    """

    control: Control
    plant: MujocoPlant

    def close(self) -> None:
        """Release the plant and the substrate."""
        self.control.close()
        self.plant.close()


def compose(config: RunConfig) -> Run:
    """Make all parts of a run.

    The targets of the reaches, the network and the plant's noise are drawn from independent streams of
    the seed, so that a run with and one without a network move along the same path.

    Raises:
        SpikearmError: Of many kinds: a name that is not known, a file that cannot be used, a setting
            that does not fit the arm.
    """
    plant = simulated_arm(
        load_arm(config.arm), config.perturbation, seed=config.seed, control_dt_s=config.control_dt_s
    )
    try:
        return Run(compose_control(config), plant)
    except BaseException:
        plant.close()
        raise


def simulated_arm(arm: ArmSpec, perturbation: Perturbation, *, seed: int, control_dt_s: float) -> MujocoPlant:
    """The simulated arm of a run, here or in a process of its own."""
    plant_seed = _number(_streams(seed)[2])
    return MujocoPlant(arm, control_dt_s=control_dt_s, perturbation=perturbation, seed=plant_seed)


def compose_control(config: RunConfig) -> Control:
    """Make all parts of a run but the arm.

    Raises:
        SpikearmError: As for :func:`compose`.
    """
    arm = load_arm(config.arm)
    dynamics = MujocoDynamics(arm)
    reaches = draw_reaches(
        arm,
        dynamics,
        np.random.default_rng(_streams(config.seed)[0]),
        targets=config.targets,
        distance_m=config.distance_m,
        n_reaches=config.n_trials,
        duration_s=config.reach_s,
    )
    schedule = sample(reaches, config.control_dt_s)
    if config.controller in ("pd", "pid"):
        schedule = joint_reference(schedule, dynamics, np.asarray(arm.home), task_axes=arm.task_axes)
    # The network comes last: what else does not fit is known before it is compiled.
    controller, network = _controller(config, arm, dynamics)
    if network is None:
        return Control(arm, dynamics, controller, schedule, None, None)
    return Control(arm, dynamics, controller, schedule, network.cost_model, network.program)


def adaptive_network(network: NetworkConfig, arm: ArmSpec) -> AdaptiveNetwork:
    """The network description for an arm; the same for every substrate.

    Args:
        network: Encoder, neurons, learning rule and rate.
        arm: The arm, which gives the ranges of the state and the torque's scale.

    Raises:
        WeightsError: The encoder's weights are missing, damaged, or of another arm.
        ConfigError: The settings contradict one another.
    """
    encoder = _encoder(network.encoder, arm)
    return AdaptiveNetwork(
        n_joints=arm.n_joints,
        scaling=state_scaling(arm) if encoder is None else encoder.scaling,
        torque_scale=arm.torque_scale_nm,
        encoder=encoder,
        committee=network.committee,
        state_share=0.0 if encoder is None else network.state_share,
        n_neurons=network.n_neurons,
        n_ensembles=network.n_ensembles,
        rule=learning_rule(network.learning_rule),
        learning_rate=network.learning_rate,
    )


def state_scaling(arm: ArmSpec) -> StateScaling:
    """The state (q, dq) of an arm about its home, scaled to [-1, 1]."""
    n = arm.n_joints
    return StateScaling(arm.home + (0.0,) * n, (arm.q_half_range_rad,) * n + (arm.dq_half_range_rad_s,) * n)


def network_description(config: RunConfig, arm: ArmSpec) -> tuple[NetworkSpec, float]:
    """Description of a run's network, and its time step [s], for a substrate that serves it elsewhere."""
    if config.controller == "spiking-osc":
        return spiking_network(config, arm, MujocoDynamics(arm), make_substrate(config)), config.control_dt_s
    return adaptive_network(config.network, arm), config.network.network_dt_s


def network_seed(seed: int) -> int:
    """Seed of a run's network."""
    return _number(_streams(seed)[1])


def make_adaptation(config: RunConfig, arm: ArmSpec, seed: int) -> TickNetwork | None:
    """The compiled network of the "adaptive" controller; None for the others."""
    if config.controller != "adaptive":
        return None
    network_dt_s = config.network.network_dt_s
    network_rate(config.control_dt_s, network_dt_s)
    backend = _reached(config)
    program = backend.compile(adaptive_network(config.network, arm), dt_s=network_dt_s, seed=seed)
    return TickNetwork(program, backend.cost_model, control_dt_s=config.control_dt_s)


def make_substrate(config: RunConfig) -> Backend:
    """The substrate of a run, in this process."""
    settings = {"loihi": config.loihi, "crossbar": config.crossbar}.get(config.backend)
    return make_backend(config.backend, **({} if settings is None else {"config": settings}))


def _reached(config: RunConfig) -> Backend:
    """The substrate of a run, in this process or at the other end of a wire."""
    backend = make_substrate(config)
    if not config.substrate_at:
        return backend
    address, key = parse_address(config.substrate_at), load_key(config.substrate_key_file)
    return RemoteBackend(backend, address, key, config.network_wait_s)


def _controller(
    config: RunConfig, arm: ArmSpec, dynamics: MujocoDynamics
) -> tuple[Controller, TickNetwork | None]:
    """The controller, and the network that it has or consists of."""
    seed = network_seed(config.seed)
    if config.controller == "spiking-osc":
        return compile_spiking(config, arm, dynamics, _reached(config), seed=seed)
    law = make_law(config, arm, dynamics)
    adaptation = make_adaptation(config, arm, seed)
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


def _streams(seed: int) -> list[np.random.SeedSequence]:
    """Independent streams of a run's seed: for the path, the network, and the plant's noise."""
    return np.random.SeedSequence(seed).spawn(3)


def _number(seed: np.random.SeedSequence) -> int:
    return int(seed.generate_state(1)[0])
