import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spikearm.controller.orientation import from_rotation_vector, multiply, rotation_error, slerp


def random_quaternion(rng):
    quaternion = rng.normal(size=4)
    return quaternion / np.linalg.norm(quaternion)


def rotation(quaternion):
    return Rotation.from_quat(quaternion, scalar_first=True)


def test_product_agrees_with_scipy(rng):
    for _ in range(50):
        a, b = random_quaternion(rng), random_quaternion(rng)
        expected = (rotation(a) * rotation(b)).as_matrix()
        np.testing.assert_allclose(rotation(multiply(a, b)).as_matrix(), expected, atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 1e-300, 1e-12, 1e-8, 1e-4, 1.0, 3.0, math.pi - 1e-9])
def test_rotation_vector_survives_the_round_trip(rng, angle):
    axis = rng.normal(size=3)
    vector = angle * axis / np.linalg.norm(axis)
    back = rotation_error(np.array((1.0, 0.0, 0.0, 0.0)), from_rotation_vector(vector))
    np.testing.assert_allclose(back, vector, rtol=1e-12, atol=1e-15)


def test_rotation_error_turns_actual_into_desired_in_the_world_frame(rng):
    for _ in range(200):
        actual, desired = random_quaternion(rng), random_quaternion(rng)
        error = rotation_error(actual, desired)
        turned = Rotation.from_rotvec(error) * rotation(actual)
        np.testing.assert_allclose(turned.as_matrix(), rotation(desired).as_matrix(), atol=1e-13)
        assert np.linalg.norm(error) <= math.pi


def test_rotation_error_is_the_same_for_both_signs(rng):
    actual, desired = random_quaternion(rng), random_quaternion(rng)
    np.testing.assert_allclose(rotation_error(actual, -desired), rotation_error(actual, desired))
    np.testing.assert_allclose(rotation_error(-actual, desired), rotation_error(actual, desired))


def test_rotation_error_of_half_a_turn_has_length_pi():
    for axis in np.eye(3):
        half_turn = np.concatenate(([0.0], axis))
        error = rotation_error(np.array((1.0, 0.0, 0.0, 0.0)), half_turn)
        np.testing.assert_allclose(np.abs(error), math.pi * axis)


def test_rotation_error_does_not_need_unit_length(rng):
    actual, desired = random_quaternion(rng), random_quaternion(rng)
    np.testing.assert_allclose(
        rotation_error(1.001 * actual, 0.999 * desired), rotation_error(actual, desired), rtol=1e-12
    )


def test_rotation_error_of_equal_orientations_is_zero(rng):
    quaternion = random_quaternion(rng)
    np.testing.assert_allclose(rotation_error(quaternion, quaternion), np.zeros(3), atol=1e-16)


def test_slerp_turns_at_constant_speed_the_short_way(rng):
    start, goal = random_quaternion(rng), random_quaternion(rng)
    whole = rotation_error(start, goal)
    for fraction in (0.0, 0.25, 0.5, 1.0):
        part = rotation_error(start, slerp(start, goal, fraction))
        np.testing.assert_allclose(part, fraction * whole, atol=1e-14)
        assert np.linalg.norm(slerp(start, goal, fraction)) == pytest.approx(1.0, abs=1e-14)
