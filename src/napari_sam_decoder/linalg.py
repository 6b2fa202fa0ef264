"""Products of matrices and what else takes long, on numpy arrays, by torch.

Numpy's products run in threads of their own, which stay awake for a while after each
product, and so do torch's. Where both are used in turns, each waits for cores that the
other one keeps busy: a product of 1 ms then takes 20. So all of them are torch's.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "cosine",
    "gram_matrix",
    "matmul",
    "mean_of_nearest",
    "sigmoid",
    "solve_positive_definite",
]


def matmul(*factors: np.ndarray) -> np.ndarray:
    """Multiply matrices from left to right.

    Parameters
    ----------
    *factors : array of float32
        As `numpy.matmul` takes them.

    Returns
    -------
    array of float32
    """
    import torch

    with torch.inference_mode():
        result: Tensor = reduce(torch.matmul, map(_tensor, factors))
        return result.numpy()


def gram_matrix(samples: np.ndarray) -> np.ndarray:
    """Return the (K, K) products of the columns of (N, K) float32 samples."""
    import torch

    with torch.inference_mode():
        columns = _tensor(samples)
        return (columns.T @ columns).numpy()


def solve_positive_definite(matrix: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Solve a system of linear equations.

    Parameters
    ----------
    matrix : (K, K) array of float32
        Symmetric and positive definite.
    targets : (K,) array of float32
        Right-hand side.

    Returns
    -------
    (K,) array of float32
    """
    import torch

    with torch.inference_mode():
        factor = torch.linalg.cholesky(_tensor(matrix))
        return torch.cholesky_solve(_tensor(targets)[:, None], factor)[:, 0].numpy()


def mean_of_nearest(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, count: int
) -> np.ndarray:
    """Average the values of the keys that fit each query best.

    Parameters
    ----------
    queries : (Q, C) array of float32
        What to look up.
    keys : (K, C) array of float
        What may be found, at least one.
    values : (K,) array of float32
        One for each key.
    count : int
        Keys that count, 1 or more; all if there are fewer.

    Returns
    -------
    (Q,) array of float32
        Weighted by the softmax of the keys' products with the query.
    """
    import torch

    with torch.inference_mode():
        products = _tensor(queries) @ _tensor(keys).T
        nearest = products.topk(min(count, len(keys)), dim=1, sorted=False)
        found = _tensor(values)[nearest.indices]
        result: Tensor = (nearest.values.softmax(dim=1) * found).sum(dim=1)
        return result.numpy()


def cosine(values: np.ndarray) -> np.ndarray:
    """Return the cosines of float32 values, computed in place."""
    import torch

    with torch.inference_mode():
        return _tensor(values).cos_().numpy()


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x)) of float32 values, in a sixth of scipy's time."""
    import torch

    with torch.inference_mode():
        return torch.sigmoid(_tensor(values)).numpy()


def _tensor(array: np.ndarray) -> Tensor:
    import torch

    numbers = array.astype(np.float32, copy=False)
    # torch warns about read-only arrays, although nothing is written.
    return torch.from_numpy(numbers if numbers.flags.writeable else numbers.copy())
