"""The adaptive spiking network: learns online the torque that the controller's model of the arm lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nengo
import numpy as np
from nengo.dists import CosineSimilarity, Distribution, Uniform, UniformHypersphere
from nengo.solvers import NoSolver

from spikearm.errors import ConfigError
from spikearm.models.encoder import StateEncoder
from spikearm.models.network import InputPort, OutputPort, PortedNetwork
from spikearm.models.scaling import StateScaling
from spikearm.records import FloatArray

RAW_ACTIVE_AREA = (0.35, 0.45, 0.55)
"""Active area of neurons on the state itself (DeWolf et al. 2020)."""

RAW_LEARNING_RATE = 4e-2
"""Best PES rate of neurons on the state itself: 6e-2 makes the loop unstable (iiwa14, 1000 neurons)."""


@dataclass(frozen=True)
class AdaptiveNetwork:
    """Spiking neurons over the arm's state whose decoders learn the missing torque (PES).

    As in DeWolf, Jaworski and Eliasmith 2020 (Front. Neurorobot. 14:568359): encoders on the unit
    sphere, intercepts that make each neuron active in a chosen part of the represented space, decoders
    that start at zero and learn from ``error = -u_task``.

    Ports: in ``state`` (q, dq) [rad, rad/s] and ``error`` [N m], out ``torque`` [N m].

    Attributes:
        n_joints: Number of joints; the state has twice as many numbers.
        scaling: From the physical state to [-1, 1].
        torque_scale: Torque that the network represents as 1 [N m]; sets the range of the learned weights.
        encoder: DNN between the state and the ensemble, or None to give the ensemble the state itself.
        committee: Copies of the DNN whose features are averaged: on a substrate that scatters its weights
            each copy errs in its own way. One elsewhere.
        n_neurons: Spiking neurons that learn.
        n_ensembles: Parts they are split into, equal in distribution; substrates limit the size of one.
        learning_rate: PES learning rate, as Nengo defines it for one ensemble of all neurons; None takes the
            encoder's own, or without one the best that was found for the state itself.
        tau_input_s: Synapse into the ensemble [s].
        tau_training_s: Filter of the activities that learn [s].
        tau_output_s: Filter of the torque [s].
        active_area: Lower end, mode and upper end of the part of the space a neuron is active in; None takes
            the encoder's own, or without one that of DeWolf et al. 2020.
        max_rates_hz: Range of firing rates at the far end of a neuron's tuning curve [Hz].
        encoder_rate_hz: Firing rate of the DNN's units at activation 1 [Hz].
    """

    n_joints: int
    scaling: StateScaling
    torque_scale: float = 20.0
    encoder: StateEncoder | None = None
    committee: int = 1
    n_neurons: int = 1000
    n_ensembles: int = 1
    learning_rate: float | None = None
    tau_input_s: float = 0.012
    tau_training_s: float = 0.012
    tau_output_s: float = 0.012
    active_area: tuple[float, float, float] | None = None
    max_rates_hz: tuple[float, float] = (100.0, 200.0)
    encoder_rate_hz: float = 200.0

    def __post_init__(self) -> None:
        if self.scaling.size != 2 * self.n_joints:
            raise ConfigError(
                f"the scaling has {self.scaling.size} dimensions; the state (q, dq) of {self.n_joints} "
                f"joints has {2 * self.n_joints}."
            )
        if self.committee < 1:
            raise ConfigError(f"committee must be at least 1, not {self.committee}.")
        if self.committee > 1 and self.encoder is None:
            raise ConfigError(f"committee={self.committee} is of encoders, and this network has none.")
        if self.n_ensembles < 1 or self.n_neurons < 1 or self.n_neurons % self.n_ensembles:
            raise ConfigError(
                f"n_neurons={self.n_neurons} cannot be split into n_ensembles={self.n_ensembles} equal parts."
            )

    @property
    def inputs(self) -> Mapping[str, int]:
        """Size of each input port."""
        return {"state": 2 * self.n_joints, "error": self.n_joints}

    @property
    def outputs(self) -> Mapping[str, int]:
        """Size of each output port."""
        return {"torque": self.n_joints}

    @property
    def rate(self) -> float:
        """The learning rate in force."""
        if self.learning_rate is not None:
            return self.learning_rate
        return RAW_LEARNING_RATE if self.encoder is None else self.encoder.learning_rate

    @property
    def area(self) -> tuple[float, float, float]:
        """The active area in force."""
        if self.active_area is not None:
            return self.active_area
        return RAW_ACTIVE_AREA if self.encoder is None else self.encoder.active_area

    @property
    def n_dimensions(self) -> int:
        """Dimensions the ensemble represents."""
        return self.scaling.size if self.encoder is None else self.encoder.n_features

    def build(self, *, seed: int) -> PortedNetwork:
        """A fresh network and its ports."""
        state, error = InputPort(2 * self.n_joints), InputPort(self.n_joints)
        torque = OutputPort(self.n_joints)
        with nengo.Network(label="adaptive", seed=seed) as network:
            state_node = nengo.Node(state, size_out=2 * self.n_joints, label="state")
            error_node = nengo.Node(error, size_out=self.n_joints, label="error")
            torque_node = nengo.Node(torque, size_in=self.n_joints, label="torque")
            ensembles = self._add_ensembles(state_node)
            learned = nengo.Node(size_in=self.n_joints, label="learned")
            for ensemble in ensembles:
                self._add_learning(ensemble, error_node, learned)
            nengo.Connection(learned, torque_node, transform=self.torque_scale, synapse=None)
        return PortedNetwork(network, {"state": state, "error": error}, {"torque": torque})

    def _add_ensembles(self, state: nengo.Node) -> list[nengo.Ensemble]:
        """The neurons that learn, driven by the state or by what the encoder makes of it."""
        scaled = nengo.Node(
            self._scale, size_in=2 * self.n_joints, size_out=2 * self.n_joints, label="scaled"
        )
        nengo.Connection(state, scaled, synapse=None)
        ensembles = [
            nengo.Ensemble(
                self.n_neurons // self.n_ensembles,
                dimensions=self.n_dimensions,
                neuron_type=nengo.LIF(),
                encoders=UniformHypersphere(surface=True),
                intercepts=ActiveArea(self.n_dimensions, self.area),
                max_rates=Uniform(*self.max_rates_hz),
                label=f"adapt{i}",
            )
            for i in range(self.n_ensembles)
        ]
        for drive, transform in self._drives(scaled):
            for ensemble in ensembles:
                nengo.Connection(
                    drive, ensemble, transform=transform, synapse=self.tau_input_s, label="features"
                )
        return ensembles

    def _drives(self, scaled: nengo.Node) -> list[tuple[Any, FloatArray]]:
        """What drives the neurons that learn, and by which weights."""
        if self.encoder is None:
            return [(scaled, np.eye(self.scaling.size))]
        copies = [
            self.encoder.build(scaled, tau_s=self.tau_input_s, rate_hz=self.encoder_rate_hz)
            for _ in range(self.committee)
        ]
        return [(copy.neurons, self.encoder.w3 / self.committee) for copy in copies]

    def _scale(self, t: float, x: FloatArray) -> FloatArray:
        """The state in [-1, 1]; without an encoder also within the unit ball, where tuning curves lie."""
        if self.encoder is not None:
            return self.encoder.scaling(x)
        scaled = self.scaling(x)
        return scaled / max(1.0, float(np.linalg.norm(scaled)))

    def _add_learning(self, ensemble: nengo.Ensemble, error: nengo.Node, learned: nengo.Node) -> None:
        """Decoders that start at zero and follow the error."""
        # PES divides by the neurons of its own ensemble: parts would otherwise learn faster than the whole.
        rate = self.rate / self.n_ensembles
        connection = nengo.Connection(
            ensemble,
            learned,
            function=self._nothing,
            solver=NoSolver(np.zeros((ensemble.n_neurons, self.n_joints))),
            synapse=self.tau_output_s,
            learning_rule_type=nengo.PES(rate, pre_synapse=nengo.Lowpass(self.tau_training_s)),
            label="learned",
        )
        nengo.Connection(error, connection.learning_rule, transform=1.0 / self.torque_scale, synapse=None)

    def _nothing(self, x: FloatArray) -> FloatArray:
        """What the decoders represent before learning; gives the connection its size."""
        return np.zeros(self.n_joints)


class ActiveArea(Distribution):
    """Intercepts that make each neuron active in a drawn fraction of the sphere, whatever its dimension.

    In D dimensions nearly all of a sphere lies near the equator of any encoder, so uniform intercepts
    give neurons that are nearly always or never active. The fraction is drawn from a triangular
    distribution and mapped through the distribution of the cosine between random unit vectors.
    """

    def __init__(self, dimensions: int, area: tuple[float, float, float]) -> None:
        super().__init__()
        self.cosine = CosineSimilarity(dimensions)
        self.area = area

    def sample(self, n: int, d: int | None = None, rng: Any = np.random) -> FloatArray:
        """Draw ``n`` intercepts with the generator that Nengo hands in."""
        fraction = rng.triangular(*self.area, size=(n,) if d is None else (n, d))
        intercepts: FloatArray = np.asarray(self.cosine.ppf(1.0 - fraction), dtype=np.float64)
        return intercepts
