from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.linalg import (
    cosine,
    gram_matrix,
    matmul,
    mean_of_nearest,
    sigmoid,
    solve_positive_definite,
)

GENERATOR = np.random.default_rng(0)


def random(*shape):
    return GENERATOR.normal(size=shape).astype(np.float32)


def test_product_of_several_matrices():
    first, second, third = random(3, 4), random(2, 4, 5), random(5, 6)
    found = matmul(first, second, third)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, first @ second @ third, atol=1e-5)


def test_product_with_a_vector():
    matrix, vector = random(3, 4), random(4)
    np.testing.assert_allclose(matmul(matrix, vector), matrix @ vector, atol=1e-5)


@pytest.mark.filterwarnings("error")
def test_read_only_arrays_and_other_number_types_are_taken():
    matrix = np.eye(3)
    matrix.flags.writeable = False
    vector = np.arange(3.0, dtype=np.float32)
    vector.flags.writeable = False
    np.testing.assert_array_equal(matmul(matrix, vector), vector)


def test_gram_are_the_products_of_the_columns():
    samples = random(7, 3)
    np.testing.assert_allclose(gram_matrix(samples), samples.T @ samples, atol=1e-5)


def test_solved_system():
    root = random(6, 6)
    matrix, result = root @ root.T + np.eye(6, dtype=np.float32), random(6)
    np.testing.assert_allclose(
        solve_positive_definite(matrix, matrix @ result), result, atol=1e-3
    )


def test_sigmoid():
    values = random(3, 4) * 30
    expected = 1 / (1 + np.exp(-values.astype(float)))
    np.testing.assert_allclose(sigmoid(values), expected, rtol=1e-5)
    np.testing.assert_array_equal(sigmoid(values[:, ::2]), sigmoid(values)[:, ::2])


def test_cosines_are_written_over_the_values():
    values = random(4, 5)
    expected = np.cos(values)
    np.testing.assert_allclose(cosine(values), expected, atol=1e-6)
    np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_mean_of_the_nearest(count):
    queries, keys, values = random(4, 5), random(7, 5), random(7)
    found = mean_of_nearest(queries, keys.astype(np.float16), values, count)
    for query, mean in zip(queries, found, strict=True):
        products = keys.astype(np.float16) @ query
        best = np.argsort(products)[-count:]
        weights = np.exp(products[best])
        expected = weights @ values[best] / weights.sum()
        assert mean == pytest.approx(expected, abs=1e-2)
