from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.frames import FrameGeometry, Movie, Window
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.prompts import (
    PaintedMask,
    Prompt,
    PromptSet,
    Scribble,
    mask_logits,
)

MOVIE = Movie(np.zeros((4, 20, 30), np.uint8))
NOTHING = np.zeros((20, 30), bool)
PAINTED = NOTHING.copy()
PAINTED[4:9, 10:17] = True
TRIANGLE = ((2.0, 3.0), (2.0, 9.5), (12.0, 3.0))
STROKE = Scribble(PAINTED)
ERASED = Scribble(PAINTED, is_positive=False)


def test_points_are_positive_by_default():
    prompt = Prompt(1, 0, points=[(1, 2), (3, 4)])
    assert prompt.points == ((1.0, 2.0), (3.0, 4.0))
    assert prompt.signs == (True, True)


def test_box_corners_come_in_any_order():
    assert Prompt(1, 0, box=(9, 2, 3, 8)).box == (3.0, 2.0, 9.0, 8.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"object_id": 0}, "ids start at 1"),
        ({"object_id": 1.5}, "an object id must be a whole number"),
        ({"object_id": "1"}, "an object id must be a whole number"),
        ({"frame": 0.5}, "a frame must be a whole number"),
        ({"frame": -1}, "frames start at 0"),
        ({"signs": [True, False]}, "1 points need as many signs, not 2"),
        ({"object_id": True}, "an object id must be a whole number, not True"),
        ({"object_id": 2**32}, "4294967296 is above 4294967295"),
        ({"frame": True}, "a frame must be a whole number, not True"),
        ({"frame": np.array([0, 1])}, "a frame must be a whole number"),
        ({"signs": [0.5]}, "signs must be a list of True or False.*not .0.5."),
        ({"signs": ["negative"]}, "signs must be a list of True or False"),
        ({"signs": [2]}, "signs must be a list"),
        ({"signs": [np.nan]}, "signs must be a list"),
        ({"signs": True}, "signs must be a list"),
        ({"signs": [[True]]}, "signs must be a list"),
        ({"hypothesis": 0}, "1, 2 or 3"),
        ({"hypothesis": 4}, "1, 2 or 3"),
        ({"hypothesis": True}, "a hypothesis must be a whole number, not True"),
        ({"hypothesis": 1.0}, "a hypothesis must be a whole number, not 1.0"),
        ({"hypothesis": np.nan}, "a hypothesis must be a whole number, not nan"),
        ({"hypothesis": "2"}, "a hypothesis must be a whole number, not '2'"),
        ({"points": []}, "at least one point or a box"),
        ({"points": [(1, np.nan)]}, "finite"),
        ({"points": [(0, 24, 41), (0, 3, 4)]}, "column.*the frame is given apart"),
        ({"points": (240, 410)}, r"as in .*points=\[\(row, column\)\]"),
        ({"points": [(1, 2), (3,)]}, "equally many entries per row"),
        ({"points": np.zeros((1, 1, 2))}, "pairs"),
        ({"points": [("1", "2")]}, "points must be finite numbers, not '1'"),
        ({"points": [(True, False)]}, "points must be finite numbers, not True"),
        ({"points": [(None, 1)]}, "points must be finite numbers, not None"),
        ({"points": [(1 + 2j, 1)]}, "points must be finite numbers"),
        ({"points": np.ma.masked_equal([[1, 2]], 2)}, "must not be masked"),
        ({"points": 5}, "pairs"),
        ({"box": (1, 2, 3)}, "row0, column0, row1, column1"),
        ({"box": (0, 1, 2, 0, 3, 4)}, "the frame is given apart"),
        ({"box": "1234"}, "must be finite numbers"),
        ({"box": [(1, 2), (3, 4)]}, "row0, column0, row1, column1"),
        ({"box": (1, 2, np.inf, 4)}, "finite"),
        ({"box": (1, 2, 1, 4)}, "height and a width"),
        ({"mask": np.ones((2, 3, 4), bool)}, r"not an array of shape \(2, 3, 4\)"),
        ({"mask": np.ones((2, 3))}, "booleans or integers, not float64; compare"),
        ({"mask": [[1, 0], [1]]}, "equally many entries per row"),
        ({"mask": NOTHING}, "empty mask on frame 0.*leave out one"),
        ({"mask": NOTHING, "points": [], "box": (1, 1, 9, 9)}, "empty mask"),
        ({"mask": NOTHING, "points": [], "lasso": TRIANGLE}, "empty mask"),
        ({"mask": NOTHING, "points": [], "scribbles": [STROKE]}, "empty mask"),
        ({"lasso": TRIANGLE[:2]}, "3 vertices or more, not 2; draw it around"),
        ({"lasso": ()}, "3 vertices or more, not 0"),
        ({"lasso": [(1, 1), (2, 2), (5, 5), (1, 1)]}, "lie on one line"),
        ({"lasso": [(1, 1), (2, 2), (5, np.inf)]}, "finite"),
        ({"lasso": TRIANGLE, "box": (1, 1, 9, 9)}, "a box and a lasso on frame 0"),
        ({"scribbles": [PAINTED]}, "not a Scribble; make one of its pixels"),
        ({"scribbles": 5}, r"a list, as in \[Scribble"),
    ],
)
def test_invalid_values_are_refused(values, message):
    with pytest.raises(PromptError, match=message):
        Prompt(**{"object_id": 1, "frame": 0, "points": [(1, 2)], **values})


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(1, 4, [(1, 2)]), "frames 0 to 3"),
        (
            Prompt(1, 0, [(19.6, 2)]),
            "20 rows and 30 columns; choose rows from 0 to 19 and columns from 0 to 29",
        ),
        (Prompt(1, 0, [(5, -0.6)]), "outside the picture"),
        (Prompt(1, 0, box=(25, 1, 30, 9)), "box.*outside the picture.*choose rows"),
        (Prompt(1, 0, box=(-5, 1, -1, 9)), "box.*outside the picture"),
        (Prompt(1, 0, mask=PAINTED.T), "30 rows and 20 columns, the picture 20 and 30"),
        (Prompt(1, 0, mask=NOTHING.T), "30 rows and 20 columns"),
        (Prompt(1, 4, mask=NOTHING), "frames 0 to 3"),
        (Prompt(1, 4, scribbles=[STROKE]), "frames 0 to 3"),
        (Prompt(1, 0, scribbles=[Scribble(PAINTED.T)]), "scribble .* the whole frame"),
        (Prompt(1, 0, lasso=np.add(TRIANGLE, 30)), "lasso of .* outside the picture"),
    ],
)
@pytest.mark.parametrize("check", [Prompt.check, Prompt.check_inside])
def test_a_prompt_outside_the_movie_is_refused(prompt, message, check):
    with pytest.raises(PromptError, match=message):
        check(prompt, MOVIE)


