from __future__ import annotations

import numpy as np
import pytest
from tracking_parts.middle_line import middle_line


def bar(rows, columns, shape=(30, 60)):
    mask = np.zeros(shape, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def test_the_line_is_in_the_middle_and_half_as_long():
    line = middle_line(bar((10, 15), (4, 44)))
    rows, columns = np.array(line).T
    assert set(rows) == {12}
    assert len(line) == len(set(columns)) <= 20
    assert len(line) >= 17, "the skeleton of a bar ends about two pixels before it"
    assert (min(columns) + max(columns)) / 2 == pytest.approx(23.5, abs=1)


def test_the_longest_of_the_branches_is_taken():
    mask = bar((14, 17), (5, 55))
    mask[5:14, 29:32] = True
    line = middle_line(mask)
    assert {row for row, _ in line} <= {14, 15, 16}


def test_a_ring_has_a_line_too():
    rows, columns = np.mgrid[:40, :40]
    radii = np.hypot(rows - 20, columns - 20)
    ring = (radii > 10) & (radii < 15)
    line = middle_line(ring)
    assert 15 < len(line) < 40
    assert all(ring[pixel] for pixel in line)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 2)])
def test_the_smallest_errors_have_a_pixel(shape):
    mask = bar((0, shape[0]), (0, shape[1]))
    (pixel,) = middle_line(mask)
    assert mask[pixel]


def test_the_border_of_the_picture_is_a_border():
    line = middle_line(bar((0, 7), (0, 60)))
    assert {row for row, _ in line} == {3}
