from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.appearance import View
from napari_sam_decoder.model.values import Embedding


def embedding_of(cells):
    """One channel per kind of cell, on top of something all cells share."""
    features = np.stack([cells == kind for kind in (1, 2, 3)]).astype(np.float16)
    return Embedding(features + 5, (64, 64))


CELLS = np.full((16, 16), 3)
CELLS[2:6, 2:6] = 1
CELLS[8:12, 8:12] = 2


def mask(row, column, size=16):
    logits = np.full((64, 64), -9, np.float32)
    logits[row : row + size, column : column + size] = 9
    return logits


def test_an_object_looks_like_itself_elsewhere():
    here = View(embedding_of(CELLS), (64, 64), 64).look_of(mask(8, 8))
    moved = np.roll(CELLS, (3, 5), axis=(0, 1))
    there = View(embedding_of(moved), (64, 64), 64).look_of(mask(20, 28))
    assert here.likeness(there) == pytest.approx(1, abs=0.01)


def test_an_object_looks_unlike_another_and_the_background():
    view = View(embedding_of(CELLS), (64, 64), 64)
    look = view.look_of(mask(8, 8))
    assert look.likeness(view.look_of(mask(32, 32))) < 0.5
    assert look.likeness(view.look_of(mask(0, 40))) < 0


def test_padding_has_no_say():
    padded = CELLS.copy()
    padded[12:] = 1
    wide = View(embedding_of(padded), (48, 64), 64).look_of(mask(8, 8))
    square = View(embedding_of(CELLS[:12]), (48, 64), 64).look_of(mask(8, 8))
    np.testing.assert_allclose(wide.direction, square.direction, atol=1e-6)


def test_an_empty_mask_looks_like_nothing_much():
    view = View(embedding_of(CELLS), (64, 64), 64)
    assert np.isfinite(view.look_of(np.full((64, 64), -99)).direction).all()
