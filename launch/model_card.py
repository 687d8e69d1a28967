"""The card that goes with trained weights: what they are, for whoever finds them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from spikearm.envs.arms import ArmSpec
from spikearm.models.osc_weights import readout_name
from spikearm.models.training_config import TrainingConfig
from spikearm.records import FloatArray
from spikearm.version import __version__

if TYPE_CHECKING:
    from spikearm.launch.train_osc import TrainedOsc
    from spikearm.models.encoder_training import TrainedEncoder
    from spikearm.models.osc_training_config import OscTrainingConfig


def encoder_card(
    arm: ArmSpec,
    trained: TrainedEncoder,
    training: TrainingConfig,
    *,
    checks: Sequence[str],
    data: str,
    command: str,
    n_bytes: int,
) -> str:
    """Model card of a state encoder, in Markdown.

    Args:
        arm: The arm it was trained for.
        trained: The result.
        training: How it was trained.
        checks: What came out in the loop, a line per family held out from training.
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
        "method": "meta-training: the end effector's error after some repetitions of a session in which LIF "
        "neurons over the features learn by PES, in closed form (`spikearm.models.online_training`)",
        "steps; tasks per step": f"{training.n_steps}; {training.batch_tasks}",
        "speed of learning": "{:g} - {:g} 1/s, {} repetitions".format(
            *training.gain_per_s, training.n_repeats
        ),
        "active area": ", ".join(map(str, encoder.active_area)),
        "PES learning rate": f"{encoder.learning_rate:.3g}",
        "weights during training": "with programming scatter, polynomial "
        f"{', '.join(f'{c:.4g}' for c in training.weight_noise)}"
        if training.weight_noise
        else "exact",
        "seed": training.seed,
        "training loss": f"{trained.train_loss:.4f}",
        "validation loss": f"{trained.validation_loss:.4f}: share of the error left after "
        "learning, by the closed form, on new perturbations of the families trained on",
        "the state itself": f"{trained.raw_state_loss:.4f}: same measure, without an encoder",
        "size": f"{n_bytes} bytes, single precision",
        "licence": "MIT, as the project",
    }
    rows |= {f"in the loop, held out ({i})": line for i, line in enumerate(checks, 1)}
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


def osc_card(
    arm: ArmSpec,
    trained: TrainedOsc,
    training: OscTrainingConfig,
    *,
    data: str,
    check: str,
    command: str,
    n_bytes: int,
) -> str:
    """Model card of a spiking operational-space controller, in Markdown.

    Args:
        arm: The arm it was trained for.
        trained: The result.
        training: How it was trained.
        data: Number and kind of states.
        check: Number and kind of the reaches that errors are of, and that nothing was trained on.
        command: Command line that makes the same weights again.
        n_bytes: Size of the weights' file.
    """
    weights = trained.weights
    n_state, n1, n2, n_products = (
        weights.scaling.size,
        len(weights.b1),
        len(weights.b2),
        len(weights.product_bias),
    )
    rows = {
        "made by": f"`{command}`, spikearm {__version__}",
        "date": datetime.now(UTC).date().isoformat(),
        "time": f"{trained.train_s / 60:.0f} minutes",
        "data": data,
        "method": "supervised, with the noise of spikes on all activations "
        "(`spikearm.models.osc_training`); decoders by regularised least squares",
        "decoders": "; ".join(weights.readouts),
        "hidden units at the start": f"{training.n_hidden1}, {training.n_hidden2}; those that hardly fire in "
        "the end are left out",
        "modes; neurons on each diagonal of a product": f"{training.n_modes}; {training.n_per_diagonal}",
        "steps; states per step; learning rate": f"{training.n_steps}; {training.batch}; "
        f"{training.learning_rate}",
        "noise of activations; of decoders": f"{training.spike_noise}; {training.decoder_noise}",
        "states seen by neurons with dead time": f"{training.dead_time_share:g} of each batch",
        "seed": training.seed,
        "errors": "root mean squares of what each kind of neurons answers in the mean, without dynamics, on "
        f"{check}; in brackets on the states of the training",
    }
    for kind, error in trained.checked.pose.items():
        rows[f"pose misjudged by, {kind}"] = (
            f"{_pose(error)} ({_pose(trained.trained_on.pose[kind])}) in x, y, z [mm] and about them [mrad]"
        )
    for name, error in trained.checked.torque_nm.items():
        known = _list(trained.trained_on.torque_nm[name])
        rows[f"torque error, {name}"] = f"{_list(error)} ({known}) N m, joint by joint"
    rows |= {
        "round the neurons": _round_the_neurons(trained),
        "size": f"{n_bytes} bytes, single precision",
        "licence": "MIT, as the project",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return (
        f"# Spiking operational-space controller for {arm.name}\n\n"
        f"A perceptron {n_state} - {n1} - {n2} with rectified-linear units reduces the state (q, dq) to the "
        f"hand's share of the acceleration (6), {weights.n_modes} coefficients of J^T Mx and all else the "
        f"torque needs; {n_products} neurons multiply; decoders give {weights.n_joints} torques. What of the "
        "hand's share is linear in the state goes round the neurons, and so does a constant torque. For "
        f"kp = {weights.kp:g} 1/s^2, kd = {weights.damping:.4g} 1/s.\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        f"Valid for reaches of up to {0.9 * arm.reach_m:g} m from home with turns up to 0.45 rad that last "
        "0.8 s or longer. Beyond, it extrapolates.\n"
    )


def _round_the_neurons(trained: TrainedOsc) -> str:
    """How much of the work is no neuron's."""
    linear, weights = trained.linear, trained.weights
    share = ", ".join(f"{100 * explained:.0f}" for explained in linear.explained)
    constant = _list(weights.readout(readout_name("spikes", feedforward=True))[:, -1])
    return (
        f"what is linear in the state explains {share} % of the variance of the hand's share on the reaches "
        f"not trained on; by it alone the pose would be misjudged by {_pose(linear.pose_alone)} (units as "
        f"above); the constant torque is {constant} N m (feed-forward, spikes)"
    )


def _pose(error: FloatArray) -> str:
    """Metres and radians in thousandths."""
    return _list(1e3 * error)


def _list(values: FloatArray) -> str:
    return ", ".join(f"{value:.2f}" for value in values)
