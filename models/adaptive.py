"""The adaptive spiking network: learns online the torque that the controller's model of the arm lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import nengo
import numpy as np
from nengo.dists import CosineSimilarity, Distribution, Uniform, UniformHypersphere
from nengo.solvers import NoSolver

from spikearm.errors import ConfigError
from spikearm.models.encoder import StateEncoder
from spikearm.models.network import InputPort, OutputPort, PortedNetwork
from spikearm.models.rules import LearningRule, Pes, require_rule
from spikearm.models.scaling import Scaled, StateScaling
from spikearm.records import FloatArray

RAW_ACTIVE_AREA = (0.35, 0.45, 0.55)
"""Active area of neurons on the state itself (DeWolf et al. 2020)."""

RAW_LEARNING_RATE = 4e-2
"""Best PES rate of neurons on the state itself: 6e-2 makes the loop unstable (iiwa14, 1000 neurons)."""

MIXED_PACE = 1.2
"""How much faster two populations learn than at their shares of their own best rates, which add up to 32 1/s
(iiwa14): the loop begins to ring at 41 1/s, and at 49 1/s the error grows."""


def require_equal_parts(n_neurons: int, n_ensembles: int) -> None:
    """Refuse neurons that cannot be split into ensembles of one size.

    Raises:
        ConfigError: One of them is less than 1, or neurons would be left over.
    """
    if n_ensembles < 1 or n_neurons < 1 or n_neurons % n_ensembles:
        raise ConfigError(
            f"n_neurons={n_neurons} cannot be split into n_ensembles={n_ensembles} equal parts; both are at "
            f"least 1, and the first is a multiple of the second, e.g. {max(n_ensembles, 1) * 100}."
        )


@dataclass(frozen=True)
class AdaptiveNetwork:
    """Spiking neurons over the arm's state whose decoders learn the missing torque.

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
        state_share: Share of the neurons that see the state itself beside the encoder: what is linear in the
            state is quicker to learn there. Each population learns at its own rate times its share.
        n_neurons: Spiking neurons that learn.
        n_ensembles: Parts they are split into, equal in distribution; substrates limit the size of one.
        rule: How the decoders follow the error.
        learning_rate: Learning rate, as Nengo defines it for PES and one ensemble of all neurons; None takes
            the rule's pace times the encoder's own, or without one the best that was found for the state.
        tau_input_s: Synapse into the ensemble [s].
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
    state_share: float = 0.0
    n_neurons: int = 1000
    n_ensembles: int = 1
    rule: LearningRule = field(default_factory=Pes)
    learning_rate: float | None = None
    tau_input_s: float = 0.012
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
        if not 0.0 <= self.state_share < 1.0 or (self.state_share and self.encoder is None):
            raise ConfigError(
                f"state_share={self.state_share:g} must be from 0 up to but not 1, and the other neurons "
                "need an encoder; without one all of them see the state."
            )
        require_equal_parts(self.n_neurons, self.n_ensembles)
        require_rule(self.rule)

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
        best = RAW_LEARNING_RATE if self.encoder is None else self.encoder.learning_rate
        return self.rule.pace * best * (MIXED_PACE if self.state_share else 1.0)

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
            populations = self._add_populations(state_node)
            learned = nengo.Node(size_in=self.n_joints, label="learned")
            teacher = self.rule.teach(error_node, learned, scale=self.torque_scale)
            for rate, ensembles in populations:
                for ensemble in ensembles:
                    self._add_learning(ensemble, rate, teacher, learned)
            nengo.Connection(learned, torque_node, transform=self.torque_scale, synapse=None)
        return PortedNetwork(network, {"state": state, "error": error}, {"torque": torque})

    def _add_populations(self, state: nengo.Node) -> list[tuple[float, list[nengo.Ensemble]]]:
        """The neurons that learn, driven by the state or by what the encoder makes of it, and their rates."""
        n_direct = int(self.state_share * self.n_neurons / self.n_ensembles)  # the encoder keeps one at least
        n_rest = self.n_neurons // self.n_ensembles - n_direct
        scale = self._scale_into_ball if self.encoder is None else Scaled(self.encoder.scaling)
        scaled = nengo.Node(scale, size_in=2 * self.n_joints, size_out=2 * self.n_joints, label="scaled")
        nengo.Connection(state, scaled, synapse=None)
        rest = self._add_ensembles("adapt", n_rest, self.n_dimensions, self.area, self._drives(scaled))
        if self.encoder is None or not n_direct:
            return [(self.rate, rest)]
        inside = nengo.Node(
            _into_ball, size_in=self.scaling.size, size_out=self.scaling.size, label="in ball"
        )
        nengo.Connection(scaled, inside, synapse=None)
        drives = [(inside, np.eye(self.scaling.size))]
        direct = self._add_ensembles("direct", n_direct, self.scaling.size, RAW_ACTIVE_AREA, drives)
        share = n_direct * self.n_ensembles / self.n_neurons
        faster = RAW_LEARNING_RATE / self.encoder.learning_rate
        return [((1.0 - share) * self.rate, rest), (share * faster * self.rate, direct)]

    def _add_ensembles(
        self,
        label: str,
        n_neurons: int,
        n_dimensions: int,
        area: tuple[float, float, float],
        drives: list[tuple[Any, FloatArray]],
    ) -> list[nengo.Ensemble]:
        """The parts of one population."""
        ensembles = [
            nengo.Ensemble(
                n_neurons,
                dimensions=n_dimensions,
                neuron_type=nengo.LIF(),
                encoders=UniformHypersphere(surface=True),
                intercepts=ActiveArea(n_dimensions, area),
                max_rates=Uniform(*self.max_rates_hz),
                label=f"{label}{i}",
            )
            for i in range(self.n_ensembles)
        ]
        for drive, transform in drives:
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

    def _scale_into_ball(self, t: float, x: FloatArray) -> FloatArray:
        """The state in [-1, 1], and within the unit ball."""
        return _into_ball(t, self.scaling(x))

    def _add_learning(
        self, ensemble: nengo.Ensemble, rate: float, teacher: nengo.Node, learned: nengo.Node
    ) -> None:
        """Decoders that start at zero and follow what teaches them."""
        # Rates are divided by the neurons of one ensemble: parts would otherwise learn faster than the whole.
        rate = rate / self.n_ensembles
        connection = nengo.Connection(
            ensemble,
            learned,
            function=self._nothing,
            solver=NoSolver(np.zeros((ensemble.n_neurons, self.n_joints))),
            synapse=self.tau_output_s,
            learning_rule_type=self.rule.rule_type(rate),
            label="learned",
        )
        nengo.Connection(teacher, connection.learning_rule, transform=1.0 / self.torque_scale, synapse=None)

    def _nothing(self, x: FloatArray) -> FloatArray:
        """What the decoders represent before learning; gives the connection its size."""
        return np.zeros(self.n_joints)


def _into_ball(_t: float, scaled: FloatArray) -> FloatArray:
    """The scaled state within the unit ball, where tuning curves lie."""
    inside: FloatArray = scaled / max(1.0, float(np.linalg.norm(scaled)))
    return inside


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
