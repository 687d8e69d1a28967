"""A trained perceptron, the actor of a reinforcement-learning agent, as a network of spiking neurons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import nengo
import numpy as np

from spikearm.errors import ConfigError, WeightsError
from spikearm.models.network import InputPort, OutputPort, PortedNetwork
from spikearm.models.scaling import StateScaling
from spikearm.records import FloatArray

SQUASHES = ("tanh", "clip")
_QUANTILE = 99.9
"""Percentile of a unit's activations that counts as 1: single outliers must not silence it (Rueckauer et al.
2017, Front. Neurosci. 11:682, section 2.2.2)."""


_QUIET = 0.02
"""Least activation that is scaled to 1, as a share of the layer's greatest: noise is not to be amplified."""


@dataclass(frozen=True, eq=False)
class Layers:
    """A perceptron of rectified-linear units: ``squash(W_n relu(... relu(W_1 F x + b_1)) + b_n)``.

    Attributes:
        weights: One matrix per layer, shape (n_out, n_in); at least one hidden layer and the last.
        biases: One vector per layer.
        squash: What bounds the last layer to [-1, 1]: "tanh" or "clip".
        features: F, shape (n_features, n_in): what the first layer is given of an observation; None for all
            as it is. It stays with the host: spikes and rounded weights lose small differences of large
            inputs.

    Raises:
        WeightsError: The layers do not fit together, or are not finite.
        ConfigError: There is no such squashing function.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    squash: str = "tanh"
    features: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.squash not in SQUASHES:
            raise ConfigError(f"squash must be 'tanh' or 'clip', not {self.squash!r}.")
        shapes = [w.shape for w in self.weights]
        fits = len(shapes) == len(self.biases) and len(shapes) >= 2
        fits = fits and all(len(s) == 2 for s in shapes)
        fits = fits and all(a[0] == b[1] for a, b in pairwise(shapes))
        if not fits or any(b.shape != (s[0],) for b, s in zip(self.biases, shapes, strict=True)):
            biases = [b.shape for b in self.biases]
            raise WeightsError(
                f"layers do not fit together: weights {shapes}, biases {biases}; two layers or more, each as "
                "wide as the next one's input."
            )
        if self.features is not None and self.features.shape[0] != shapes[0][1]:
            raise WeightsError(
                f"features of shape {self.features.shape} do not fit a first layer of shape {shapes[0]}."
            )
        if not all(np.isfinite(a).all() for a in (*self.weights, *self.biases)):
            raise WeightsError("layers are not finite; train the policy again.")

    @property
    def n_in(self) -> int:
        """Numbers in an observation."""
        return int((self.weights[0] if self.features is None else self.features).shape[1])

    def featured(self, x: FloatArray) -> FloatArray:
        """What the first layer is given of observations, shape (..., n_features)."""
        return x if self.features is None else x @ self.features.T

    def activations(self, x: FloatArray) -> list[FloatArray]:
        """Activations of every hidden layer for observations of shape (n, n_in)."""
        x = self.featured(x)
        hidden: list[FloatArray] = []
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.maximum(x @ weight.T + bias, 0.0)
            hidden.append(x)
        return hidden

    def __call__(self, x: FloatArray) -> FloatArray:
        """Actions for observations of shape (n, n_in), without spikes."""
        return self.bound(self.activations(x)[-1] @ self.weights[-1].T + self.biases[-1])

    def bound(self, x: FloatArray) -> FloatArray:
        """The squashing function, shape (..., n_actions): into [-1, 1]."""
        bounded: FloatArray = np.tanh(x) if self.squash == "tanh" else np.clip(x, -1.0, 1.0)
        return bounded


@dataclass(frozen=True, eq=False)
class PolicyNetwork:
    """A policy of spiking rectified-linear neurons that gives the perceptron's actions on average.

    Each unit becomes one neuron that fires ``rate_hz`` times a second at an activation of 1. Layers are
    scaled by what they do on observations of the task, so that activations lie in [0, 1] (data-based
    normalisation, Rueckauer et al. 2017), which changes nothing else: a factor on a rectified-linear unit is
    undone by the layer after it. The last layer and its squashing function are read out by the host.

    Ports: in ``observation``, in the units of the perceptron, out ``drive``, the action before it is bounded.

    Attributes:
        layers: The scaled perceptron; its inputs are scaled features.
        scaling: From features to [-1, 1].
        rate_hz: Firing rate at activation 1 [Hz].
        tau_s: Synapse between layers and of the readout [s].
        features: What the host makes of an observation first, shape (n_features, n_in); None for nothing.
    """

    layers: Layers
    scaling: StateScaling
    rate_hz: float = 800.0
    tau_s: float = 0.005
    features: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.layers.n_in != self.scaling.size:
            raise ConfigError(
                f"the scaling has {self.scaling.size} dimensions, the policy takes {self.layers.n_in}."
            )
        for name in ("rate_hz", "tau_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be positive and finite, not {getattr(self, name)!r}.")

    @property
    def inputs(self) -> Mapping[str, int]:
        """Size of each input port."""
        return {"observation": self.scaling.size if self.features is None else self.features.shape[1]}

    @property
    def outputs(self) -> Mapping[str, int]:
        """Size of each output port."""
        return {"drive": len(self.layers.biases[-1])}

    def build(self, *, seed: int) -> PortedNetwork:
        """A fresh network and its ports."""
        n_in = self.inputs["observation"]
        observation, drive = InputPort(n_in), OutputPort(self.outputs["drive"])
        with nengo.Network(label="policy", seed=seed) as network:
            observed = nengo.Node(observation, size_out=n_in, label="observation")
            scaled = nengo.Node(self._scale, size_in=n_in, size_out=self.scaling.size, label="scaled")
            nengo.Connection(observed, scaled, synapse=None)
            read = nengo.Node(
                self._add_bias, size_in=drive.value.size, size_out=drive.value.size, label="read"
            )
            nengo.Connection(
                self._add_layers(scaled),
                read,
                transform=self.layers.weights[-1],
                synapse=self.tau_s,
                label="policy.readout",
            )
            nengo.Connection(read, nengo.Node(drive, size_in=drive.value.size, label="drive"), synapse=None)
        return PortedNetwork(network, {"observation": observation}, {"drive": drive})

    def _add_layers(self, scaled: nengo.Node) -> Any:
        """All hidden layers; returns the neurons of the last."""
        below: Any = scaled
        hidden = zip(self.layers.weights[:-1], self.layers.biases[:-1], strict=True)
        for i, (weight, bias) in enumerate(hidden, start=1):
            layer = self._layer(bias, f"policy.h{i}")
            synapse = None if below is scaled else self.tau_s
            nengo.Connection(below, layer.neurons, transform=weight, synapse=synapse, label=f"policy.w{i}")
            below = layer.neurons
        return below

    def _layer(self, bias: FloatArray, label: str) -> nengo.Ensemble:
        return nengo.Ensemble(
            len(bias),
            dimensions=1,
            neuron_type=nengo.SpikingRectifiedLinear(amplitude=1.0 / self.rate_hz),
            gain=np.full(len(bias), self.rate_hz),
            bias=self.rate_hz * bias,
            label=label,
        )

    def _scale(self, t: float, x: FloatArray) -> FloatArray:
        return self.scaling(x if self.features is None else self.features @ x)

    def _add_bias(self, t: float, x: FloatArray) -> FloatArray:
        return x + self.layers.biases[-1]


def spiking_policy(
    layers: Layers,
    observations: FloatArray,
    *,
    rate_hz: float = 800.0,
    tau_s: float = 0.005,
    copies: int = 1,
) -> PolicyNetwork:
    """Convert a perceptron, given observations such as it will see.

    Args:
        layers: The trained perceptron.
        observations: From episodes of its task, shape (n, n_in); a few hundred do.
        rate_hz: Firing rate at activation 1 [Hz].
        tau_s: Synapse between layers [s]; shorter is faster, longer is smoother.
        copies: Neurons that stand for one unit. Each has weights of its own, so that the errors of analog
            devices, which are independent, are averaged; weights grow in number with the square.

    Raises:
        ConfigError: There is less than one copy. The observations have the wrong shape, or are not finite.
    """
    if copies < 1:
        raise ConfigError(f"copies must be at least 1, not {copies!r}.")
    observed = np.asarray(observations, dtype=np.float64)
    n_in = layers.n_in
    if (
        observed.ndim != 2
        or observed.shape[1] != n_in
        or not len(observed)
        or not np.isfinite(observed).all()
    ):
        raise ConfigError(f"observations must be finite numbers of shape (n, {n_in}), not {observed.shape}.")
    seen = layers.featured(observed)
    low, high = seen.min(axis=0), seen.max(axis=0)
    centre = 0.5 * (low + high)
    # Half as much again as was seen: what is beyond is cut. Inputs that never change need a range too.
    half_range = np.maximum(0.75 * (high - low), 1e-3)
    scaled = _scaled_inputs(layers, centre, half_range)
    factors = [
        # A unit that is silent on all of them, or nearly so, is scaled like the quietest that is not.
        np.maximum(np.percentile(a, _QUANTILE, axis=0), max(_QUIET * float(a.max()), 1e-6))
        for a in scaled.activations((seen - centre) / half_range)
    ]
    scaling = StateScaling(tuple(centre.tolist()), tuple(half_range.tolist()))
    normalised = _copied(_normalised(scaled, factors), copies)
    return PolicyNetwork(normalised, scaling, rate_hz, tau_s, layers.features)


def _scaled_inputs(layers: Layers, centre: FloatArray, half_range: FloatArray) -> Layers:
    """The same function of inputs scaled to [-1, 1]."""
    first = layers.weights[0]
    weights = (first * half_range, *layers.weights[1:])
    biases = (layers.biases[0] + first @ centre, *layers.biases[1:])
    return Layers(weights, biases, layers.squash)


def _normalised(layers: Layers, factors: Sequence[FloatArray]) -> Layers:
    """The same function with the activations of each hidden unit divided by its factor."""
    below = (np.ones(layers.weights[0].shape[1]), *factors)
    above = (*factors, np.ones(len(layers.biases[-1])))
    weights = tuple(w * b / a[:, None] for w, b, a in zip(layers.weights, below, above, strict=True))
    biases = tuple(bias / a for bias, a in zip(layers.biases, above, strict=True))
    return Layers(weights, biases, layers.squash)


def _copied(layers: Layers, copies: int) -> Layers:
    """The same function with several neurons for each hidden unit, each counting for a part of it."""
    n_last = len(layers.weights) - 1
    weights = tuple(
        np.tile(w, (copies if i < n_last else 1, copies if i else 1)) / (copies if i else 1)
        for i, w in enumerate(layers.weights)
    )
    biases = (*(np.tile(bias, copies) for bias in layers.biases[:-1]), layers.biases[-1])
    return Layers(weights, biases, layers.squash)
