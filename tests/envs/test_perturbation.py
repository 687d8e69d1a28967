"""The record of what a controller does not know: what it takes, what it refuses."""

import math

import numpy as np
import pytest

from spikearm.envs.perturbation import NO_PERTURBATION, Perturbation
from spikearm.errors import ConfigError

NEVER_NEGATIVE = (
    "payload_kg",
    "joint_friction",
    "joint_damping",
    "actuator_gain",
    "sensor_noise_q_rad",
    "sensor_noise_dq_rad_s",
    "delay_s",
)


def test_default_is_no_perturbation():
    assert Perturbation() == NO_PERTURBATION


def test_lists_become_tuples_so_that_it_can_be_hashed():
    perturbation = Perturbation(force_n=[1, 2, 3], joint_friction=[1, 2])
    assert perturbation.force_n == (1.0, 2.0, 3.0)
    assert hash(perturbation) == hash(Perturbation(force_n=(1.0, 2.0, 3.0), joint_friction=(1.0, 2.0)))


@pytest.mark.parametrize("field", NEVER_NEGATIVE)
def test_negative_value_is_refused(field):
    with pytest.raises(ConfigError, match=f"{field} must be 0 or more, not -0.5"):
        Perturbation(**{field: -0.5})


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("field", NEVER_NEGATIVE)
def test_value_that_is_not_finite_is_refused(field, value):
    with pytest.raises(ConfigError, match=f"{field} must be finite"):
        Perturbation(**{field: value})


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("payload_offset_m", (0, 0), "3 numbers"),
        ("gravity_tilt_rad", (0, 0, 0), "2 numbers"),
        ("force_n", 1.0, "3 numbers"),
        ("force_field", (1, 2, 3), "3 x 3 numbers"),
        ("payload_kg", (1.0,), "one number"),
        ("joint_friction", ((1.0,),), "one number or one per joint"),
        ("joint_friction", (), "one number or one per joint"),
        ("payload_kg", "heavy", "a number or a list of numbers, not 'heavy'"),
        ("force_n", (1, 2, None), r"a number or a list of numbers, not \(1, 2, None\)"),
    ],
)
def test_wrong_shape_is_refused(field, value, wanted):
    with pytest.raises(ConfigError, match=f"{field}.*{wanted}"):
        Perturbation(**{field: value})


def test_per_joint_spreads_one_value_over_all_joints():
    np.testing.assert_array_equal(Perturbation(joint_damping=0.5).per_joint("joint_damping", 3), [0.5] * 3)


def test_per_joint_refuses_another_number_of_joints():
    with pytest.raises(ConfigError, match="actuator_gain has 2 values, the arm has 7 joints"):
        Perturbation(actuator_gain=(1.0, 0.9)).per_joint("actuator_gain", 7)
