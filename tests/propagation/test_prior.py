from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.appearance.features import FrameFeatures
from napari_sam_decoder.appearance.memory import Memory
from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.model.values import Embedding
from napari_sam_decoder.propagation.prior import (
    BACKGROUND_LOGIT,
    CERTAIN_ABSENCE,
    CERTAIN_LOGIT,
    GAIN,
    MEMORY_LIMIT,
    Grid,
    MotionPrior,
    appearance_anywhere,
    prompt_from_mask,
    rival_penalty,
    strongest_component,
)

GRID = Grid((48, 64), 4.0, 64)


def block(row, column, size=11):
    logits = np.full((64, 64), -8, np.float32)
    logits[max(row, 0) : row + size, column : column + size] = 8
    return logits


def test_the_grid_leaves_the_padding_out():
    grid = Grid.of(FrameGeometry.fit((480, 854), 1024), 1024, 256)
    assert grid == Grid((144, 256), 4.0, 256)
    assert grid.crop(np.zeros((2, 256, 256))).shape == (2, 144, 256)


def test_padding_is_background():
    logits = block(10, 10)
    padded = GRID.pad(GRID.crop(logits))
    np.testing.assert_array_equal(padded[:48], logits[:48])
    assert (padded[48:] == BACKGROUND_LOGIT).all()
    assert np.float16(BACKGROUND_LOGIT) == BACKGROUND_LOGIT


def test_the_prompt_is_the_innermost_point_and_the_box():
    prompt = prompt_from_mask(block(10, 20), GRID)
    np.testing.assert_allclose(prompt.points, [[25 * 4 + 1.5, 15 * 4 + 1.5]])
    np.testing.assert_allclose(prompt.box, [80, 40, 31 * 4 - 1, 21 * 4 - 1])
    assert prompt.signs.tolist() == [1]


def test_the_point_keeps_away_from_the_border():
    prompt = prompt_from_mask(block(0, 0), GRID)
    np.testing.assert_allclose(prompt.points, [[5 * 4 + 1.5, 5 * 4 + 1.5]])


@pytest.mark.parametrize("row", [47, 50])
def test_a_mask_in_the_padding_gives_no_prompt(row):
    assert prompt_from_mask(block(row, 10, size=3), GRID) is None


SIDE = 64
CONTENT = (62, SIDE)


def square(row, column, size=16, logit=8.0):
    logits = np.full((SIDE, SIDE), -8, np.float32)
    logits[row : row + size, column : column + size] = logit
    return logits


def prior_of(logits, tolerance=2.0, size=None):
    visible = logits[: CONTENT[0]]
    area = np.count_nonzero(visible > 0) if size is None else size
    return MotionPrior.of(visible, np.full(CONTENT, tolerance), area)


def features_of(logits, strangeness=0.0):
    """The object fills the cells under a mask; its cells may look like the rest."""
    features = np.zeros((2, 16, 16), np.float16)
    features[0] = (1 - strangeness) * (logits[2::4, 2::4] > 0)
    features[1] = 1 - features[0]
    picture = np.zeros((1, *CONTENT), np.float32)
    return FrameFeatures(Embedding(features, (SIDE, SIDE)), picture, SIDE)


OBJECT = square(16, 16)
MEMORY = Memory.of(features_of(OBJECT), OBJECT)


def test_the_motion_prior_is_the_distance_in_tolerances():
    logits = prior_of(OBJECT, tolerance=2.0).logits
    assert logits[24, 16] == pytest.approx(0.5 / 2)
    assert logits[24, 15] == pytest.approx(-0.5 / 2, rel=0.05)
    assert logits[24, 19] == pytest.approx(3.5 / 2)
    np.testing.assert_array_equal(logits > 0, OBJECT[: CONTENT[0]] > 0)


def test_the_motion_prior_is_limited():
    logits = prior_of(OBJECT, tolerance=0.1).logits
    assert (logits.max(), logits.min()) == (CERTAIN_LOGIT, CERTAIN_ABSENCE)