def test_negative_points_alone_are_refused_but_lie_inside():
    prompt = Prompt(1, 0, [(5, 5)], signs=[False])
    with pytest.raises(PromptError, match="positive point or a box, or paint"):
        prompt.check(MOVIE)
    prompt.check_inside(MOVIE)
    with pytest.raises(PromptError, match="outside the picture"):
        replace(prompt, points=[(5, 35)]).check_inside(MOVIE)
    erased = Prompt(1, 0, scribbles=[ERASED])
    erased.check_inside(MOVIE)
    with pytest.raises(PromptError, match="only negative scribbles on frame 0"):
        erased.check(MOVIE)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(1, 3, [(-0.5, 29.5)]),
        Prompt(1, 0, box=(-5, -5, 50, 50)),
        Prompt(1, 0, [(5, 5)], signs=[False], box=(1, 1, 9, 9)),
        Prompt(1, 0, mask=PAINTED),
        Prompt(1, 0, [(5, 5)], signs=[False], mask=PAINTED),
        Prompt(1, 0, mask=NOTHING),
        Prompt(1, 0, lasso=[(-5, -5), (10, 60), (40, 4)]),
        Prompt(1, 0, scribbles=[ERASED, STROKE]),
        Prompt(1, 0, scribbles=[ERASED], mask=PAINTED),
        Prompt(1, 0, scribbles=[ERASED], mask=NOTHING),
    ],
)
def test_a_prompt_inside_the_movie_is_accepted(prompt):
    prompt.check(MOVIE)


