import numpy as np

from spikearm.models.osc_products import product_neurons
from spikearm.models.osc_readout import LeastSquares, with_constant


def squares_of(activity, torque):
    squares = LeastSquares(activity.shape[1], torque.shape[1])
    for a, t in zip(np.array_split(activity, 7), np.array_split(torque, 7), strict=True):
        squares.add(a, t)
    return squares


def test_decoders_are_those_of_ordinary_ridge_regression(rng):
    activity, torque = rng.uniform(0, 1, (300, 8)), rng.normal(size=(300, 2))
    ridge = 0.1 * (activity.mean(axis=0) + 0.005)
    wanted = np.linalg.solve(activity.T @ activity / 300 + np.diag(ridge), activity.T @ torque / 300).T
    np.testing.assert_allclose(squares_of(activity, torque).solve(0.1), wanted, rtol=1e-3, atol=1e-5)


def test_constant_has_no_ridge(rng):
    activity, torque = rng.uniform(0, 1, (300, 8)), 50.0 + rng.normal(size=(300, 2))
    squares = LeastSquares(9, 2, constant=True)
    squares.add(with_constant(activity), torque)
    decoders = squares.solve(1e3)
    np.testing.assert_allclose(decoders[:, :-1], 0.0, atol=1e-2)
    np.testing.assert_allclose(decoders[:, -1], torque.mean(axis=0), rtol=1e-3)


def test_single_samples_count_like_many(rng):
    activity, torque = rng.uniform(0, 1, (30, 4)), rng.normal(size=(30, 2))
    one_by_one = LeastSquares(4, 2)
    for a, t in zip(activity, torque, strict=True):
        one_by_one.add(a, t)
    np.testing.assert_allclose(
        one_by_one.solve(0.1), squares_of(activity, torque).solve(0.1), rtol=1e-3, atol=1e-5
    )


def test_products_are_decoded_from_the_diagonals(rng):
    acceleration, modes = rng.normal(size=(4000, 6)) * 3.0, rng.normal(size=(4000, 2))
    encoders, bias = product_neurons(acceleration, modes, n_per_diagonal=16)
    assert encoders.shape == (6 * 2 * 2 * 16, 8)
    activity = np.maximum(np.concatenate((acceleration, modes), axis=1) @ encoders.T + bias, 0.0)
    assert 0.5 < np.quantile(activity, 0.999) < 1.5
    product = (acceleration[:, :2] * modes)[:, :, None].reshape(4000, -1)
    decoders = squares_of(activity, product).solve(1e-6)
    error = activity @ decoders.T - product
    assert np.sqrt(np.mean(error**2) / np.mean(product**2)) < 0.05
