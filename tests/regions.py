"""Regions of arrays, and numbers to store in them."""

import numpy as np


def box(*bounds):
    return tuple(slice(*b) for b in bounds)


def whole(array):
    return box(*((0, n) for n in array.shape))


def numbers(*shape, dtype="uint16"):
    return np.random.default_rng(0).integers(1, 255, shape).astype(dtype)