@given(
    arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)),
    st.sampled_from([bool, np.uint8, np.int32]),
)
def test_a_mask_comes_back_as_it_was(mask, dtype):
    kept = PaintedMask.of(mask.astype(dtype) * dtype(3))
    back = kept.to_array()
    assert (back.shape, back.dtype) == (mask.shape, bool)
    np.testing.assert_array_equal(back, mask)
    assert kept.is_empty == (not mask.any())


def test_prompts_with_equal_masks_are_equal():
    prompt = Prompt(1, 0, mask=PAINTED)
    same = Prompt(1, 0, mask=PaintedMask.of(PAINTED.astype(np.uint16) * 7))
    assert prompt == same
    assert hash(prompt) == hash(same)
    assert prompt != Prompt(1, 0, mask=np.roll(PAINTED, 1))
    assert PaintedMask.of(NOTHING) != PaintedMask.of(NOTHING.T)


def test_a_mask_is_not_changed_by_painting_on():
    pixels = PAINTED.copy()
    prompt = Prompt(1, 0, mask=pixels)
    pixels[:] = False
    prompt.mask.to_array()[:] = False
    np.testing.assert_array_equal(prompt.mask.to_array(), PAINTED)


def test_a_mask_can_be_written_to_json():
    prompt = Prompt(1, 0, mask=[[0, 1, 1], [1, 0, 0]])
    written = json.loads(json.dumps(asdict(prompt)))
    assert written["mask"] == {"shape": [2, 3], "runs": [1, 3, 2]}
    assert repr(prompt) == (
        "Prompt(object_id=1, frame=0, mask=PaintedMask(shape=(2, 3), pixels=3))"
    )


@pytest.mark.parametrize(
    ("prompt", "is_positive", "is_absence"),
    [
        (Prompt(1, 0, mask=PAINTED), True, False),
        (Prompt(1, 0, [(5, 5)], signs=[False], mask=PAINTED), True, False),
        (Prompt(1, 0, mask=NOTHING), False, True),
        (Prompt(1, 0, [(5, 5)], signs=[False], mask=NOTHING), False, True),
        (Prompt(1, 0, [(5, 5)], signs=[False]), False, False),
        (Prompt(1, 0, [(5, 5)]), True, False),
        (Prompt(1, 0, box=(1, 1, 9, 9)), True, False),
        (Prompt(1, 0, lasso=TRIANGLE), True, False),
        (Prompt(1, 0, scribbles=[STROKE, ERASED]), True, False),
        (Prompt(1, 0, scribbles=[ERASED]), False, False),
        (Prompt(1, 0, scribbles=[ERASED], mask=NOTHING), False, True),
    ],
)
def test_a_prompt_is_positive_an_absence_or_neither(prompt, is_positive, is_absence):
    assert (prompt.is_positive, prompt.is_absence) == (is_positive, is_absence)


def test_prompts_for_the_same_object_and_frame_add_up():
    prompts = PromptSet([Prompt(1, 0, [(1, 2)], hypothesis=2)]).add(
        Prompt(1, 0, [(3, 4)], signs=[False], box=(0, 0, 9, 9))
    )
    (merged,) = prompts
    assert merged.points == ((1, 2), (3, 4))
    assert merged.signs == (True, False)
    assert (merged.box, merged.hypothesis) == ((0, 0, 9, 9), 2)


def test_a_mask_replaces_earlier_prompts():
    before = Prompt(1, 0, [(1, 2)], box=(0, 0, 9, 9), hypothesis=2)
    painted = Prompt(1, 0, [(5, 12)], mask=PAINTED)
    assert list(PromptSet([before, painted])) == [painted]
    again = Prompt(1, 0, mask=np.roll(PAINTED, 1))
    assert painted.merge(again) == again


