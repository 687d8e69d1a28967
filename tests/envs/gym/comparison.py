"""Two runs of an environment, side by side."""

import numpy as np


def assert_same(a, b, where=""):
    """Equal to the last bit: arrays, numbers, dictionaries of them."""
    if isinstance(a, dict):
        assert a.keys() == b.keys(), f"{where}: {a.keys() ^ b.keys()}"
        for key in a:
            assert_same(a[key], b[key], f"{where}/{key}")
        return
    x, y = np.asarray(a), np.asarray(b)
    assert x.shape == y.shape, where
    assert (x == y).all(), f"{where}: {x} != {y}"
