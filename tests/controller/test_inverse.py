import numpy as np
import pytest

from spikearm.controller.laws.inverse import damped_by_eigenvalue, damped_inverse, invert

FLOOR = 1e-4


def with_eigenvalues(rng, values):
    vectors = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    product = (vectors * values) @ vectors.T
    return 0.5 * (product + product.T)


def assert_both_agree(a, condition):
    """Rounding of either way grows with the condition, which the damping bounds."""
    inverse, by_eigenvalue = damped_inverse(a, FLOOR), damped_by_eigenvalue(a, FLOOR)
    allowed = max(1e-12, 4 * np.finfo(float).eps * min(condition, 1.0 / FLOOR))
    assert np.linalg.norm(inverse - by_eigenvalue) < allowed * np.linalg.norm(by_eigenvalue)
    return np.array_equal(inverse, by_eigenvalue)


@pytest.mark.parametrize("n", [1, 2, 6, 7, 30])
def test_inverse_times_matrix_is_one(n, rng):
    a = with_eigenvalues(rng, rng.uniform(0.1, 10.0, n))
    inverse = a.copy()
    assert invert(inverse)
    np.testing.assert_allclose(inverse @ a, np.eye(n), atol=1e-12)


def test_compiled_inverse_is_that_of_its_source(rng):
    plain = getattr(invert, "py_func", invert)
    a = with_eigenvalues(rng, (1e-3, 0.5, 2.0))
    one, other = a.copy(), a.copy()
    assert invert(one)
    assert plain(other)
    np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.parametrize("a", [np.zeros((2, 2)), -np.eye(3), np.full((2, 2), 2.0), np.full((2, 2), np.nan)])
def test_matrix_that_is_not_positive_definite_is_told(a):
    assert not invert(a.copy())


def test_inverse_is_compiled_for_one_kind_of_array(rng):
    damped_inverse(with_eigenvalues(rng, (1.0, 2.0)).T, FLOOR)
    damped_inverse(np.asfortranarray(with_eigenvalues(rng, (1.0, 2.0, 3.0)))[:2, :2], FLOOR)
    assert len(invert.signatures) == 1


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_both_ways_to_the_damped_inverse_agree(k, rng):
    n_same = 0
    for _ in range(300):
        values = np.append(10.0 ** rng.uniform(-7.0, 0.0, k - 1), 1.0)
        n_same += assert_both_agree(with_eigenvalues(rng, values), 1.0 / values.min())
    assert k == 1 or 0 < n_same < 300  # both ways were taken


@pytest.mark.parametrize("k", [2, 3, 6])
def test_both_ways_agree_where_they_meet(k, rng):
    for share in np.geomspace(1.0, 3.0, 400):
        a = with_eigenvalues(rng, np.append(np.full(k - 1, 1.0), share * FLOOR))
        assert_both_agree(a, 1.0 / FLOOR)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_singular_matrix_is_damped_by_eigenvalue(rank, rng):
    root = rng.normal(size=(6, rank))
    a = root @ root.T
    np.testing.assert_array_equal(damped_inverse(a, FLOOR), damped_by_eigenvalue(a, FLOOR))


def test_damping_is_exact_away_from_singularities_bounded_and_continuous_near_them():
    values = np.geomspace(1e-9, 1.0, 4000)
    inverse = np.array([damped_inverse(np.diag((value, 1.0)), FLOOR)[0, 0] for value in values])
    exact = values >= 1e-4
    np.testing.assert_allclose(inverse[exact], 1.0 / values[exact], rtol=1e-12)
    # The maximum of v / (v^2 + (f - v)^2) is at v = f / sqrt(2): 1.2071 / f.
    assert inverse.max() <= 1.2072 / 1e-4
    assert np.abs(np.diff(np.log(inverse))).max() < 3 * np.log(values[1] / values[0])
