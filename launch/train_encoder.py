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
from rich.progress import Progress

from spikearm.envs.arms import ArmSpec, load_arm
from spikearm.errors import ConfigError
from spikearm.hardware.crossbar.devices import DEVICES
from spikearm.launch.cli import DONE, guarded, parse, print_json
from spikearm.launch.compose import state_scaling
from spikearm.launch.display import console
from spikearm.launch.model_card import encoder_card
from spikearm.launch.train_common import command_line, require_torch, require_writable
from spikearm.models.adaptive import AdaptiveNetwork
from spikearm.models.encoder import save_encoder
from spikearm.models.training_config import TrainingConfig

if TYPE_CHECKING:
    from spikearm.models.encoder_training import TrainedEncoder


@dataclass(frozen=True)
class TrainEncoderCommand:
    """Train the DNN state encoder of an arm; nothing but the seed decides what comes out.

    Attributes:
        arm: A shipped arm, or the path of an MJCF file.
        out: Folder for the weights, encoder-<arm>.npz, and their model card.
        n_tasks: Perturbations to train on.
        n_samples: States per perturbation.
        noise_aware: Train with the programming scatter of phase-change memory on all weights, for encoders
            that go onto crossbars.
        training: The training itself.
        json: Print the result as one JSON document on stdout.
    """

    arm: str = "iiwa14"
    out: Path = Path()
    n_tasks: int = 2000
    n_samples: int = 160
    noise_aware: bool = False
    training: Annotated[TrainingConfig, tyro.conf.OmitArgPrefixes] = field(default_factory=TrainingConfig)
    json: bool = False

    def __post_init__(self) -> None:
        if self.n_tasks < 10 or self.n_samples < 10:
            raise ConfigError(
                f"n_tasks and n_samples must be at least 10, not {self.n_tasks} and {self.n_samples}."
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return guarded(_train, sys.argv[1:] if argv is None else argv)


def _train(argv: Sequence[str]) -> int:
    command = parse(TrainEncoderCommand, argv, prog="spikearm train encoder")
    require_torch()
    arm = load_arm(command.arm)
    require_writable(command.out)
    trained = train(command, arm)
    path = command.out / f"encoder-{arm.name}.npz"
    save_encoder(path, trained.encoder)
    card = path.with_suffix(".md")
    card.write_text(_card(command, arm, trained, path), encoding="utf-8")
    console.print(
        f"left of the missing torque's power after learning: {trained.validation_loss:.3f} with this "
        f"encoder, {trained.raw_state_loss:.3f} with the state itself (perturbations never trained on)."
    )
    console.print(f"weights: {path}\nmodel card: {card}", highlight=False, soft_wrap=True)
    if command.json:
        print_json(_document(trained, path))
    return DONE


def train(command: TrainEncoderCommand, arm: ArmSpec) -> TrainedEncoder:
    """Make the data and train; the seeds of both come from the one seed."""
    from spikearm.launch.encoder_data import draw_tasks
    from spikearm.models.encoder_training import train_encoder

    streams = np.random.SeedSequence(command.training.seed).spawn(2)
    train_rng, validation_rng = map(np.random.default_rng, streams)
    with Progress(console=console) as progress:
        console.print(f"drawing {command.n_tasks} perturbations of {arm.name}", highlight=False)
        tasks = draw_tasks(arm, train_rng, n_tasks=command.n_tasks, n_samples=command.n_samples)
        n_validation = max(10, command.n_tasks // 10)
        validation = draw_tasks(arm, validation_rng, n_tasks=n_validation, n_samples=command.n_samples)
        bar = progress.add_task("training", total=command.training.n_steps)
        return train_encoder(
            arm.name,
            state_scaling(arm),
            tasks,
            validation,
            settings(command),
            torque_scale=arm.torque_scale_nm,
            active_area=AdaptiveNetwork.active_area,
            max_rates_hz=AdaptiveNetwork.max_rates_hz,
            progress=lambda step, loss: progress.update(
                bar, completed=step + 1, description=f"training, loss {loss:.3f}"
            ),
        )


def settings(command: TrainEncoderCommand) -> TrainingConfig:
    """How to train, noise included."""
    if not command.noise_aware:
        return command.training
    pcm = DEVICES["pcm"]
    full_us = 1e6 * pcm.g_max_siemens
    return dataclasses.replace(command.training, weight_noise=tuple(c / full_us for c in pcm.programming_us))


def _card(command: TrainEncoderCommand, arm: ArmSpec, trained: TrainedEncoder, path: Path) -> str:
    return encoder_card(
        arm,
        trained,
        settings(command),
        data=f"{command.n_tasks} random perturbations (payload with offset, friction, damping, actuator "
        f"gain, force, force field, gravity tilt), {command.n_samples} states each along random reaches "
        "near home, missing torque by inverse dynamics; made by the command itself",
        command=command_line("encoder", command, TrainEncoderCommand()),
        n_bytes=path.stat().st_size,
    )


def _document(trained: TrainedEncoder, path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "train_loss": trained.train_loss,
        "validation_loss": trained.validation_loss,
        "raw_state_loss": trained.raw_state_loss,
    }


if __name__ == "__main__":
    sys.exit(main())
