"""Trained weights of the spiking operational-space controller, and their file."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spikearm.errors import UnknownNameError, WeightsError
from spikearm.models.encoder import WEIGHTS
from spikearm.models.scaling import StateScaling
from spikearm.records import FloatArray

TASK_SIZE = 6
"""Dimensions of the task: position and orientation."""

Neurons = Literal["rates", "spikes", "dead time"]
"""What decoders are fitted to: rates, spikes with their ripple, and spikes with a dead time."""
NEURONS: tuple[Neurons, ...] = ("rates", "spikes", "dead time")

_READOUT, _REDUCTION = "readout/", "reduction/"


@dataclass(frozen=True, eq=False)
class OscWeights:
    """What training finds; :class:`~spikearm.models.osc.SpikingOSC` says what it is for.

    Sizes: n_state = 2 n_joints, n_modes reduced coefficients, n1 and n2 units in the hidden layers,
    n_products neurons in the product ensembles.

    Attributes:
        arm: Name of the arm.
        kp: Stiffness the network was trained for [1/s^2].
        damping: Damping it was trained for [1/s].
        center: Pose that displacements are counted from: position [m] and quaternion w x y z, shape (7,).
        scaling: Scaling of the state (q, dq).
        command_range: Largest commanded acceleration without the linear part [m/s^2, rad/s^2], shape (6,).
        w1: First hidden layer, shape (n1, n_state). ``w2``, ``b1``, ``b2`` accordingly.
        skip: Part of ``kp x + kd dx`` that is linear in the scaled state, shape (6, n_state).
        reduce_bias: Mean of the rest of ``kp x + kd dx`` and of the modes, shape (6 + n_modes,).
        encoders: From acceleration and modes to the product neurons, shape (n_products, 6 + n_modes).
        product_bias: Shape (n_products,).
        task_matrix: Mean of ``J^T Mx`` [kg, kg m ...], shape (n_joints, 6).
        task_modes: Its modes, shape (n_modes, n_joints, 6).
        reductions: Decoders of the second hidden layer for the rest of ``kp x + kd dx`` and the modes, by
            kind of neurons, each shape (6 + n_modes, n2).
        readouts: Decoders of the torque by name, each shape (n_joints, n2 + n_products + 1), the last column
            a constant torque [N m]; see :func:`readout_name`.
    """

    arm: str
    kp: float
    damping: float
    center: FloatArray
    scaling: StateScaling
    command_range: FloatArray
    w1: FloatArray
    b1: FloatArray
    w2: FloatArray
    b2: FloatArray
    skip: FloatArray
    reduce_bias: FloatArray
    encoders: FloatArray
    product_bias: FloatArray
    task_matrix: FloatArray
    task_modes: FloatArray
    reductions: Mapping[str, FloatArray]
    readouts: Mapping[str, FloatArray]

    @property
    def n_joints(self) -> int:
        """Number of joints."""
        return len(self.task_matrix)

    @property
    def n_modes(self) -> int:
        """Number of coefficients in which ``J^T Mx`` is expanded."""
        return len(self.task_modes)

    @property
    def n_units(self) -> int:
        """Neurons that are decoded."""
        return len(self.b2) + len(self.product_bias)

    def reduction(self, neurons: Neurons) -> FloatArray:
        """Decoders of the second layer for these neurons, shape (6 + n_modes, n2).

        Raises:
            UnknownNameError: There are none.
        """
        if neurons not in self.reductions:
            raise UnknownNameError("reduction", neurons, self.reductions)
        return self.reductions[neurons]

    def readout(self, name: str) -> FloatArray:
        """Decoders of this name, shape (n_joints, n_units + 1), the last column a constant.

        Raises:
            UnknownNameError: There are none.
        """
        if name not in self.readouts:
            raise UnknownNameError("read-out", name, self.readouts)
        return self.readouts[name]

    def with_readouts(self, readouts: Mapping[str, FloatArray]) -> OscWeights:
        """The same weights with further decoders, or others of the same name."""
        return replace(self, readouts={**self.readouts, **readouts})


def readout_name(neurons: Neurons, *, feedforward: bool) -> str:
    """Name of the decoders for a kind of neurons and a form of the law."""
    return f"{'feedforward' if feedforward else 'published'}, {neurons}"


def shipped_osc_path(arm: str) -> Path:
    """Where the weights that come with the package lie, whether or not there are any for this arm."""
    return WEIGHTS / f"osc-{arm}.npz"


def save_osc(path: Path, weights: OscWeights) -> None:
    """Write weights in single precision, as :func:`load_osc` reads them.

    Raises:
        WeightsError: The file cannot be written.
    """
    arrays: dict[str, Any] = {name: np.asarray(getattr(weights, name), np.float32) for name in _ARRAYS}
    arrays["scaling"] = np.array((weights.scaling.center, weights.scaling.half_range))
    for prefix, decoders in ((_READOUT, weights.readouts), (_REDUCTION, weights.reductions)):
        arrays |= {prefix + name: np.asarray(value, np.float32) for name, value in decoders.items()}
    gains = np.array((weights.kp, weights.damping))
    try:
        np.savez_compressed(path, arm=np.array(weights.arm), gains=gains, **arrays)
    except OSError as error:
        raise WeightsError(
            f"cannot write weights to {path}: {error.strerror}; choose another place."
        ) from error


def load_osc(path: Path) -> OscWeights:
    """Read trained weights.

    Raises:
        WeightsError: The file is missing, damaged, incomplete, or its arrays do not fit together.
    """
    if not path.is_file():
        raise WeightsError(f"no weights of a spiking controller at {path}; `spikearm train osc` makes them.")
    try:
        weights = _read(path)
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsError(
            f"weights {path} cannot be read ({error}); make them anew with `spikearm train osc`."
        ) from error
    _check(weights, path)
    return weights


def _read(path: Path) -> OscWeights:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no archive, or not a whole one")
    with np.load(path, allow_pickle=False) as archive:
        data: dict[str, Any] = {name: np.asarray(archive[name], dtype=np.float64) for name in _ARRAYS}
        center, half_range = archive["scaling"].tolist()
        kp, damping = archive["gains"].tolist()
        return OscWeights(
            arm=str(archive["arm"]),
            kp=kp,
            damping=damping,
            scaling=StateScaling(tuple(center), tuple(half_range)),
            reductions=_by_name(archive, _REDUCTION),
            readouts=_by_name(archive, _READOUT),
            **data,
        )


def _by_name(archive: Any, prefix: str) -> dict[str, FloatArray]:
    return {
        name.removeprefix(prefix): np.asarray(archive[name], dtype=np.float64)
        for name in archive.files
        if name.startswith(prefix)
    }


def _check(weights: OscWeights, path: Path) -> None:
    n_state, n1, n2 = weights.scaling.size, weights.b1.size, weights.b2.size
    n_products, n_joints = weights.product_bias.size, n_state // 2
    n_modes = len(weights.task_modes) if weights.task_modes.ndim else 0
    wanted = {
        "center": (7,),
        "command_range": (TASK_SIZE,),
        "w1": (n1, n_state),
        "b1": (n1,),
        "w2": (n2, n1),
        "b2": (n2,),
        "skip": (TASK_SIZE, n_state),
        "reduce_bias": (TASK_SIZE + n_modes,),
        "encoders": (n_products, TASK_SIZE + n_modes),
        "product_bias": (n_products,),
        "task_matrix": (n_joints, TASK_SIZE),
        "task_modes": (n_modes, n_joints, TASK_SIZE),
    }
    arrays = {name: getattr(weights, name) for name in wanted}
    for name, values in weights.reductions.items():
        wanted[name], arrays[name] = (TASK_SIZE + n_modes, n2), values
    for name, values in weights.readouts.items():
        wanted[name], arrays[name] = (n_joints, n2 + n_products + 1), values
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != wanted:
        raise WeightsError(f"weights {path} do not fit together: {shapes}; train them again.")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"weights {path}: {name} is not finite; train them again.")


_ARRAYS = tuple(field.name for field in fields(OscWeights) if field.type == "FloatArray")
