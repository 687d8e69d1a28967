"""Inverses of the small symmetric matrices of a control law, compiled: calls of LAPACK would cost most."""

from __future__ import annotations

import math

import numpy as np

from spikearm.compiled import kernel
from spikearm.records import FloatArray


@kernel(error_model="numpy")
def invert(a: FloatArray) -> bool:
    """Invert a symmetric matrix in place (Gauss and Jordan).

    Pivots of a positive definite matrix are positive and need no exchange of rows; of any other, one is not.

    Args:
        a: C-contiguous, shape (n, n); of no use where it is not positive definite.

    Returns:
        Whether it is positive definite.
    """
    n = a.shape[0]
    for p in range(n):
        pivot = a[p, p]
        if not pivot > 0.0:
            return False
        a[p, p] = 1.0
        for j in range(n):
            a[p, j] /= pivot
        for i in range(n):
            if i != p:
                factor = a[i, p]
                a[i, p] = 0.0
                for j in range(n):
                    a[i, j] -= factor * a[p, j]
    return True


def damped_inverse(a: FloatArray, floor: float) -> FloatArray:
    """Inverse of a symmetric matrix, damped where it is nearly singular (Nakamura and Hanafusa 1986).

    No eigenvalue is smaller than ``1 / |inverse|``, none larger than ``|a|``, in Frobenius norms: where the
    first bound is not below ``floor`` times the second, nothing is damped, and no eigenvalues are needed.

    Args:
        a: Positive semidefinite, shape (k, k).
        floor: Share of the largest eigenvalue below which an eigenvalue is damped.

    Returns:
        Shape (k, k).
    """
    inverse = a.copy()
    if invert(inverse):
        norm, norm_of_inverse = math.sqrt(np.vdot(a, a)), math.sqrt(np.vdot(inverse, inverse))
        if norm_of_inverse * floor * norm <= 1.0:
            return inverse
    return damped_by_eigenvalue(a, floor)


def damped_by_eigenvalue(a: FloatArray, floor: float) -> FloatArray:
    """The same as :func:`damped_inverse`, by eigenvalues throughout."""
    values, vectors = np.linalg.eigh(a)
    smallest = floor * values[-1]
    # The damping fades in below the floor, so that nothing jumps when the arm comes near.
    deficit = np.maximum(0.0, 1.0 - values / smallest)
    damped = values / (values**2 + (smallest * deficit) ** 2)
    inverse: FloatArray = (vectors * damped) @ vectors.T
    return inverse
