"""What the card of the spiking controller's weights tells."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from spikearm.envs.arms import load_arm
from spikearm.launch.model_card import osc_card
from spikearm.launch.osc_errors import LinearPart, MeanErrors
from spikearm.launch.train_common import command_line
from spikearm.launch.train_osc import TrainedOsc, TrainOscCommand
from spikearm.models.osc_training_config import OscTrainingConfig
from spikearm.models.osc_weights import NEURONS, load_osc, readout_name, shipped_osc_path

ARM = load_arm("iiwa14")
PATH = shipped_osc_path("iiwa14")
WEIGHTS = load_osc(PATH)


def errors(size):
    """By read-out and kind, all different."""
    kinds = {kind: np.full(6, 1e-3 * (size + n)) for n, kind in enumerate(NEURONS)}
    names = [readout_name(kind, feedforward=form) for form in (False, True) for kind in NEURONS]
    torques = {name: np.full(WEIGHTS.n_joints, size + 0.1 * n) for n, name in enumerate(names)}
    return MeanErrors(kinds, torques)


def card(training=OscTrainingConfig()):  # noqa: B008 (frozen)
    linear = LinearPart(np.full(6, 0.9), np.full(6, 0.01))
    trained = TrainedOsc(WEIGHTS, errors(1.0), errors(11.0), linear, 840.0)
    return osc_card(ARM, trained, training, data="reaches", check="others", command="train", n_bytes=7)


def rows(text):
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(OscTrainingConfig)])
def test_card_tells_every_setting_of_the_training(name):
    value = getattr(OscTrainingConfig(), name)
    other = 0.25 * value if isinstance(value, float) else value + 1
    assert card(dataclasses.replace(OscTrainingConfig(), **{name: other})) != card()


def test_card_has_errors_of_every_kind_of_neurons():
    table = rows(card())
    for n, kind in enumerate(NEURONS):
        line = ", ".join([f"{1 + n}.00"] * 6), ", ".join([f"{11 + n}.00"] * 6)
        assert table[f"pose misjudged by, {kind}"].startswith("{} ({}) in x, y, z [mm]".format(*line))
    for n, name in enumerate(errors(1.0).torque_nm):
        line = ", ".join([f"{1 + 0.1 * n:.2f}"] * 7), ", ".join([f"{11 + 0.1 * n:.2f}"] * 7)
        assert table[f"torque error, {name}"] == "{} ({}) N m, joint by joint".format(*line)


def test_shipped_card_is_as_the_command_writes_it():
    shipped, now = PATH.with_suffix(".md").read_text(encoding="utf-8"), card()
    assert list(rows(shipped)) == list(rows(now))
    default = TrainOscCommand()
    told = rows(shipped)
    assert told["made by"].startswith(f"`{command_line('osc', default, default)}`")
    assert told["data"].startswith(f"{default.n_reaches} random reaches")
    assert f"on {default.n_check_reaches} reaches" in told["errors"]
    assert told["size"] == f"{PATH.stat().st_size} bytes, single precision"
    settings = [name for name, value in rows(now).items() if value == rows(card_of_other_settings())[name]]
    for name in set(rows(now)) - set(settings):
        assert told[name] == rows(now)[name]


def card_of_other_settings():
    changed = {
        name: 0.25 * value if isinstance(value, float) else value + 1
        for name, value in vars(OscTrainingConfig()).items()
    }
    return card(OscTrainingConfig(**changed))
