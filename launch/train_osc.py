"""The command ``spikearm train osc``: the spiking controller from scratch, on data it makes itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import tyro

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import ArmSpec, load_arm
from spikearm.envs.dynamics import MujocoDynamics
from spikearm.errors import ConfigError
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.compose import state_scaling
from spikearm.launch.display import console
from spikearm.launch.exit_codes import DONE
from spikearm.launch.model_card import osc_card
from spikearm.launch.osc_data import Reaching, draw_samples
from spikearm.launch.osc_errors import LinearPart, MeanErrors, linear_part, mean_errors
from spikearm.launch.progress import StepProgress
from spikearm.launch.train_common import command_line, require_torch, require_writable
from spikearm.models.osc_rates import parts, rates
from spikearm.models.osc_readout import LeastSquares, random_commands, wanted_torque, with_constant
from spikearm.models.osc_samples import OscSamples
from spikearm.models.osc_training_config import OscTrainingConfig
from spikearm.models.osc_weights import NEURONS, Neurons, OscWeights, readout_name, save_osc
from spikearm.records import FloatArray

_STILL = 0.25
"""Share of the states that are used without their velocity for the decoders."""
_DECODED = 40_000
"""States that decoders are fitted to at most, many for each of them."""

_COMMON = ("arm", "out", "kp", "n_reaches", "n_steps", "seed", "json")


@dataclass(frozen=True)
class TrainOscCommand:
    """Train the spiking operational-space controller of an arm; nothing but the seed decides what comes out.

    Attributes:
        arm: A shipped arm, or the path of an MJCF file; it must move and turn in all directions.
        out: Folder for the weights, osc-<arm>.npz, and their model card.
        kp: Stiffness of the law [1/s^2]; its damping is critical.
        n_reaches: Reaches out and back that the states are taken from.
        n_check_reaches: Further ones, drawn for the check alone, that the errors in the model card are of.
        training: The training itself.
        json: Print the result as one JSON document on stdout.
    """

    arm: str = "iiwa14"
    out: Path = Path()
    kp: float = 150.0
    n_reaches: int = 4000
    n_check_reaches: int = 80
    training: Annotated[OscTrainingConfig, tyro.conf.OmitArgPrefixes] = field(
        default_factory=OscTrainingConfig
    )
    json: bool = False

    def __post_init__(self) -> None:
        for name in ("n_reaches", "n_check_reaches"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}.")


@dataclass(frozen=True)
class TrainedOsc:
    """Weights, and how good they are without dynamics.

    Attributes:
        weights: The result.
        checked: Errors on reaches that nothing was trained on.
        trained_on: Errors on those of the training.
        linear: What goes round the neurons, on the reaches that nothing was trained on.
        train_s: Time all of it took [s].
    """

    weights: OscWeights
    checked: MeanErrors
    trained_on: MeanErrors
    linear: LinearPart
    train_s: float


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_train, argv)


def _train(argv: Sequence[str]) -> int:
    command = parse(
        TrainOscCommand,
        argv,
        prog="spikearm train osc",
        examples=("spikearm train osc --arm iiwa14 --out weights",),
        common=_COMMON,
    )
    require_torch()
    arm = load_arm(command.arm)
    if not all(arm.task_axes):
        raise ConfigError(
            f"arm {arm.name!r} does not control position and orientation in all axes, as the spiking "
            "controller does; use an arm with at least six joints."
        )
    require_writable(command.out)
    trained = train(command, arm)
    path = command.out / f"osc-{arm.name}.npz"
    save_osc(path, trained.weights)
    card = path.with_suffix(".md")
    card.write_text(
        osc_card(
            arm,
            trained,
            command.training,
            data=f"{command.n_reaches} random reaches out and back of the analytic controller, half of them "
            "in each form of the law, states moved off the path at random; made by the command itself",
            check=f"{command.n_check_reaches} reaches of the same kind that nothing was trained on, drawn "
            "from a seed of their own",
            command=command_line("osc", command, TrainOscCommand()),
            n_bytes=path.stat().st_size,
        ),
        encoding="utf-8",
    )
    console.print(
        f"pose misjudged by {_worst(trained.checked)} on {command.n_check_reaches} reaches not trained on, "
        f"without dynamics (on those of the training by {_worst(trained.trained_on)}); "
        f"{trained.train_s:.0f} s in all"
    )
    console.print(f"weights: {path}\nmodel card: {card}", highlight=False, soft_wrap=True)
    next_ = f"next: spikearm run --arm {command.arm} --controller spiking-osc --weights {path}"
    console.print(next_, highlight=False, soft_wrap=True)
    if command.json:
        print_json(_document(trained, path))
    return DONE


def train(command: TrainOscCommand, arm: ArmSpec) -> TrainedOsc:
    """Make the data, train the hidden layers, fit the decoders; all seeds come from the one seed."""
    from spikearm.models.osc_training import TaskGains, train_osc

    start = perf_counter()
    streams = np.random.SeedSequence(command.training.seed).spawn(3)
    data_rng, decoder_rng, check_rng = map(np.random.default_rng, streams)
    reaching = Reaching(arm, MujocoDynamics(arm), Gains(kp=command.kp))
    null_damping = Gains(kp=reaching.posture_kp).damping
    gains = TaskGains(command.kp, reaching.gains.damping, null_damping)
    with StepProgress(f"reaching {command.n_reaches} times with {arm.name}", command.n_reaches) as reached:
        samples = draw_samples(reaching, data_rng, n_reaches=command.n_reaches, progress=reached.done)
    center = reaching.center
    with StepProgress("training", command.training.n_steps) as training:
        weights = train_osc(
            arm.name,
            state_scaling(arm),
            np.concatenate((center.position, center.quaternion)),
            samples,
            gains,
            command.training,
            progress=lambda step, loss: training.done(step + 1, f"loss {loss:.2f}"),
        )
    for kind in NEURONS:
        readouts = _decoders(samples, weights, decoder_rng, null_damping, command.training, kind)
        weights = weights.with_readouts(readouts)
    fresh = draw_samples(reaching, check_rng, n_reaches=command.n_check_reaches)
    return TrainedOsc(
        weights,
        checked=mean_errors(fresh, weights, check_rng, null_damping=null_damping),
        trained_on=mean_errors(samples, weights, decoder_rng, null_damping=null_damping),
        linear=linear_part(fresh, weights),
        train_s=perf_counter() - start,
    )


def _decoders(
    samples: OscSamples,
    weights: OscWeights,
    rng: np.random.Generator,
    null_damping: float,
    training: OscTrainingConfig,
    neurons: Neurons,
) -> dict[str, FloatArray]:
    """Decoders for both forms of the law, from rates in all states with random commands."""
    squares = LeastSquares(weights.n_units + 1, 2 * weights.n_joints, constant=True)
    some = samples[rng.permutation(len(samples))[:_DECODED]]
    moved = some.moving(rng.choice((1.0, 0.0), size=len(some), p=(1.0 - _STILL, _STILL)))
    command = random_commands(moved, weights, rng)
    torques = _wanted_torques(moved, weights, command, null_damping)
    for part in parts(len(moved)):
        activity = with_constant(rates(weights, moved.state[part], command[part], neurons))
        squares.add(activity, np.concatenate([torque[part] for torque in torques.values()], axis=1))
    decoders = np.split(squares.solve(training.decoder_noise), len(torques))
    names = (readout_name(neurons, feedforward=form) for form in torques)
    return dict(zip(names, decoders, strict=True))


def _wanted_torques(
    samples: OscSamples, weights: OscWeights, command: FloatArray, null_damping: float
) -> dict[bool, FloatArray]:
    """Torque of the law by form, without and with feed-forward."""
    return {
        form: wanted_torque(samples, weights, command, feedforward=form, null_damping=null_damping)
        for form in (False, True)
    }


def _worst(errors: MeanErrors) -> str:
    """Of the three axes, by kind of neurons."""
    return ", ".join(f"{1e3 * error[:3].max():.2f} mm ({kind})" for kind, error in errors.pose.items())


def _document(trained: TrainedOsc, path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        **_errors(trained.checked),
        "on_training_states": _errors(trained.trained_on),
        "linear_share": trained.linear.explained.tolist(),
        "train_s": trained.train_s,
    }


def _errors(errors: MeanErrors) -> dict[str, Any]:
    return {
        "pose_error": {kind: error.tolist() for kind, error in errors.pose.items()},
        "torque_error_nm": {name: error.tolist() for name, error in errors.torque_nm.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
