"""Orientations as unit quaternions w x y z, and the rotation vectors between them.

Plain Python on floats: for four numbers it is several times faster than NumPy.
Formulas: Sola 2017, "Quaternion kinematics for the error-state Kalman filter", arXiv:1711.02508.
"""

from __future__ import annotations

import math

import numpy as np

from spikearm.records import FloatArray, Pose


def multiply(a: FloatArray, b: FloatArray) -> FloatArray:
    """The rotation ``b`` followed by ``a``, both in the world frame (Hamilton's product), shape (4,)."""
    aw, ax, ay, az = a.tolist()
    bw, bx, by, bz = b.tolist()
    return np.array(
        (
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        )
    )


def from_rotation_vector(vector: FloatArray) -> FloatArray:
    """Quaternion of a rotation about an axis by an angle.

    Args:
        vector: Axis times angle [rad], shape (3,).

    Returns:
        Unit quaternion w x y z, shape (4,).
    """
    x, y, z = vector.tolist()
    angle = math.sqrt(x * x + y * y + z * z)
    # Below 1e-8 rad, sin(angle / 2) / angle is 1/2 to the last bit.
    scale = math.sin(0.5 * angle) / angle if angle > 1e-8 else 0.5
    return np.array((math.cos(0.5 * angle), scale * x, scale * y, scale * z))


def rotation_error(actual: FloatArray, desired: FloatArray) -> FloatArray:
    """The rotation that turns ``actual`` into ``desired`` the shortest way.

    Exact for any angle up to pi, where the axis is still well defined and only its sign is free; the
    quaternions need not be normalised.

    Args:
        actual: Unit quaternion w x y z, shape (4,).
        desired: Unit quaternion w x y z, shape (4,).

    Returns:
        Axis times angle in the world frame [rad], shape (3,), angle at most pi.
    """
    aw, ax, ay, az = actual.tolist()
    dw, dx, dy, dz = desired.tolist()
    # Product of the desired orientation and the inverse of the actual one.
    w = dw * aw + dx * ax + dy * ay + dz * az
    x = -dw * ax + dx * aw - dy * az + dz * ay
    y = -dw * ay + dx * az + dy * aw - dz * ax
    z = -dw * az - dx * ay + dy * ax + dz * aw
    if w < 0.0:  # q and -q are one orientation; this one is the shorter way
        w, x, y, z = -w, -x, -y, -z
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 * math.atan2(sine, w) / sine if sine > 1e-12 else 2.0 / w
    return np.array((scale * x, scale * y, scale * z))


def slerp(start: FloatArray, goal: FloatArray, fraction: float) -> FloatArray:
    """Orientation a fraction of the shortest way from start to goal (Shoemake 1985).

    Args:
        start: Unit quaternion w x y z, shape (4,), returned at fraction 0.
        goal: Unit quaternion w x y z, shape (4,), reached (up to sign) at fraction 1.
        fraction: Part of the way.

    Returns:
        Unit quaternion w x y z, shape (4,).
    """
    return multiply(from_rotation_vector(fraction * rotation_error(start, goal)), start)


def left_jacobian(vector: FloatArray) -> FloatArray:
    """Angular velocity per rate of change of a rotation vector, in the world frame.

    Args:
        vector: Axis times angle [rad], shape (3,).

    Returns:
        ``1 + (1 - cos a)/a^2 [v] + (a - sin a)/a^3 [v]^2`` (Sola, Deray, Atchuthan 2018, arXiv:1812.01537),
        shape (3, 3).
    """
    x, y, z = vector.tolist()
    cross = np.array(((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0)))
    angle = math.sqrt(x * x + y * y + z * z)
    # Below 1e-4 rad the fractions are their limits to 1e-9.
    first = (1.0 - math.cos(angle)) / angle**2 if angle > 1e-4 else 0.5
    second = (angle - math.sin(angle)) / angle**3 if angle > 1e-4 else 1.0 / 6.0
    jacobian: FloatArray = np.eye(3) + first * cross + second * (cross @ cross)
    return jacobian


def displacement(center: Pose, pose: Pose) -> FloatArray:
    """Position and rotation vector from one pose to another [m, rad], shape (6,)."""
    turn = rotation_error(center.quaternion, pose.quaternion)
    return np.concatenate((pose.position - center.position, turn))
