from __future__ import annotations

import numpy as np
from made_frames import SHAPE, block, scribble

from napari_sam_decoder.interactive.actions import Action, Shown, actions_of
from napari_sam_decoder.prompts import PaintedMask, Prompt

LEFT, RIGHT = block((4, 8), (4, 12)), block((6, 10), (8, 16))


def painted(mask, *, is_positive):
    return Action(PaintedMask.of(mask), is_positive)


def test_points_and_scribbles_come_in_the_order_given():
    prompt = Prompt(
        1,
        0,
        [(5, 5), (6, 6), (7, 7)],
        [1, 0, 1],
        scribbles=[
            scribble(LEFT, after=0),
            scribble(RIGHT, is_positive=False, after=2),
            scribble(LEFT, is_positive=False, after=2),
        ],
    )
    assert actions_of(prompt, SHAPE) == (
        painted(LEFT, is_positive=True),
        Action((5, 5), True),
        Action((6, 6), False),
        painted(RIGHT, is_positive=False),
        painted(LEFT, is_positive=False),
        Action((7, 7), True),
    )


def test_points_are_pixels_of_the_frame():
    prompt = Prompt(1, 0, [(-0.4, 3.6), (39.4, 55.4)])
    first, last = actions_of(prompt, SHAPE)
    assert (first.place, last.place) == ((0, 4), (39, 55))


def test_where_actions_overlap_the_later_one_counts():
    shown = Shown([painted(LEFT, is_positive=True), painted(RIGHT, is_positive=False)])
    mask = np.zeros(SHAPE, bool)
    shown.write(mask)
    np.testing.assert_array_equal(mask, LEFT & ~RIGHT)
    on_object = shown.scribbled(SHAPE, positive=True)
    np.testing.assert_array_equal(on_object, LEFT & ~RIGHT)
    beside = shown.scribbled(SHAPE, positive=False)
    np.testing.assert_array_equal(beside, RIGHT)


def test_clicks_are_no_scribbles():
    shown = Shown([Action((3, 4), True), Action((5, 6), False)])
    assert shown.clicks(positive=True).tolist() == [[3, 4]]
    assert shown.clicks(positive=False).tolist() == [[5, 6]]
    assert shown.scribbled(SHAPE, positive=True) is None


def test_what_a_mask_lacks_contradicts_it():
    action = painted(RIGHT, is_positive=True)
    contradicted = np.zeros(SHAPE, bool)
    contradicted[tuple(action.contradicted(LEFT).T)] = True
    np.testing.assert_array_equal(contradicted, RIGHT & ~LEFT)
    assert not len(painted(LEFT, is_positive=False).contradicted(~LEFT))
