"""Spiking operational-space control: networks reduce the state, ensembles multiply, decoders give torque."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import nengo
import numpy as np
from nengo import Connection, Ensemble, Node

from spikearm.errors import ConfigError, UnknownNameError
from spikearm.models.encoder import relu_layer
from spikearm.models.network import InputPort, OutputPort, PortedNetwork
from spikearm.models.osc_rates import HIDDEN_HZ, PRODUCT_HZ, TAU_S, amplitude
from spikearm.models.osc_weights import TASK_SIZE, Neurons, OscWeights, readout_name
from spikearm.records import FloatArray

Stage = Literal["nodes", "rate", "spiking", "hardware"]
STAGES = ("nodes", "rate", "spiking", "hardware")

Reduction = Callable[[FloatArray], FloatArray]
"""The reduced representation as a function of the state, for the stage that has no neurons: shape (n_state,)
to the acceleration ``kp x + kd dx``, the modes and the support torque, shape (6 + n_modes + n_joints,)."""

_MAX_H2, _MAX_PRODUCTS = 384, 128
"""Neurons of one ensemble: their synapses fill the memory of a Loihi core (1,048,576 bits)."""

_DITHER = 1.0 / 127.0
"""Span over which the copies of an input are spread: one level of an 8-bit converter."""


@dataclass(frozen=True)
class SpikingOSC:
    """Operational-space control of position and orientation by spiking neurons.

    Both forms of :class:`~spikearm.controller.laws.osc.OperationalSpace` are ``u = A(q) (r - y(q, dq)) +
    s(q, dq)`` with ``A = J^T Mx``, the target's share ``r = kp x* + kd dx* + ddx*``, the arm's share
    ``y = kp x + kd dx``, and the support ``s`` (gravity, posture, damping of the null space; with
    feed-forward also Coriolis). Poses are displacements from a centre: position, and rotation vector.

    Two hidden layers of a trained perceptron turn (q, dq) into ``y`` and the coefficients ``c`` of
    ``A(q) = A_0 + sum_k c_k A_k``. Two constants from training go round them: a matrix for what of ``y`` is
    linear in the state, by least squares over the samples, so that what neurons err by is in proportion to
    the rest, and a torque. Product neurons see
    ``a_j +- c_k`` with ``a = r - y``, one ensemble of rectified-linear tuning curves on each diagonal, whose
    difference of squares is the product (Eliasmith and Anderson 2003, ch. 6). Decoders over the second layer
    and the product neurons give the torque.

    Ports: in ``state`` (q, dq) [rad, rad/s], ``target`` (displacement) [m, rad]; with feed-forward also
    its derivatives ``velocity`` and ``acceleration``; out ``torque`` [N m], or ``activity`` when observed.

    Attributes:
        weights: Trained weights.
        feedforward: Which form of the law.
        stage: "nodes": no neurons, the same reduced algebra; "rate": rectified-linear rates without
            dynamics; "spiking": spikes and synapses; "hardware": the same, where the substrate has it with
            its dead time (``dead_time``); elsewhere it is "spiking".
        decoders: Over all decoded neurons, and a constant, shape (n_joints, n_units + 1); None takes those
            that were trained.
        reduction: The reduced representation, for stage "nodes" only.
        observed: Whether to give the filtered activity of all decoded neurons instead of the torque.
        copies: Copies of each input, spread over one level of a converter: their mean is finer than it.
        tau_s: Synapses between neurons [s].
        tau_output_s: Filter of the torque [s].
        lead_s: Time by which the joint angles are extrapolated, to arrive when the target does [s].
        dead_time: Whether neurons lose time at each spike, as Loihi's do; every spike counts more
            (:mod:`~spikearm.models.osc_rates`).
    """

    weights: OscWeights
    feedforward: bool = True
    stage: Stage = "spiking"
    decoders: FloatArray | None = field(default=None, repr=False)
    reduction: Reduction | None = None
    observed: bool = False
    copies: int = 4
    tau_s: float = TAU_S
    tau_output_s: float = 0.005
    lead_s: float = 0.012
    dead_time: bool = False

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise UnknownNameError("stage", self.stage, STAGES)
        if (self.stage == "nodes") != (self.reduction is not None):
            raise ConfigError(
                'stage "nodes" takes the reduced representation from a function, the others from neurons; '
                f"stage is {self.stage!r} and reduction is {'' if self.reduction else 'not '}given."
            )
        if self.observed and self.stage == "nodes":
            raise ConfigError('there are no neurons to observe in stage "nodes"; choose another stage.')
        if self.copies < 1:
            raise ConfigError(f"copies must be at least 1, not {self.copies}.")
        wanted = (self.weights.n_joints, self.weights.n_units + 1)
        if self.decoders is not None and self.decoders.shape != wanted:
            raise ConfigError(f"decoders must have the shape {wanted}, not {self.decoders.shape}.")

    @property
    def inputs(self) -> Mapping[str, int]:
        """Size of each input port."""
        sizes = {"state": 2 * self.weights.n_joints, "target": TASK_SIZE}
        return sizes | {"velocity": TASK_SIZE, "acceleration": TASK_SIZE} if self.feedforward else sizes

    @property
    def outputs(self) -> Mapping[str, int]:
        """Size of each output port."""
        return {"activity": self.weights.n_units} if self.observed else {"torque": self.weights.n_joints}

    @property
    def neurons(self) -> Neurons:
        """The kind of neurons, each with decoders of its own."""
        if self.stage == "rate":
            return "rates"
        return "dead time" if self.dead_time else "spikes"

    @property
    def host_macs(self) -> int:
        """Multiply-accumulates of a step in functions of nodes, not in neurons.

        In stage "nodes" those of the truncated expansion; what the reduced representation takes is not known.
        """
        if self.stage == "nodes":
            return self.weights.task_modes.size + self.weights.task_matrix.size
        return self.weights.skip.size

    def build(self, *, seed: int) -> PortedNetwork:
        """A fresh network and its ports."""
        inputs = {name: InputPort(size) for name, size in self.inputs.items()}
        outputs = {name: OutputPort(size) for name, size in self.outputs.items()}
        ((name, result),) = outputs.items()
        with nengo.Network(label="osc", seed=seed) as network:
            nodes = {
                port: Node(inputs[port], size_out=size, label=port) for port, size in self.inputs.items()
            }
            sink = Node(result, size_in=self.outputs[name], label=name)
            command = self._add_command(nodes)
            if self.reduction is not None:
                self._add_algebra(self.reduction, nodes["state"], command, sink)
            else:
                self._add_neurons(nodes["state"], command, sink)
        return PortedNetwork(network, inputs, outputs, host_macs=self.host_macs)

    def _add_command(self, nodes: Mapping[str, Node]) -> Node:
        """The target's share of the acceleration, relative to its range.

        Of the arm's share the pose is ahead of time when it sets out, and in time when it meets this one;
        its velocity is late by both hidden layers, and so the target's is made late as well.
        """
        gains = {"target": self.weights.kp, "velocity": self.weights.damping, "acceleration": 1.0}
        late = {"velocity": self._hidden_lag()}
        command = Node(size_in=TASK_SIZE, label="command")
        for name, gain in gains.items():
            if name in nodes:
                transform = np.diag(gain / self.weights.command_range)
                Connection(nodes[name], command, transform=transform, synapse=late.get(name))
        return command

    def _hidden_lag(self) -> nengo.synapses.Synapse | None:
        """What two synapses do one after another; none where there are no dynamics."""
        return nengo.Alpha(self.tau_s) if self.stage in ("spiking", "hardware") else None

    def _add_algebra(self, reduction: Reduction, state: Node, command: Node, torque: Node) -> None:
        """No neurons: the reduced algebra in one node."""
        weights = self.weights
        n_state, n_modes = 2 * weights.n_joints, weights.n_modes

        def algebra(_t: float, x: FloatArray) -> FloatArray:
            y, modes, support = np.split(reduction(x[:n_state]), (TASK_SIZE, TASK_SIZE + n_modes))
            task = weights.task_matrix + np.tensordot(modes, weights.task_modes, axes=1)
            total: FloatArray = task @ (weights.command_range * x[n_state:] - y) + support
            return total

        node = Node(algebra, size_in=n_state + TASK_SIZE, size_out=weights.n_joints, label="algebra")
        Connection(state, node[:n_state], synapse=None)
        Connection(command, node[n_state:], synapse=None)
        Connection(node, torque, synapse=None)

    def _add_neurons(self, state: Node, command: Node, sink: Node) -> None:
        """All layers; what is decoded comes last, so that observing changes nothing before it."""
        weights, tau_s = self.weights, self._synapse(self.tau_s)
        scaled = self._add_copies(state, self._scale, 2 * weights.n_joints, "scaled")
        drive = self._add_copies(command, lambda x: np.clip(x, -1.0, 1.0), TASK_SIZE, "drive")
        self._add_linear_part(scaled, command)
        h1 = self._layer(weights.b1, HIDDEN_HZ, "osc.h1")
        Connection(scaled, h1.neurons, transform=self._shared(weights.w1), synapse=None, label="osc.w1")
        reduced = Node(size_in=len(weights.reduce_bias), label="reduced")
        signs = np.repeat((-1.0, 1.0), (TASK_SIZE, weights.n_modes))
        reduce = (signs * self._sizes())[:, None] * weights.reduction(self.neurons)
        decoded = []
        for i, part in enumerate(_parts(len(weights.b2), _MAX_H2)):
            h2 = self._layer(weights.b2[part], HIDDEN_HZ, f"osc.h2.{i}")
            Connection(h1.neurons, h2.neurons, transform=weights.w2[part], synapse=tau_s, label="osc.w2")
            Connection(h2.neurons, reduced, transform=reduce[:, part], synapse=tau_s, label="osc.reduce")
            decoded.append(h2)
        self._compare(drive, reduced)
        decoded += self._add_products(reduced)
        self._decode(decoded, sink)

    def _add_linear_part(self, scaled: Node, command: Node) -> None:
        """What of the arm's share is linear in the state goes round the neurons, and is as late as they are.

        It is worked out where the state is scaled, on the host of a chip: of a few large terms that cancel,
        scattered devices and rounded weights would leave errors that hundreds of small ones average out.
        Copies are added up first: each weight multiplies once.
        """
        skip = -self.weights.skip / self.weights.command_range[:, None] / self.copies

        def linear(_t: float, x: FloatArray) -> FloatArray:
            part: FloatArray = skip @ np.add.reduce(x.reshape(self.copies, -1))
            return part

        node = Node(linear, size_in=scaled.size_out, size_out=TASK_SIZE, label="linear")
        Connection(scaled, node, synapse=None)
        Connection(node, command, synapse=self._hidden_lag())

    def _sizes(self) -> FloatArray:
        """What makes accelerations and modes about equally large, shape (6 + n_modes,)."""
        sizes: FloatArray = np.abs(self.weights.encoders).max(axis=0)
        return sizes

    def _compare(self, drive: Node, reduced: Node) -> None:
        """The target's share less the arm's, on wires: what a chip then does wrong is in proportion to it.

        Each copy has wires of its own.
        """
        gains = np.diag(self._sizes()[:TASK_SIZE] * self.weights.command_range / self.copies)
        for first in range(0, drive.size_out, TASK_SIZE):
            copy = drive[first : first + TASK_SIZE]
            Connection(copy, reduced[:TASK_SIZE], transform=gains, synapse=None, label="osc.command")

    def _add_products(self, reduced: Node) -> list[Ensemble]:
        """Neurons on the diagonals of acceleration and modes."""
        weights = self.weights
        offset = np.concatenate((-weights.reduce_bias[:TASK_SIZE], weights.reduce_bias[TASK_SIZE:]))
        bias, encoders = weights.product_bias + weights.encoders @ offset, weights.encoders / self._sizes()
        ensembles = []
        for i, part in enumerate(_parts(len(bias), _MAX_PRODUCTS)):
            products = self._layer(bias[part], PRODUCT_HZ, f"osc.products.{i}")
            Connection(reduced, products.neurons, transform=encoders[part], synapse=None, label="osc.encode")
            ensembles.append(products)
        return ensembles

    def _decode(self, ensembles: list[Ensemble], sink: Node) -> None:
        """From spikes to torque, or to the activities themselves."""
        tau_s = self._synapse(self.tau_output_s)
        decoders = None if self.observed else self.used_decoders()
        # The torque that gravity asks for anyway is no matter of neurons, nor of what they err by.
        offset = np.zeros(sink.size_in) if decoders is None else decoders[:, -1]
        Connection(Node(offset, label="offset"), sink, synapse=None)
        for ensemble, part in zip(ensembles, _runs([e.n_neurons for e in ensembles]), strict=True):
            if decoders is None:
                Connection(ensemble.neurons, sink[part], synapse=tau_s, label="osc.activity")
            else:
                Connection(
                    ensemble.neurons, sink, transform=decoders[:, part], synapse=tau_s, label="osc.decode"
                )

    def used_decoders(self) -> FloatArray:
        """Those given, or those trained for the stage, shape (n_joints, n_units + 1)."""
        if self.decoders is not None:
            return self.decoders
        return self.weights.readout(readout_name(self.neurons, feedforward=self.feedforward))

    def _layer(self, bias: FloatArray, rate_hz: float, label: str) -> Ensemble:
        layer = relu_layer(bias, rate_hz, label)
        kind = nengo.RectifiedLinear if self.stage == "rate" else nengo.SpikingRectifiedLinear
        layer.neuron_type = kind(amplitude=amplitude(rate_hz, self.neurons))
        return layer

    def _synapse(self, tau_s: float) -> float | None:
        return None if self.stage == "rate" else tau_s

    def _scale(self, state: FloatArray) -> FloatArray:
        """The state in [-1, 1], with joint angles ahead of time by what the hidden layers take."""
        n_joints = self.weights.n_joints
        lead_s = 0.0 if self.stage == "rate" else self.lead_s
        ahead = state[:n_joints] + lead_s * state[n_joints:]
        return self.weights.scaling(np.concatenate((ahead, state[n_joints:])))

    def _add_copies(
        self, source: Node, function: Callable[[FloatArray], FloatArray], size: int, label: str
    ) -> Node:
        """A function of what a node gives, several times, each copy off by its part of a level."""
        offsets = _DITHER * ((np.arange(self.copies) + 0.5) / self.copies - 0.5)
        spread = offsets[:, None]

        def output(_t: float, x: FloatArray) -> FloatArray:
            copies: FloatArray = (function(x) + spread).ravel()
            return copies

        node = Node(output, size_in=size, size_out=size * self.copies, label=label)
        Connection(source, node, synapse=None)
        return node

    def _shared(self, weights: FloatArray) -> FloatArray:
        """Weights from all copies of an input together."""
        return np.tile(weights / self.copies, self.copies)


def _parts(size: int, largest: int) -> list[slice]:
    """Consecutive parts, as few as needed and about equal."""
    ends = np.linspace(0, size, -(-size // largest) + 1).round().astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


def _runs(sizes: list[int]) -> list[slice]:
    """Where parts of these sizes lie, one after another."""
    ends = np.cumsum([0, *sizes])
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]