def test_points_after_a_mask_refine_it():
    later = Prompt(1, 0, [(1, 2)], signs=[False], box=(0, 0, 19, 9), hypothesis=2)
    merged = Prompt(1, 0, [(5, 12)], mask=PAINTED).merge(later)
    assert merged == Prompt(
        1,
        0,
        [(5, 12), (1, 2)],
        signs=[True, False],
        box=(0, 0, 19, 9),
        hypothesis=2,
        mask=PAINTED,
    )


@pytest.mark.parametrize(
    "found",
    [
        Prompt(1, 0, [(1, 2)]),
        Prompt(1, 0, box=(0, 0, 9, 9)),
        Prompt(1, 0, mask=PAINTED),
        Prompt(1, 0, lasso=TRIANGLE),
        Prompt(1, 0, scribbles=[STROKE]),
    ],
)
def test_a_positive_prompt_ends_an_absence(found):
    absence = Prompt(1, 0, mask=NOTHING)
    assert absence.merge(found) == found
    assert found.merge(absence) == absence


def test_a_later_box_or_lasso_replaces_the_earlier():
    box, lasso = Prompt(1, 0, box=(0, 0, 9, 9)), Prompt(1, 0, lasso=TRIANGLE)
    click = Prompt(1, 0, [(1, 2)])
    assert box.merge(click).merge(lasso) == replace(click, lasso=TRIANGLE)
    assert lasso.merge(click).merge(box) == replace(click, box=(0, 0, 9, 9))
    assert lasso.merge(click).lasso == TRIANGLE


def test_scribbles_keep_their_place_among_the_points_when_prompts_are_joined():
    first = Prompt(1, 0, [(1, 2), (3, 4)], scribbles=[replace(STROKE, after=1)])
    second = Prompt(1, 0, [(5, 6)], scribbles=[ERASED, replace(STROKE, after=1)])
    merged = first.merge(second)
    assert [one.after for one in merged.scribbles] == [1, 2, 3]
    assert [one.is_positive for one in merged.scribbles] == [True, False, True]
    assert merged.merge(Prompt(1, 0, mask=PAINTED)) == Prompt(1, 0, mask=PAINTED)


def test_a_scribble_comes_after_no_more_points_than_those_behind_it():
    """Points can be taken back between two scribbles."""
    strokes = [replace(STROKE, after=number) for number in (3, 1, 5)]
    prompt = Prompt(1, 0, [(1, 2), (3, 4)], scribbles=strokes)
    assert [one.after for one in prompt.scribbles] == [1, 1, 2]


@pytest.mark.parametrize(
    ("more", "is_single_click", "is_settled"),
    [
        ({"points": [(1, 2)]}, True, False),
        ({"points": [(1, 2)], "lasso": TRIANGLE}, False, False),
        ({"points": [(1, 2)], "scribbles": [ERASED]}, False, False),
        ({"scribbles": [STROKE]}, False, False),
        ({"mask": PAINTED}, False, True),
        ({"mask": PAINTED, "scribbles": [STROKE]}, False, False),
        ({"mask": PAINTED, "lasso": TRIANGLE}, False, False),
        ({"mask": NOTHING, "scribbles": [ERASED]}, False, True),
    ],
)
def test_what_is_ambiguous_and_what_is_settled(more, is_single_click, is_settled):
    prompt = Prompt(1, 0, **more)
    assert (prompt.is_single_click, prompt.is_settled) == (is_single_click, is_settled)


def test_negative_points_do_not_end_an_absence():
    merged = Prompt(1, 0, mask=NOTHING).merge(Prompt(1, 0, [(1, 2)], signs=[False]))
    assert merged.is_absence
    assert merged.points == ((1, 2),)


@pytest.mark.parametrize(
    ("shape", "runs"),
    [
        ((2, 3), (5,)),
        ((2, 3), (3, 0, 3)),
        ((2, 3), (7, -1)),
        ((2, 3), (5.5, 0.5)),
        ((2, 3), ()),
        ((6,), (6,)),
        ((2, 3), "66"),
        ((-2, -3), (6,)),
    ],
)
def test_runs_that_do_not_fill_a_mask_are_refused(shape, runs):
    with pytest.raises(PromptError, match="mask"):
        PaintedMask(shape, runs)


