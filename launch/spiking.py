"""The spiking operational-space controller of a run: its weights, its stage, its decoders."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from spikearm.controller.laws.gains import Gains
from spikearm.controller.network import TickNetwork
from spikearm.controller.spiking import SpikingController
from spikearm.envs.arms import ArmSpec
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError, WeightsError
from spikearm.hardware.backend import Backend
from spikearm.launch.config import RunConfig
from spikearm.launch.osc_data import Reaching, evaluate
from spikearm.models.osc import Reduction, SpikingOSC
from spikearm.models.osc_weights import OscWeights, load_osc, shipped_osc_path
from spikearm.records import FloatArray, Pose


def compile_spiking(
    config: RunConfig, arm: ArmSpec, dynamics: MujocoDynamics, backend: Backend, *, seed: int
) -> tuple[SpikingController, TickNetwork]:
    """The controller, and the network it consists of.

    Raises:
        ConfigError: The weights were trained for other gains, or the stage does not run on the backend.
        WeightsError: The weights cannot be used for this arm.
    """
    spec = spiking_network(config, arm, dynamics, backend)
    program = backend.compile(spec, dt_s=config.control_dt_s, seed=seed)
    network = TickNetwork(program, backend.cost_model, control_dt_s=config.control_dt_s)
    center = Pose(spec.weights.center[:3], spec.weights.center[3:])
    controller = SpikingController(network, center, dynamics.torque_limits, feedforward=config.feedforward)
    return controller, network


def spiking_network(
    config: RunConfig, arm: ArmSpec, dynamics: MujocoDynamics, backend: Backend
) -> SpikingOSC:
    """The network description for an arm, on a substrate.

    Raises:
        ConfigError: As for :func:`compile_spiking`.
        WeightsError: As there.
    """
    return spiking_osc(config, _weights(config, arm), Reaching(arm, dynamics, config.gains), backend)


def spiking_osc(config: RunConfig, weights: OscWeights, reaching: Reaching, backend: Backend) -> SpikingOSC:
    """The network description in the stage asked for."""
    stage = config.spiking.stage
    if stage in ("nodes", "rate") and config.backend != "reference":
        raise ConfigError(
            f"stage {stage!r} has no spikes and runs on the reference only, not on {config.backend!r}; "
            "choose spiking.stage 'hardware'."
        )
    return SpikingOSC(
        weights,
        feedforward=config.feedforward,
        stage=stage,
        dead_time=stage == "hardware" and backend.has_dead_time,
        reduction=analytic_reduction(weights, reaching, config) if stage == "nodes" else None,
    )


def analytic_reduction(weights: OscWeights, reaching: Reaching, config: RunConfig) -> Reduction:
    """What the hidden layers are trained to say, from the arm's model."""
    n = weights.n_joints
    modes = np.linalg.pinv(weights.task_modes.reshape(weights.n_modes, -1).T)
    null_damping = Gains(kp=reaching.posture_kp).damping

    def reduction(state: FloatArray) -> FloatArray:
        sample = evaluate(reaching, state[None, :n], state[None, n:])
        support = sample.support_torque(
            feedforward=config.feedforward, damping=weights.damping, null_damping=null_damping
        )
        coefficients = modes @ (sample.task[0] - weights.task_matrix).ravel()
        return np.concatenate((sample.arm_share(weights.kp, weights.damping)[0], coefficients, support[0]))

    return reduction


def _weights(config: RunConfig, arm: ArmSpec) -> OscWeights:
    choice = config.spiking.weights
    path = shipped_osc_path(arm.name) if choice == "shipped" else Path(choice)
    weights = load_osc(path)
    if weights.arm != arm.name or weights.n_joints != arm.n_joints:
        raise WeightsError(
            f"weights {path} were trained for arm {weights.arm!r}, not for {arm.name!r}; train some with "
            f"`spikearm train osc --arm {arm.name}`."
        )
    gains = config.gains
    same = math.isclose(gains.kp, weights.kp, rel_tol=1e-6)
    if not (same and math.isclose(gains.damping, weights.damping, rel_tol=1e-6)) or gains.ki:
        raise ConfigError(
            f"the spiking controller was trained for kp = {weights.kp:g}, kd = {weights.damping:g}, ki = 0, "
            f"and cannot take kp = {gains.kp:g}, kd = {gains.damping:g}, ki = {gains.ki:g}; leave the gains "
            f"out, or train weights with `spikearm train osc --kp {gains.kp:g}`."
        )
    return weights