def test_the_tolerance_may_differ_between_pixels():
    tolerance = np.full(CONTENT, 1.0)
    tolerance[:, 32:] = 10
    prior = MotionPrior.of(OBJECT[: CONTENT[0]], tolerance, 256.0)
    assert abs(prior.logits[24, 33]) < abs(prior.logits[24, 14])


def test_a_hidden_part_may_reappear():
    whole, most, part = (
        prior_of(OBJECT, 0.5, size).logits.min()
        for size in (16**2, 1.05 * 16**2, 1.3 * 16**2)
    )
    assert whole == most == CERTAIN_ABSENCE
    assert part > -2 * MEMORY_LIMIT > CERTAIN_ABSENCE


def test_an_object_that_moved_out_is_not_in_the_picture():
    logits = prior_of(np.full((SIDE, SIDE), -8.0), size=256).logits
    assert (logits == CERTAIN_ABSENCE).all()


def test_the_memory_finds_what_has_moved_on():
    recalled = prior_of(OBJECT, tolerance=3.0).appearance_logits(
        MEMORY, features_of(square(16, 20))
    )
    assert recalled.shape == CONTENT
    assert recalled[24, 33] > 1
    assert recalled[24, 17] < -1
    assert np.abs(recalled).max() <= 2 * MEMORY_LIMIT


def test_the_memory_is_calibrated_on_the_object_of_the_frame():
    prior = prior_of(OBJECT)
    known, strange = (
        prior.appearance_logits(MEMORY, features_of(OBJECT, strangeness))
        for strangeness in (0, 1)
    )
    assert known[24, 24] == pytest.approx(MEMORY_LIMIT)
    np.testing.assert_allclose(strange, 0, atol=1e-3)


def test_a_memory_with_the_opposite_sign_does_not_count():
    opposite = Memory.of(features_of(OBJECT), -OBJECT)
    recalled = prior_of(OBJECT).appearance_logits(opposite, features_of(OBJECT))
    np.testing.assert_allclose(recalled, 0, atol=1e-3)


def test_without_a_position_the_memory_is_not_calibrated():
    nowhere = prior_of(np.full((SIDE, SIDE), -8.0), size=256)
    recalled = nowhere.appearance_logits(MEMORY, features_of(OBJECT))
    assert recalled[24, 24] > GAIN / 2 > 0 > recalled[50, 50]
    anywhere = appearance_anywhere(MEMORY, features_of(OBJECT))
    assert anywhere[24, 24] == pytest.approx(GAIN, rel=0.1)
    assert anywhere[50, 50] == pytest.approx(-GAIN, rel=0.1)


def test_only_the_strongest_component_is_kept():
    logits = square(4, 4, size=10, logit=1.0)
    logits[40:46, 40:46] = 7
    kept = strongest_component(logits)
    np.testing.assert_array_equal(np.argwhere(kept > 0), np.argwhere(logits == 7))
    assert (kept[logits == 1] == CERTAIN_ABSENCE).all()


@pytest.mark.parametrize("logits", [square(4, 4), np.full((8, 8), -1.0)])
def test_a_single_component_is_not_changed(logits):
    np.testing.assert_array_equal(strongest_component(logits), logits)


def test_rivals_count_only_where_the_object_was_not():
    theirs, ours = square(16, 16), square(16, 24)
    penalty = rival_penalty(theirs, ours)
    assert (penalty[16:32, 16:24] == 2 * CERTAIN_LOGIT).all()
    assert not penalty[16:32, 24:].any()


def test_a_similar_object_nearby_is_not_a_part_of_the_object():
    """However little the flow explains of the frame but in one prior."""
    tolerance = np.full(CONTENT, 8.0)
    tolerance[24, 24] = 2.0
    similar = features_of(np.maximum(OBJECT, square(16, 44)))
    prior = MotionPrior.of(OBJECT[: CONTENT[0]], tolerance, 256.0)
    logits = prior.logits + prior.appearance_logits(MEMORY, similar)
    assert logits[24, 24] > 0 > logits[24, 50]
