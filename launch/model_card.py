"""The card that goes with trained weights: what they are, for whoever finds them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spikearm.envs.arms import ArmSpec
from spikearm.models.training_config import TrainingConfig
from spikearm.version import __version__

if TYPE_CHECKING:
    from spikearm.models.encoder_training import TrainedEncoder


def encoder_card(
    arm: ArmSpec, trained: TrainedEncoder, training: TrainingConfig, *, data: str, command: str, n_bytes: int
) -> str:
    """Model card of a state encoder, in Markdown.

    Args:
        arm: The arm it was trained for.
        trained: The result.
        training: How it was trained.
        data: Number and kind of samples.
        command: Command line that makes the same weights again.
        n_bytes: Size of the weights' file.
    """
    encoder = trained.encoder
    sizes = (encoder.scaling.size, len(encoder.b1), len(encoder.b2), encoder.n_features)
    rows = {
        "made by": f"`{command}`, spikearm {__version__}",
        "date": datetime.now(UTC).date().isoformat(),
        "data": data,
        "method": "meta-training: the error of a closed-form ridge read-out of LIF rates over the features, "
        "on states of the same perturbation that it has not seen (`spikearm.models.encoder_training`)",
        "steps; tasks per step": f"{training.n_steps}; {training.batch_tasks}",
        "ridge; learning rate": f"{training.ridge}; {training.learning_rate}",
        "seed": training.seed,
        "training loss": f"{trained.train_loss:.4f}",
        "validation loss": f"{trained.validation_loss:.4f}: share of the missing torque's power left after "
        "learning, on perturbations never trained on",
        "the state itself": f"{trained.raw_state_loss:.4f}: same measure, without an encoder",
        "size": f"{n_bytes} bytes, single precision",
        "licence": "MIT, as the project",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return (
        f"# State encoder for {arm.name}\n\n"
        f"A perceptron {' - '.join(map(str, sizes))} with rectified-linear units. It turns the state "
        f"(q, dq) of the arm into {encoder.n_features} features in which the torque that a perturbation "
        "adds is quick to learn for spiking neurons with PES. In the network its units are spiking neurons "
        "themselves.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "Valid near the posture it was trained around: joint angles within about "
        f"{arm.q_half_range_rad:g} rad of home, joint velocities below {arm.dq_half_range_rad_s:g} rad/s. "
        "What lies beyond is clipped.\n"
    )
