from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.frames import FrameGeometry, Movie
from napari_sam_decoder.prompts import Prompt, PromptSet, prompts_from_points

MOVIE = Movie(np.zeros((4, 20, 30), np.uint8))


def test_points_are_positive_unless_said_otherwise():
    prompt = Prompt(1, 0, points=[(1, 2), (3, 4)])
    assert prompt.points == ((1.0, 2.0), (3.0, 4.0))
    assert prompt.labels == (True, True)


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
        ({"labels": [True, False]}, "1 points need as many labels, not 2"),
        ({"hypothesis": 0}, "1, 2 or 3"),
        ({"hypothesis": 4}, "1, 2 or 3"),
        ({"points": []}, "at least one point or a box"),
        ({"points": [(1, np.nan)]}, "finite"),
        ({"points": [(1, 2, 3)]}, "pairs"),
        ({"box": (1, 2, 3)}, "row0, column0, row1, column1"),
        ({"box": (1, 2, np.inf, 4)}, "finite"),
        ({"box": (1, 2, 1, 4)}, "height and a width"),
    ],
)
def test_what_makes_no_sense_is_refused(values, message):
    with pytest.raises(PromptError, match=message):
        Prompt(**{"object_id": 1, "frame": 0, "points": [(1, 2)], **values})


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(1, 4, [(1, 2)]), "frames 0 to 3"),
        (Prompt(1, 0, [(19.6, 2)]), "outside the picture of 20 rows and 30 columns"),
        (Prompt(1, 0, [(5, -0.6)]), "outside the picture"),
        (Prompt(1, 0, box=(25, 1, 30, 9)), "box.*outside the picture"),
        (Prompt(1, 0, box=(-5, 1, -1, 9)), "box.*outside the picture"),
        (Prompt(1, 0, [(5, 5)], labels=[False]), "positive point or a box"),
    ],
)
def test_what_does_not_fit_the_movie_is_refused(prompt, message):
    with pytest.raises(PromptError, match=message):
        prompt.check(MOVIE)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(1, 3, [(-0.5, 29.5)]),
        Prompt(1, 0, box=(-5, -5, 50, 50)),
        Prompt(1, 0, [(5, 5)], labels=[False], box=(1, 1, 9, 9)),
    ],
)
def test_what_lies_at_the_rim_is_taken(prompt):
    prompt.check(MOVIE)


def test_prompts_for_the_same_object_and_frame_add_up():
    prompts = PromptSet([Prompt(1, 0, [(1, 2)], hypothesis=2)]).add(
        Prompt(1, 0, [(3, 4)], labels=[False], box=(0, 0, 9, 9))
    )
    (merged,) = prompts
    assert merged.points == ((1, 2), (3, 4))
    assert merged.labels == (True, False)
    assert (merged.box, merged.hypothesis) == ((0, 0, 9, 9), 2)


def test_a_set_is_ordered_and_can_be_cut():
    prompts = PromptSet(
        [Prompt(2, 3, [(1, 1)]), Prompt(1, 2, [(1, 1)]), Prompt(1, 0, [(1, 1)])]
    )
    assert [(p.object_id, p.frame) for p in prompts] == [(1, 0), (1, 2), (2, 3)]
    assert prompts.object_ids == (1, 2)
    assert [p.frame for p in prompts.of_object(1)] == [0, 2]
    assert len(prompts.within(range(2, 4))) == 2
    assert len(prompts.without(1)) == 1
    assert [p.frame for p in prompts.without(1, 0).of_object(1)] == [2]


def test_a_table_of_points_becomes_prompts():
    prompts = prompts_from_points(
        frames=[0, 0, 3],
        positions=np.array([[1, 2], [3, 4], [5, 6]]),
        labels=[True, False, True],
        object_ids=[1, 1, 2],
        hypotheses=[0, 3, 0],
    )
    first, second = prompts
    assert first == Prompt(1, 0, [(1, 2), (3, 4)], [True, False], hypothesis=3)
    assert second == Prompt(2, 3, [(5, 6)])


def test_a_table_that_picks_two_hypotheses_is_refused():
    with pytest.raises(PromptError, match="different hypotheses on frame 0"):
        prompts_from_points([0, 0, 0], np.ones((3, 2)), [1, 1, 1], [1, 1, 1], [2, 0, 3])


def test_the_network_sees_x_before_y():
    prompt = Prompt(1, 0, [(10, 15)], labels=[False], box=(2, 3, 12, 18))
    asked = prompt.to_model(FrameGeometry.fit((20, 30), 60))
    np.testing.assert_allclose(asked.points, [[30, 20]])
    np.testing.assert_array_equal(asked.labels, [0])
    np.testing.assert_allclose(asked.box, [6, 4, 36, 24])


def test_a_box_alone_has_no_points():
    asked = Prompt(1, 0, box=(2, 3, 12, 18)).to_model(FrameGeometry.fit((20, 30), 60))
    assert asked.points.shape == (0, 2)