def test_logits_of_the_left_half():
    mask = np.zeros((8, 16), bool)
    mask[:, :8] = True
    logits = mask_logits(mask, FrameGeometry.fit((8, 16), 64), 16)
    assert (logits.shape, logits.dtype) == ((16, 16), np.float32)
    expected = np.full((16, 16), -8)
    expected[:8, :8] = 8
    np.testing.assert_array_equal(logits, expected)


def test_logits_of_a_frame_smaller_than_the_grid():
    mask = np.zeros((5, 7), bool)
    mask[1, 2] = True
    logits = mask_logits(mask, FrameGeometry.fit((5, 7), 70), 14)
    expected = np.full((14, 14), -8)
    expected[2:4, 4:6] = 8
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_logits_of_a_frame_larger_than_the_grid_are_shares_of_area():
    mask = np.zeros((6, 12), bool)
    mask[:, :6] = True
    # Each low-res pixel is 4 x 4 frame pixels, and those of the second row are half
    # in the padding.
    logits = mask_logits(mask, FrameGeometry.fit((6, 12), 96), 3)
    np.testing.assert_allclose(logits, [[8, 0, -8], [0, -4, -8], [-8, -8, -8]])


def test_a_mask_finer_than_the_grid_is_not_lost():
    mask = np.zeros((64, 64), bool)
    mask[33, 21] = True
    logits = mask_logits(mask, FrameGeometry.fit((64, 64), 64), 16)
    np.testing.assert_array_equal(np.argwhere(logits > 0), [[8, 5]])
    empty = mask_logits(np.zeros((64, 64), bool), FrameGeometry.fit((64, 64), 64), 16)
    assert (empty == -8).all()


@pytest.mark.parametrize("shape", [(700, 500), (97, 333), (64, 64), (5, 7)])
def test_logits_keep_the_area(shape):
    mask = np.random.default_rng(0).random(shape) < 0.6
    logits = mask_logits(mask, FrameGeometry.fit(shape, 256), 64)
    rows, columns = FrameGeometry.fit(shape, 256).model_shape
    area = mask.mean() * (rows / 4) * (columns / 4)
    assert ((logits / 8 + 1) / 2).sum() == pytest.approx(area, rel=1e-5)
    assert np.abs(logits).max() == pytest.approx(8)


@pytest.mark.parametrize("shape", [(700, 500), (333, 490), (120, 130), (40, 50)])
def test_a_disk_comes_back_from_its_logits(shape, tiny_sam):
    rows, columns = np.indices(shape)
    radius = 0.3 * min(shape)
    squared = (rows - 0.4 * shape[0]) ** 2 + (columns - 0.6 * shape[1]) ** 2
    disk = squared < radius**2
    geometry = FrameGeometry.fit(shape, tiny_sam.image_size)
    logits = mask_logits(disk, geometry, tiny_sam.mask_size)
    back = tiny_sam.upscale(logits[np.newaxis], shape)[0] > 0
    assert mask_iou(back, disk) > 0.98


@pytest.mark.parametrize("shape", [(41, 64), (64, 43), (500, 701), (5, 7)])
def test_a_full_frame_comes_back_from_its_logits(shape, tiny_sam):
    geometry = FrameGeometry.fit(shape, tiny_sam.image_size)
    logits = mask_logits(np.ones(shape, bool), geometry, tiny_sam.mask_size)
    assert (tiny_sam.upscale(logits[np.newaxis], shape) > 0).all()


