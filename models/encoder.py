"""The DNN state encoder: a trained multilayer perceptron, built from spiking neurons."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import nengo
import numpy as np

from spikearm.errors import WeightsError
from spikearm.models.scaling import StateScaling
from spikearm.records import FloatArray

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the weights that come with the package."""
SHIPPED_FOR = ("iiwa14", "planar2", "planar3")
"""Arms whose trained weights come with the package."""
_ARRAYS = ("w1", "b1", "w2", "b2", "w3", "center", "half_range", "active_area", "learning_rate")


@dataclass(frozen=True, eq=False)
class StateEncoder:
    """Two hidden layers of rectified-linear units between the scaled state and a few features.

    ``features = w3 relu(w2 relu(w1 x + b1) + b2)`` with ``x`` the state scaled to [-1, 1]. As a network
    the units are spiking rectified-linear neurons that fire ``rate_hz`` times a second at activation 1.

    Attributes:
        arm: Name of the arm it was trained for.
        scaling: Scaling of the state it was trained with.
        w1: First layer, shape (n_hidden, n_state). ``w2``, ``w3`` and the biases ``b1``, ``b2`` accordingly.
        active_area: Part of the features' space that the neurons behind it should be active in: lower end,
            mode and upper end; what it was trained with.
        learning_rate: PES learning rate at which these neurons learn best in the loop.
        held_out: Families of perturbation that its training never saw.
    """

    arm: str
    scaling: StateScaling
    w1: FloatArray
    b1: FloatArray
    w2: FloatArray
    b2: FloatArray
    w3: FloatArray
    active_area: tuple[float, float, float] = (0.35, 0.45, 0.55)
    learning_rate: float = 1e-2
    held_out: tuple[str, ...] = ()

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.w3)

    def features(self, state: FloatArray) -> FloatArray:
        """What the perceptron computes without spikes.

        Args:
            state: Physical units, shape (..., n_state).

        Returns:
            Features, shape (..., n_features).
        """
        h1 = np.maximum(self.scaling(state) @ self.w1.T + self.b1, 0.0)
        h2 = np.maximum(h1 @ self.w2.T + self.b2, 0.0)
        features: FloatArray = h2 @ self.w3.T
        return features

    def build(self, source: nengo.Node, *, tau_s: float, rate_hz: float) -> nengo.Ensemble:
        """Build both hidden layers into the network under construction.

        Args:
            source: Node that gives the scaled state.
            tau_s: Synaptic time constant between the layers [s].
            rate_hz: Firing rate at activation 1 [Hz].

        Returns:
            The last layer; connect its neurons with ``transform=encoder.w3`` to get the features.
        """
        h1 = relu_layer(self.b1, rate_hz, "encoder.h1")
        h2 = relu_layer(self.b2, rate_hz, "encoder.h2")
        nengo.Connection(source, h1.neurons, transform=self.w1, synapse=None, label="encoder.w1")
        nengo.Connection(h1.neurons, h2.neurons, transform=self.w2, synapse=tau_s, label="encoder.w2")
        return h2


def relu_layer(bias: FloatArray, rate_hz: float, label: str) -> nengo.Ensemble:
    """Spiking units whose filtered output is the activation of a rectified-linear unit.

    Args:
        bias: Of the units, in units of their activation, shape (n_units,).
        rate_hz: Firing rate at activation 1 [Hz].
        label: Name of the layer.
    """
    return nengo.Ensemble(
        len(bias),
        dimensions=1,
        neuron_type=nengo.SpikingRectifiedLinear(amplitude=1.0 / rate_hz),
        gain=np.full(len(bias), rate_hz),
        bias=rate_hz * bias,
        label=label,
    )


def load_encoder(path: Path) -> StateEncoder:
    """Read trained weights.

    Raises:
        WeightsError: The file is missing, damaged, incomplete, or its arrays do not fit together.
    """
    if not path.is_file():
        raise WeightsError(f"no encoder weights at {path}; `spikearm train encoder` makes them.")
    try:
        with path.open("rb") as file:
            data, arm, held_out = _read(file)
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsError(
            f"encoder weights {path} cannot be read ({error}); make them anew with `spikearm train encoder`."
        ) from error
    _check(data, path)
    scaling = StateScaling(tuple(data.pop("center").tolist()), tuple(data.pop("half_range").tolist()))
    low, mode, high = (float(edge) for edge in data.pop("active_area"))
    rate = float(data.pop("learning_rate"))
    return StateEncoder(
        arm=arm,
        scaling=scaling,
        active_area=(low, mode, high),
        learning_rate=rate,
        held_out=held_out,
        **data,
    )


def _read(file: IO[bytes]) -> tuple[dict[str, FloatArray], str, tuple[str, ...]]:
    """All arrays of an archive, the arm's name, and the families held out, as yet unchecked."""
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no archive, or not a whole one")
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        data = {name: np.asarray(archive[name], dtype=np.float64) for name in _ARRAYS}
        return data, str(archive["arm"]), tuple(map(str, archive["held_out"]))


def save_encoder(path: Path, encoder: StateEncoder) -> None:
    """Write weights in single precision, as :func:`load_encoder` reads them.

    Args:
        path: An .npz file.
        encoder: What to write.

    Raises:
        WeightsError: The file cannot be written.
    """
    arrays: dict[str, Any] = {
        name: np.asarray(getattr(encoder if hasattr(encoder, name) else encoder.scaling, name), np.float32)
        for name in _ARRAYS
    }
    try:
        np.savez(
            path, arm=np.array(encoder.arm), held_out=np.array(encoder.held_out, dtype=np.str_), **arrays
        )
    except OSError as error:
        raise WeightsError(
            f"cannot write weights to {path}: {error.strerror}; choose another place."
        ) from error


def _check(data: dict[str, FloatArray], path: Path) -> None:
    n_state, n1, n2 = data["center"].size, data["b1"].size, data["b2"].size
    n_features = len(data["w3"]) if data["w3"].ndim else 0
    wanted = {
        "center": (n_state,),
        "half_range": (n_state,),
        "w1": (n1, n_state),
        "b1": (n1,),
        "w2": (n2, n1),
        "b2": (n2,),
        "w3": (n_features, n2),
        "active_area": (3,),
        "learning_rate": (),
    }
    fits = all(array.shape == wanted[name] and array.size for name, array in data.items())
    if not fits:
        shapes = {name: array.shape for name, array in data.items()}
        raise WeightsError(f"encoder weights {path} do not fit together: {shapes}; train them again.")
    for name, array in data.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"encoder weights {path}: {name} is not finite; train them again.")
    for name in ("half_range", "learning_rate"):
        if not (data[name] > 0).all():
            raise WeightsError(f"encoder weights {path}: {name} is not positive; train them again.")
    area = data["active_area"]
    if not (0 < area[0] <= area[1] <= area[2] < 1 and area[0] < area[2]):
        raise WeightsError(f"encoder weights {path}: active_area is not in order; train them again.")


def shipped_encoder_path(arm: str) -> Path:
    """Where the weights that come with the package lie, whether or not there are any for this arm."""
    return WEIGHTS / f"encoder-{arm}.npz"
