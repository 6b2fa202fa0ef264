from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.appearance.features import (
    CellFeatures,
    FrameFeatures,
    PixelFeatures,
    low_res_picture,
)
from napari_sam_decoder.appearance.ridge import RidgeClassifier
from napari_sam_decoder.model.values import Embedding

SIZE = (48, 64)


def rgb(grey=False):
    noise = np.random.default_rng(0).integers(0, 255, (*SIZE, 1 if grey else 3))
    return np.broadcast_to(noise, (*SIZE, 3)).astype(np.uint8)


def square(row, column, size=16):
    logits = np.full((64, 64), -9, np.float32)
    logits[row : row + size, column : column + size] = 9
    return logits


def cells_of(features):
    return CellFeatures(Embedding(features.astype(np.float16), SIZE), SIZE, 64)


@pytest.mark.parametrize(("grey", "channels"), [(True, 1), (False, 3)])
def test_a_picture_is_small_and_standardised(grey, channels):
    picture = low_res_picture(rgb(grey), (24, 32))
    assert (picture.shape, picture.dtype) == ((channels, 24, 32), np.float32)
    assert picture.mean() == pytest.approx(0, abs=1e-5)
    assert picture.std() == pytest.approx(1, abs=1e-5)


def test_a_blank_frame_has_a_blank_picture():
    assert not low_res_picture(np.full((*SIZE, 3), 7, np.uint8), (24, 32)).any()


def test_cells_have_length_one_and_no_common_part():
    features = np.random.default_rng(0).normal(size=(8, 16, 16))
    cells, lit = cells_of(features), cells_of(features * 2 + 5)
    assert cells.directions.shape == (12 * 16, 8)
    np.testing.assert_allclose(np.linalg.norm(cells.directions, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(cells.samples, lit.samples, atol=0.02)
    np.testing.assert_array_equal(cells.samples[:, -1], 1)


def test_a_cell_is_covered_in_part():
    shares = cells_of(np.zeros((2, 16, 16))).coverage(square(8, 8, 6)).reshape(12, 16)
    assert shares[2, 2] == pytest.approx(1, abs=0.01)
    assert shares[2, 3] == pytest.approx(0.5, abs=0.01)
    assert shares[3, 3] == pytest.approx(0.25, abs=0.01)
    assert shares[6, 6] == pytest.approx(0, abs=0.01)


def test_values_of_cells_are_interpolated_between_their_centres():
    cells = cells_of(np.zeros((2, 16, 16)))
    ramp = np.tile(np.arange(16.0), (12, 1))
    mapped = cells.to_map(ramp.ravel())
    assert mapped.shape == SIZE
    np.testing.assert_allclose(mapped[20, 2:62], (np.arange(2, 62) + 0.5) / 4 - 0.5)


def test_one_colour_is_told_from_all_others():
    """Neither the darkest nor the brightest: a line could not do that."""
    picture = np.repeat([-2.0, -1, 0, 1, 2], 12)[None, None].repeat(40, axis=1)
    pixels = PixelFeatures(picture.astype(np.float32))
    logits = np.where(np.abs(picture[0]) < 0.5, 9.0, -9.0)
    taught = RidgeClassifier.of(pixels.labelled(logits))
    scores = pixels.to_map(taught.scores(pixels.samples))[20]
    # In the middle of each stripe, away from where they blur.
    np.testing.assert_array_equal(scores[6::12] > 0, [False, False, True, False, False])


def test_pixels_near_the_object_count_most():
    pixels = PixelFeatures(low_res_picture(rgb(), SIZE))
    background_weights = pixels.labelled(square(16, 16)).background_weights.reshape(
        24, 32
    )
    assert (background_weights[8:16, 8:16] == 1).all()
    assert (
        1
        > background_weights[10, 18]
        > background_weights[10, 24]
        > background_weights[10, 31]
        > 0
    )


def test_without_an_object_all_pixels_count_the_same():
    pixels = PixelFeatures(low_res_picture(rgb(), SIZE))
    labelled = pixels.labelled(np.full((64, 64), -9.0, np.float32))
    assert (labelled.background_weights == 1).all()
    assert labelled.shares.max() < 0.01
    assert (
        len(labelled.samples)
        == len(labelled.shares)
        == len(labelled.background_weights)
    )


def test_features_are_computed_when_used_and_once():
    embedding = Embedding(np.ones((2, 16, 16), np.float16), SIZE)
    features = FrameFeatures(embedding, low_res_picture(rgb(), SIZE), 64)
    assert not {"cells", "pixels"} & set(vars(features))
    assert features.cells is features.cells
    assert features.pixels is features.pixels
    assert features.cells.to_map(np.zeros(12 * 16)).shape == SIZE