def test_a_prompt_is_shown_as_it_was_made():
    prompt = Prompt(1, 0, [(1, 2), (3, 4.5)], [True, False], (1, 2, 8, 9), 2)
    assert repr(prompt) == (
        "Prompt(object_id=1, frame=0, points=[(1, 2), (3, 4.5)], signs=[True, False], "
        "box=(1.0, 2.0, 8.0, 9.0), hypothesis=2)"
    )
    assert eval(repr(prompt)) == prompt
    scribbled = Prompt(1, 0, lasso=TRIANGLE, scribbles=[STROKE])
    assert repr(scribbled) == (
        "Prompt(object_id=1, frame=0, lasso=[(2, 3), (2, 9.5), (12, 3)], scribbles="
        "[Scribble(pixels=PaintedMask(shape=(20, 30), pixels=35), is_positive=True, "
        "after=0)])"
    )
    assert repr(Prompt(1, 0, [(1, 2)])) == (
        "Prompt(object_id=1, frame=0, points=[(1, 2)])"
    )


WINDOW = Window(2, 5, 12, 20)


def test_a_prompt_is_seen_in_a_window_in_its_pixels():
    prompt = Prompt(
        3,
        1,
        points=[(4.5, 9), (19, 29), (5, 12)],
        signs=[True, False, True],
        box=(3, 6, 11, 18),
        scribbles=[replace(STROKE, after=2), replace(ERASED, after=3)],
    )
    seen = prompt.seen_in(WINDOW)
    assert seen.points == ((2.5, 4.0), (3.0, 7.0))
    assert seen.signs == (True, True)
    assert seen.box == (1, 1, 9, 13)
    assert [one.after for one in seen.scribbles] == [1, 2]
    cut = PAINTED[WINDOW.place]
    np.testing.assert_array_equal(seen.scribbles[0].pixels.to_array(), cut)


def test_a_mask_and_a_lasso_are_seen_in_a_window():
    painted = Prompt(1, 0, mask=PAINTED).seen_in(WINDOW)
    np.testing.assert_array_equal(painted.mask.to_array(), PAINTED[WINDOW.place])
    lasso = Prompt(1, 0, lasso=TRIANGLE).seen_in(Window(1, 1, 15, 15)).lasso
    assert lasso == ((1.0, 2.0), (1.0, 8.5), (11.0, 2.0))


def test_nothing_is_seen_in_a_window_far_away():
    with pytest.raises(PromptError):
        Prompt(1, 0, points=[(1, 1)]).seen_in(Window(10, 10, 5, 5))


@pytest.mark.parametrize(
    ("prompt", "outer", "whole"),
    [
        (
            Prompt(1, 0, points=[(3, 4), (9, 2)], signs=[True, False]),
            Window(3, 4, 1, 1),
            Window(3, 2, 7, 3),
        ),
        (Prompt(1, 0, box=(2, 3, 8, 9)), Window(2, 3, 7, 7), Window(2, 3, 7, 7)),
        (
            Prompt(1, 0, points=[(1, 1)], scribbles=[STROKE]),
            Window(1, 1, 8, 16),
            Window(1, 1, 8, 16),
        ),
        (Prompt(1, 0, mask=PAINTED), Window(4, 10, 5, 7), Window(4, 10, 5, 7)),
        (Prompt(1, 0, mask=NOTHING), None, None),
        (Prompt(1, 0, scribbles=[ERASED]), None, Window(4, 10, 5, 7)),
    ],
)
def test_the_window_of_what_is_shown(prompt, outer, whole):
    assert prompt.outer_window == outer
    assert prompt.whole_window == whole


@pytest.mark.parametrize(
    ("prompt", "beginning"),
    [
        (
            Prompt(1, 0, [(1, 1), (2, 2), (3, 3)], [False, True, True], hypothesis=2),
            Prompt(1, 0, [(2, 2)]),
        ),
        (Prompt(1, 0, [(2, 2)], scribbles=[STROKE]), Prompt(1, 0, scribbles=[STROKE])),
        (
            Prompt(1, 0, [(2, 2)], scribbles=[replace(STROKE, after=1)]),
            Prompt(1, 0, [(2, 2)]),
        ),
        (Prompt(1, 0, [(2, 2)], box=(0, 0, 5, 5)), Prompt(1, 0, box=(0, 0, 5, 5))),
        (Prompt(1, 0, [(2, 2)], mask=PAINTED), Prompt(1, 0, mask=PAINTED)),
    ],
)
def test_what_shows_an_object_first(prompt, beginning):
    assert prompt.beginning == beginning
