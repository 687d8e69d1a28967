"""The command ``spikearm train encoder``: an arm's state encoder from scratch, on data it makes itself."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro
from numpy.polynomial import Polynomial

from spikearm.controller.laws.gains import Gains
from spikearm.envs.arms import ArmSpec, load_arm
from spikearm.envs.families import HELD_OUT, TRAINED
from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.devices import make_device
from spikearm.launch.cli import guarded, parse, print_json
from spikearm.launch.compose import state_scaling
from spikearm.launch.display import console
from spikearm.launch.encoder_check import Check, check
from spikearm.launch.exit_codes import DONE
from spikearm.launch.model_card import encoder_card
from spikearm.launch.progress import StepProgress
from spikearm.launch.train_common import command_line, require_torch, require_writable
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.encoder import save_encoder
from spikearm.models.training_config import TrainingConfig

if TYPE_CHECKING:
    from spikearm.models.encoder_training import TrainedEncoder

_COMMON = (
    "arm",
    "out",
    "n_sessions",
    "n_samples",
    "n_perturbations",
    "noise_aware",
    "device",
    "n_steps",
    "seed",
    "json",
)


@dataclass(frozen=True)
class TrainEncoderCommand:
    """Train the DNN state encoder of an arm; nothing but the seed decides what comes out.

    Attributes:
        arm: A shipped arm, or the path of an MJCF file.
        out: Folder for the weights and their model card. The file is encoder-<arm>.npz.
        n_sessions: Sessions of reaches to train on.
        n_samples: Moments of each session, 0.02 s apart.
        n_perturbations: Perturbations that each session is done under.
        check_trials: Reaches of the check in the loop at the end; 0 for no check.
        noise_aware: Train for crossbars: with the programming scatter of a device on all weights, both
            devices of each. Drift, read noise and faults are left out.
        device: Device to train for: pcm, pcm-hermes, reram-gong2018, reram-hfo2, reram-optimised or neurram.
        training: The training itself.
        json: Print the result as one JSON document on stdout.
    """

    arm: str = "iiwa14"
    out: Path = Path()
    n_sessions: int = 200
    n_samples: int = 400
    n_perturbations: int = 4
    check_trials: int = 10
    noise_aware: bool = False
    device: str = "pcm"
    training: Annotated[TrainingConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=TrainingConfig)
    json: bool = False

    def __post_init__(self) -> None:
        if self.n_sessions < 10 or self.n_samples < 10 or self.n_perturbations < 1:
            raise ConfigError(
                f"n_sessions and n_samples must be at least 10 and n_perturbations at least 1, not "
                f"{self.n_sessions}, {self.n_samples} and {self.n_perturbations}."
            )
        if self.check_trials < 0:
            raise ConfigError(f"check_trials must be 0 or more, not {self.check_trials}.")
        make_device(self.device)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_train, argv)


def _train(argv: Sequence[str]) -> int:
    command = parse(
        TrainEncoderCommand,
        argv,
        prog="spikearm train encoder",
        examples=("spikearm train encoder --arm planar2 --out weights",),
        common=_COMMON,
    )
    require_torch()
    arm = load_arm(command.arm)
    require_writable(command.out)
    trained = train(command, arm)
    path = command.out / f"encoder-{arm.name}.npz"
    save_encoder(path, dataclasses.replace(trained.encoder, held_out=HELD_OUT))
    checks = _check(command, arm, path)
    card = path.with_suffix(".md")
    card.write_text(_card(command, arm, trained, checks, path), encoding="utf-8")
    console.print(
        f"left of the error after learning, by the closed form: {trained.validation_loss:.3f} with this "
        f"encoder, {trained.raw_state_loss:.3f} with the state itself (new perturbations of the "
        "families trained on)."
    )
    for result in checks:
        console.print(result.line(), highlight=False)
    console.print(f"weights: {path}\nmodel card: {card}", highlight=False, soft_wrap=True)
    next_ = f"next: spikearm run --arm {command.arm} --encoder {path}"
    console.print(next_, highlight=False, soft_wrap=True)
    if command.json:
        print_json(_document(trained, checks, path))
    return DONE


def train(command: TrainEncoderCommand, arm: ArmSpec) -> TrainedEncoder:
    """Make the data and train; the seeds of both come from the one seed."""
    from spikearm.launch.encoder_data import draw_tasks
    from spikearm.models.encoder_training import train_encoder

    streams = np.random.SeedSequence(command.training.seed).spawn(2)
    train_rng, validation_rng = map(np.random.default_rng, streams)
    size: dict[str, Any] = {"n_samples": command.n_samples, "n_perturbations": command.n_perturbations}
    gains = Gains()
    with StepProgress(f"drawing {command.n_sessions} sessions of {arm.name}", command.n_sessions) as drawing:
        tasks = draw_tasks(arm, train_rng, n_sessions=command.n_sessions, progress=drawing.done, **size)
    n_validation = max(10, command.n_sessions // 12)
    validation = draw_tasks(arm, validation_rng, n_sessions=n_validation, random_fields=0.0, **size)
    with StepProgress("training", command.training.n_steps) as training:
        return train_encoder(
            arm.name,
            state_scaling(arm),
            tasks,
            validation,
            settings(command),
            torque_scale=arm.torque_scale_nm,
            max_rates_hz=AdaptiveNetwork.max_rates_hz,
            gains=(gains.kp, gains.damping),
            progress=lambda step, loss: training.done(step + 1, f"loss {loss:.3f}"),
        )


def settings(command: TrainEncoderCommand) -> TrainingConfig:
    """How to train, noise included."""
    if not command.noise_aware:
        return command.training
    device = make_device(command.device)
    # The device's polynomial is in g / g_max, weights are places in its range.
    lowest = device.g_min_siemens / device.g_max_siemens
    place = Polynomial([lowest, 1.0 - lowest])
    scatter = Polynomial(device.programming_us)(place) / (1e6 * device.range_siemens)
    return dataclasses.replace(
        command.training,
        weight_noise=tuple(device.programming_scale * float(c) for c in scatter.coef),
        weight_noise_floor=-device.g_min_siemens / device.range_siemens,
    )


def _check(command: TrainEncoderCommand, arm: ArmSpec, path: Path) -> list[Check]:
    """The loop itself, under the families of perturbation that training holds out."""
    if not command.check_trials:
        return []
    console.print(f"checking in the loop: {', '.join(HELD_OUT)}", highlight=False)
    return [
        check(arm, path, family, n_trials=command.check_trials, seed=command.training.seed)
        for family in HELD_OUT
    ]


def _card(
    command: TrainEncoderCommand, arm: ArmSpec, trained: TrainedEncoder, checks: list[Check], path: Path
) -> str:
    return encoder_card(
        arm,
        trained,
        settings(command),
        checks=[check.line() for check in checks],
        data=f"{command.n_sessions} sessions of reaches to random targets near home, "
        f"{command.n_samples} moments of each, {command.n_perturbations} random perturbations per session: "
        f"{', '.join(TRAINED)}, one or two at once, or random smooth functions of the state; missing torque "
        "by inverse dynamics; made by the command itself",
        command=command_line("encoder", command, TrainEncoderCommand()),
        n_bytes=path.stat().st_size,
    )


def _document(trained: TrainedEncoder, checks: list[Check], path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "train_loss": trained.train_loss,
        "validation_loss": trained.validation_loss,
        "raw_state_loss": trained.raw_state_loss,
        "learning_rate": trained.encoder.learning_rate,
        "checks": [dataclasses.asdict(check) for check in checks],
    }


if __name__ == "__main__":
    sys.exit(main())
