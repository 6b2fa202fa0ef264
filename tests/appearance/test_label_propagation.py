from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.appearance.features import CellFeatures
from napari_sam_decoder.appearance.label_propagation import (
    MARGIN,
    REACH,
    LabelledCells,
    propagate_labels,
    window_around,
)
from napari_sam_decoder.model.values import Embedding

SIDE, SIZE = 32, 4
EVERYWHERE = (slice(0, SIDE), slice(0, SIDE))
TEXTURE = np.random.default_rng(0).normal(size=(64, SIDE, SIDE))


def cells_of(features):
    embedding = Embedding(features.astype(np.float16), (1024, 1024))
    return CellFeatures(embedding, (SIDE * SIZE, SIDE * SIZE), SIDE * SIZE)


def logits_of(mask):
    return np.kron(np.where(mask, 9, -9), np.ones((SIZE, SIZE))).astype(np.float32)


def square(row, column, side=4):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[row : row + side, column : column + side] = True
    return mask


def known(mask, features=TEXTURE):
    cells = LabelledCells.of(cells_of(features), logits_of(mask))
    assert cells is not None
    return cells


def assert_found(shares, mask):
    """Where all cells of the frame have their like on another one."""
    near = window_around(mask, MARGIN // 2)
    np.testing.assert_array_equal(shares[near] > 0.5, mask[near])


def propagate(features, window=EVERYWHERE, **examples):
    lists = {"fixed": [], "latest": [], **examples}
    shares = propagate_labels(cells_of(features), window, **lists)
    return shares.reshape(SIDE, SIDE)


def test_labels_follow_what_moves_within_reach():
    moved = np.roll(TEXTURE, (REACH - 1, -3), axis=(1, 2))
    shares = propagate(moved, latest=[known(square(12, 12))])
    assert_found(shares, square(12 + REACH - 1, 9))


def test_beyond_the_reach_only_fixed_frames_tell():
    moved = np.roll(TEXTURE, 3 * REACH, axis=2)
    mask, there = square(12, 2), square(12, 2 + 3 * REACH)
    assert propagate(moved, latest=[known(mask)])[there].max() < 0.1
    assert_found(propagate(moved, fixed=[known(mask)]), there)


def test_an_object_of_two_kinds_is_followed_among_the_same_kinds():
    """Left half of one texture, right half of another; each is also background."""
    kinds = np.random.default_rng(1).normal(size=(64, 2))
    picture = TEXTURE * 0.3
    mask = square(12, 12)
    picture[:, 12:16, 12:14] += 3 * kinds[:, :1, None]
    picture[:, 12:16, 14:16] += 3 * kinds[:, 1:, None]
    shares = propagate(np.roll(picture, 2, axis=1), latest=[known(mask, picture)])
    assert_found(shares, square(14, 12))


def test_several_frames_are_asked_together():
    shares = propagate(
        TEXTURE,
        fixed=[known(square(4, 4))],
        latest=[known(square(20, 20)), known(square(20, 20))],
    )
    assert shares[square(4, 4)].min() > 0.8
    assert shares[square(20, 20)].min() > 0.8


def test_only_the_window_is_asked():
    mask = square(12, 12)
    window = (slice(11, 14), slice(13, 30))
    shares = propagate(TEXTURE, window, latest=[known(mask)])
    inside = np.zeros_like(mask)
    inside[window] = True
    assert_found(shares, mask & inside)
    assert not shares[~inside].any()


def test_where_nothing_is_known_there_is_nothing():
    far = (slice(0, 2), slice(0, 2))
    assert not propagate(TEXTURE, far, latest=[known(square(26, 26))]).any()
    assert not propagate(TEXTURE).any()


def test_fewer_cells_than_neighbours_are_enough():
    tiny = LabelledCells(
        cells_of(TEXTURE).uncentred[5:6, 5:7].astype(np.float16),
        np.array([[1, 0]], np.float32),
        (5, 5),
    )
    shares = propagate(TEXTURE, latest=[tiny])
    assert shares[5, 5] > 0.9
    assert shares[5, 6] < 0.1


@pytest.mark.parametrize("place", [(0, 0), (0, 28), (28, 28), (14, 14)])
def test_what_is_remembered_lies_around_the_object(place):
    mask = square(*place)
    cells = known(mask)
    rows, columns = window_around(mask, MARGIN)
    assert cells.origin == (rows.start, columns.start)
    assert cells.shares.shape == mask[rows, columns].shape
    np.testing.assert_array_equal(cells.shares > 0.5, mask[rows, columns])


def test_an_empty_mask_has_no_cells():
    cells = cells_of(TEXTURE)
    assert LabelledCells.of(cells, logits_of(np.zeros((SIDE, SIDE), bool))) is None
