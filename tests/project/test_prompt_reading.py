from __future__ import annotations

import numpy as np
import pytest
from stacks import Stack

from napari_sam_decoder.project import (
    NO_PROMPTS,
    History,
    ObjectPrompts,
    PointRow,
    ScribbleRow,
    ShapeRow,
    ended_confirmations,
    name_frames,
    name_objects,
    pick_mask,
    read_document,
    read_rows,
    split_rows,
    unused_notices,
)
from napari_sam_decoder.prompts import PaintedMask, Prompt, Scribble

MOVIE = Stack()


def points(*positions, object_id=1, **values):
    return [PointRow(tuple(map(float, one)), object_id, **values) for one in positions]


def box(frame, top, left, bottom, right, object_id=1, **values):
    corners = ((top, left), (top, right), (bottom, right), (bottom, left))
    vertices = tuple((float(frame), *map(float, one)) for one in corners)
    return ShapeRow(
        **{"kind": "rectangle", **values}, vertices=vertices, object_id=object_id
    )


def shape(kind, frame, *positions, object_id=1, **values):
    vertices = tuple((float(frame), *map(float, one)) for one in positions)
    return ShapeRow(kind, vertices, object_id, **values)


def scribble_row(frame, *window, cut=MOVIE, object_id=1, **values):
    pixels = np.zeros(cut.frame_shape, bool)
    pixels[window] = True
    return ScribbleRow.on(cut, frame, Scribble(pixels, **values), object_id)


def told(reading):
    """Prompts as plain values."""
    return {
        (prompt.object_id, prompt.frame): (
            [list(point) for point in prompt.points],
            list(prompt.signs),
            prompt.hypothesis,
        )
        for prompt in reading.prompts
    }


def boxes(reading):
    return {(one.object_id, one.frame): one.box for one in reading.prompts if one.box}


@pytest.mark.parametrize(
    ("bad", "notice"),
    [
        (
            [(0, -0.6, 3), (0, 3, 13.6), (4, 11.6, 3)],
            (
                "3 points of object 1 lie outside the picture and are not used; "
                "move them inside or delete them"
            ),
        ),
        (
            [(0, 3, -0.6)],
            (
                "1 point of object 1 lies outside the picture and is not used; "
                "move it inside or delete it"
            ),
        ),
        (
            [(-1, 3, 3), (5, 99, 3)],
            (
                "2 points of object 1 are on frames outside the movie and are not "
                "used; delete them"
            ),
        ),
        (
            [(1e300, 3, 3)],
            (
                "1 point of object 1 is on a frame outside the movie and is not used; "
                "delete it"
            ),
        ),
    ],
)
def test_points_off_the_movie_are_left_out(bad, notice):
    reading = read_rows(MOVIE, points((2, 3, 4), *bad))
    assert told(reading) == {(1, 2): ([[3, 4]], [True], None)}
    assert reading.notices == (notice,)
    assert reading.objects == (ObjectPrompts(1, (2,), 1),)


def test_half_a_pixel_over_the_border_is_inside():
    reading = read_rows(MOVIE, points((0, -0.5, -0.5), (0, 11.5, 13.5)))
    assert reading.notices == ()
    assert len(reading.prompts.at(1, 0).points) == 2


def test_points_between_frames_count_for_the_nearest():
    rows = points((1.2, 3, 4), (1.4, 3, 4), (-0.4, 3, 4), (4.3, 3, 4))
    reading = read_rows(MOVIE, rows)
    assert reading.objects == (ObjectPrompts(1, (0, 1, 4), 4),)
    assert reading.notices == (
        "3 points of object 1 lie between two frames and are used on the nearest",
    )


def test_rows_become_prompts():
    rows = [
        *points((3, 4, 5.5)),
        *points((3, 6, 7), is_positive=False, hypothesis=3),
        *points((1, 2, 3)),
        *points((3, 1, 1), object_id=2),
    ]
    reading = read_rows(MOVIE, rows)
    assert told(reading) == {
        (1, 1): ([[2, 3]], [True], None),
        (1, 3): ([[4, 5.5], [6, 7]], [True, False], 3),
        (2, 3): ([[1, 1]], [True], None),
    }
    assert reading.objects == (ObjectPrompts(1, (1, 3), 3), ObjectPrompts(2, (3,), 1))
    assert reading.of_object(2).frames == (3,)
    assert reading.of_object(7) == ObjectPrompts(7, (), 0)
    assert reading.notices == ()


def test_of_different_picks_the_later_wins():
    rows = [*points((0, 1, 2), hypothesis=1), *points((0, 3, 4), hypothesis=2)]
    later = points((0, 7, 8))
    assert told(read_rows(MOVIE, [*rows, *later]))[1, 0][2] == 2


def test_without_rows_there_is_nothing():
    reading = read_rows(MOVIE, ())
    assert (len(reading.prompts), reading.notices, reading.objects) == (0, (), ())
    assert NO_PROMPTS.objects == ()


def test_objects_with_only_negative_points_on_a_frame():
    beside = [(frame, 3, 4) for frame in range(1, 5)]
    rows = [*points((0, 3, 4)), *points(*beside, is_positive=False)]
    reading = read_rows(MOVIE, rows)
    assert reading.objects == (ObjectPrompts(1, (0,), 1),)
    assert [prompt.frame for prompt in reading.negatives] == [1, 2, 3, 4]
    assert reading.notices == ()
    (notice,) = unused_notices(reading.negatives)
    assert notice == (
        "object 1 has only negative points on frames 1, 2, 3 and 1 more, which are not "
        "used; add a positive point there"
    )


def test_negative_points_alone_pick_no_mask():
    """As where a positive point beside them was deleted."""
    reading = read_rows(MOVIE, points((0, 3, 4), is_positive=False, hypothesis=2))
    (prompt,) = reading.negatives
    assert prompt.hypothesis is None


def test_each_object_has_its_own_notice_of_unused_points():
    beside = [
        Prompt(object_id, frame, points=[(1, 1)], signs=[False])
        for object_id, frame in ((2, 5), (1, 3), (2, 4))
    ]
    first, second = unused_notices(beside)
    assert first.startswith("object 1 has only negative points on frame 3, which")
    assert second.startswith("object 2 has only negative points on frames 4, 5, which")
    assert unused_notices(()) == ()


def test_several_objects_are_named_in_one_notice():
    rows = [row for one in range(1, 6) for row in points((0, 50, 3), object_id=one)]
    (notice,) = read_rows(MOVIE, rows).notices
    assert notice.startswith("5 points of objects 1, 2, 3 and 2 more lie outside")
    assert name_objects([4, 4]) == "object 4"
    assert name_frames([1, 2]) == "frames 1, 2"


def test_points_on_a_picture():
    picture = Stack((12, 14), None)
    reading = read_rows(picture, points((3, 4)))
    assert told(reading) == {(1, 0): ([[3, 4]], [True], None)}


def test_other_planes_are_passed_over():
    cut = Stack((5, 6, 12, 14), 0, ((1, 2),))
    rows = [
        *points((1, 2.4, 3, 4), (1, 3, 5, 6)),
        *points((2, 1.4, 5, 6), object_id=8),
    ]
    reading = read_rows(cut, rows)
    assert told(reading) == {(1, 1): ([[3, 4]], [True], None)}
    assert reading.notices == ()
    assert reading.objects[1] == ObjectPrompts(8, (), 0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_frames_may_be_counted_by_any_axis(axis):
    place = [2, 3, 4]
    reading = read_rows(Stack((5, 12, 14), axis), points(place))
    frame = place.pop(axis)
    assert told(reading) == {(1, frame): ([place], [True], None)}


def test_rectangles_are_boxes():
    rows = [box(2, 3, 4, 8, 9), box(3, 1, 1, 5, 5, object_id=4, hypothesis=2)]
    reading = read_rows(MOVIE, (), rows)
    assert boxes(reading) == {(1, 2): (3, 4, 8, 9), (4, 3): (1, 1, 5, 5)}
    assert reading.prompts.at(4, 3).hypothesis == 2
    assert reading.objects == (ObjectPrompts(1, (2,), 1), ObjectPrompts(4, (3,), 1))
    assert reading.notices == ()


def test_a_box_and_points_of_a_frame_are_one_prompt():
    beside = points((2, 4, 5), is_positive=False)
    reading = read_rows(MOVIE, beside, [box(2, 3, 4, 8, 9)])
    (prompt,) = reading.prompts
    assert (prompt.points, prompt.box) == (((4, 5),), (3, 4, 8, 9))
    assert len(reading.negatives) == 0
    assert reading.objects == (ObjectPrompts(1, (2,), 2),)


def test_a_rectangle_that_is_turned_is_what_encloses_it():
    turned = ShapeRow("rectangle", ((1, 2, 5), (1, 5, 8), (1, 8, 5), (1, 5, 2)), 1)
    assert boxes(read_rows(MOVIE, (), [turned])) == {(1, 1): (2, 2, 8, 8)}


@pytest.mark.parametrize(
    ("row", "notice"),
    [
        (box(0, 1, 1, 5, 5, kind="star"), "1 shape of object 1 is of an unknown kind"),
        (box(0, 1, 1, 1, 5), "covers nothing of the picture and is not used"),
        (shape("polygon", 0, (1, 1), (3, 3)), "covers nothing of the picture"),
        (shape("polygon", 0, (1, 1), (3, 3), (9, 9)), "covers nothing of the picture"),
        (shape("polygon", 0, (1, 14), (3, 20), (9, 15)), "lies outside the picture"),
        (shape("path", 0, (-9, 1), (-9, 9)), "covers nothing of the picture"),
        (shape("path", 5, (1, 1), (1, 9)), "is on a frame outside the movie"),
        (box(0, 1, 1, 5, 5, is_positive=False), "is negative and is not used; a box"),
        (box(9, 1, 1, 5, 5), "is on a frame outside the movie"),
        (box(0, 12, 1, 20, 5), "1 shape of object 1 lies outside the picture"),
        (box(0, -9, 1, 0, 5), "1 shape of object 1 lies outside the picture"),
        (
            ShapeRow("rectangle", ((0, 1, 1), (0, 1, 5), (2, 5, 5), (2, 5, 1)), 1),
            "does not lie on one frame and is not used",
        ),
    ],
)
def test_shapes_that_are_no_boxes_of_the_movie(row, notice):
    reading = read_rows(MOVIE, (), [row, box(3, 1, 1, 5, 5)])
    assert boxes(reading) == {(1, 3): (1, 1, 5, 5)}
    (told_so,) = reading.notices
    assert notice in told_so


def test_of_two_boxes_on_a_frame_the_later_is_used():
    rows = [box(0, 1, 1, 5, 5), box(0, 2, 2, 6, 6), box(0, 1, 1, 5, 5, object_id=2)]
    reading = read_rows(MOVIE, (), rows)
    assert boxes(reading)[1, 0] == (2, 2, 6, 6)
    (notice,) = reading.notices
    assert notice == (
        "1 box of object 1 is not used, since a later one is on the same frame"
    )


def test_of_boxes_and_lassos_on_a_frame_the_latest_is_used():
    lasso = shape("polygon", 0, (1, 1), (1, 9), (9, 1))
    rows = [box(0, 1, 1, 5, 5), box(0, 2, 2, 6, 6), lasso]
    reading = read_rows(MOVIE, (), rows)
    (prompt,) = reading.prompts
    assert prompt == Prompt(1, 0, lasso=[(1, 1), (1, 9), (9, 1)])
    assert reading.notices == (
        "2 boxes of object 1 are not used, since later ones are on the same frames",
    )
    reading = read_rows(MOVIE, (), [lasso, box(0, 1, 1, 5, 5)])
    assert boxes(reading) == {(1, 0): (1, 1, 5, 5)}
    assert reading.notices[0].startswith("1 lasso of object 1 is not used")


def test_polygons_are_lassos():
    row = shape("polygon", 2, (1, 1), (1, 9), (9, 1), hypothesis=3)
    reading = read_rows(MOVIE, points((2, 3, 3)), [row])
    (prompt,) = reading.prompts
    outline = [(1, 1), (1, 9), (9, 1)]
    assert prompt == Prompt(1, 2, [(3, 3)], lasso=outline, hypothesis=3)
    assert reading.notices == ()
    assert reading.objects == (ObjectPrompts(1, (2,), 2),)


def test_an_ellipse_is_the_lasso_along_its_outline():
    corners = (2, 3), (2, 9), (10, 9), (10, 3)
    (prompt,) = read_rows(MOVIE, (), [shape("ellipse", 1, *corners)]).prompts
    rows, columns = np.array(prompt.lasso).T
    distances = ((rows - 6) / 4) ** 2 + ((columns - 6) / 3) ** 2
    np.testing.assert_allclose(distances, 1)
    assert (rows.min(), rows.max()) == pytest.approx((2, 10))
    assert (columns.min(), columns.max()) == pytest.approx((3, 9))


@pytest.mark.parametrize("kind", ["path", "line"])
def test_lines_are_scribbles_before_all_others(kind):
    line = shape(kind, 1, (2, 2), (2, 9))
    erased = scribble_row(1, 2, slice(5, 8), is_positive=False, after=1)
    reading = read_rows(MOVIE, points((1, 4, 4)), [line], [erased])
    (prompt,) = reading.prompts
    drawn, painted = prompt.scribbles
    assert drawn == Scribble.along([(2, 2), (2, 9)], MOVIE.frame_shape)
    assert painted == erased.scribble
    assert (prompt.points, painted.after) == (((4, 4),), 1)
    assert reading.objects == (ObjectPrompts(1, (1,), 3),)
    assert reading.notices == ()


def test_a_negative_line_is_a_negative_scribble():
    line = shape("path", 1, (2, 2), (2, 9), is_positive=False)
    reading = read_rows(MOVIE, (), [line])
    assert len(reading.prompts) == 0
    (prompt,) = reading.negatives
    assert not prompt.scribbles[0].is_positive
    (notice,) = unused_notices(reading.negatives)
    assert notice.startswith("object 1 has only negative scribbles on frame 1, which")


def test_a_scribble_alone_is_a_prompt():
    rows = [scribble_row(3, 2, 4), scribble_row(3, 5, 6, object_id=2)]
    reading = read_rows(MOVIE, (), (), rows)
    found = {one.object_id: one.scribbles for one in reading.prompts}
    assert found == {row.object_id: (row.scribble,) for row in rows}
    assert reading.objects == (ObjectPrompts(1, (3,), 1), ObjectPrompts(2, (3,), 1))


def test_scribbles_keep_their_order_among_the_points():
    rows = [scribble_row(3, 2, 4, after=1), scribble_row(3, 5, 6, after=2)]
    clicks = points((3, 4, 4), (3, 5, 5), (2, 6, 6))
    reading = read_rows(MOVIE, clicks, (), rows)
    assert [one.after for one in reading.prompts.at(1, 3).scribbles] == [1, 2]
    assert (reading.point_count(1, 3), reading.point_count(1, 0)) == (2, 0)


@pytest.mark.parametrize(
    ("row", "notice"),
    [
        (scribble_row(7, 2, 4), "1 scribble of object 1 is on a frame outside"),
        (scribble_row(1, 2, 4, cut=Stack((5, 12, 14), 1)), "along another axis"),
        (scribble_row(1, 2, 4, cut=Stack((5, 9, 9))), "another size than the picture"),
    ],
)
def test_scribbles_that_fit_no_frame_are_left_out(row, notice):
    reading = read_rows(MOVIE, (), (), [row, scribble_row(0, 1, 1)])
    assert [prompt.frame for prompt in reading.prompts] == [0]
    (told_so,) = reading.notices
    assert notice in told_so


def test_scribbles_on_other_planes_are_passed_over():
    cut, other = (Stack((5, 6, 12, 14), 0, ((1, plane),)) for plane in (2, 3))
    rows = [scribble_row(1, 2, 4, cut=cut), scribble_row(1, 3, 3, cut=other)]
    reading = read_rows(cut, (), (), rows)
    assert reading.prompts.at(1, 1).scribbles == (rows[0].scribble,)
    assert reading.notices == ()


def test_scribbles_on_a_picture():
    picture = Stack((12, 14), None)
    reading = read_rows(picture, (), (), [scribble_row(0, 2, 4, cut=picture)])
    assert [(one.object_id, one.frame) for one in reading.prompts] == [(1, 0)]


def test_all_rows_of_a_document_are_read():
    history = History()
    with history.step("Show", "prompts"):
        history.document.set_rows("points", tuple(points((1, 4, 4))))
        history.document.set_rows("shapes", (box(2, 3, 4, 8, 9),))
        history.document.set_rows("scribbles", (scribble_row(3, 2, 4),))
    reading = read_document(MOVIE, history.document)
    assert reading.objects == (ObjectPrompts(1, (1, 2, 3), 3),)
    history.undo()
    assert read_document(MOVIE, history.document).objects == ()


def test_a_pick_is_written_to_the_rows_of_its_place():
    rows = [
        *points((2, 1, 1), (2, 2, 2), (3, 2, 2)),
        *points((2, 1, 1), object_id=2),
    ]
    picked = pick_mask(MOVIE, rows, (1, 2), 3)
    assert [row.hypothesis for row in picked] == [3, 3, 0, 0]
    assert [row.hypothesis for row in pick_mask(MOVIE, picked, (1, 2), None)] == [0] * 4
    shapes = pick_mask(MOVIE, [box(2, 3, 4, 8, 9), box(1, 3, 4, 8, 9)], (1, 2), 1)
    assert [row.hypothesis for row in shapes] == [1, 0]


def test_a_pick_is_written_to_scribbles_as_well():
    rows = [scribble_row(2, 2, 4), scribble_row(3, 5, 6), scribble_row(2, 1, 1)]
    picked = pick_mask(MOVIE, rows, (1, 2), 3)
    assert [row.hypothesis for row in picked] == [3, 0, 3]
    reading = read_rows(MOVIE, (), (), picked)
    assert [one.hypothesis for one in reading.prompts] == [3, None]
    added = points((2, 1, 1), (3, 1, 1))
    reading = read_rows(MOVIE, added, (), picked)
    assert [one.hypothesis for one in reading.prompts] == [3, None]
    reading = read_rows(MOVIE, pick_mask(MOVIE, added, (1, 2), 1), (), picked)
    assert reading.prompts.at(1, 2).hypothesis == 1, "that of the point counts"


def test_points_on_other_planes_keep_their_pick():
    cut = Stack((5, 6, 12, 14), 0, ((1, 3),))
    picked = pick_mask(cut, points((2, 3, 1, 1), (2, 4, 1, 1)), (1, 2), 2)
    assert [row.hypothesis for row in picked] == [2, 0]


def test_many_points():
    grid = np.stack(np.meshgrid(range(5), range(12), range(14)), -1).reshape(-1, 3)
    reading = read_rows(MOVIE, points(*grid.tolist()))
    assert reading.objects == (ObjectPrompts(1, tuple(range(5)), len(grid)),)


def test_points_that_have_not_changed_are_not_checked_again():
    kept, new = points((0, 3, 3), (1, 4, 4)), points((2, 5, 5))
    before, after = read_rows(MOVIE, kept), read_rows(MOVIE, [*kept, *new])
    assert [one.frame for one in after.prompts] == [0, 1, 2]
    pairs = zip(before.prompts, after.prompts, strict=False)
    assert all(one is other for one, other in pairs)


@pytest.mark.parametrize("kind", ["polygon", "path"])
def test_shapes_that_have_not_changed_are_not_drawn_again(kind):
    kept, new = (shape(kind, one, (2, 2), (2, 9), (7, 5)) for one in (0, 2))
    before, after = read_rows(MOVIE, (), [kept]), read_rows(MOVIE, (), [kept, new])
    assert [one.frame for one in after.prompts] == [0, 2]
    assert after.prompts.at(1, 0) is before.prompts.at(1, 0)


SPOT = np.zeros(MOVIE.frame_shape, bool)
SPOT[3:6, 4:9] = True


def confirmed_row(frame, pixels=SPOT, object_id=1, cut=MOVIE):
    return ScribbleRow.confirming(cut, frame, PaintedMask.of(pixels), object_id)


def test_a_confirmed_mask_takes_the_place_of_all_that_was_shown():
    reading = read_rows(
        MOVIE,
        points((2, 5, 5), (3, 5, 5)),
        [box(2, 1, 1, 9, 9)],
        [scribble_row(2, 4, 4), confirmed_row(2)],
    )
    assert reading.prompts.at(1, 2) == Prompt(1, 2, mask=SPOT)
    assert reading.prompts.at(1, 3).points == ((5, 5),)
    assert reading.of_object(1).frames == (2, 3)
    assert reading.notices == ()


def test_an_object_can_be_confirmed_to_be_absent():
    reading = read_rows(MOVIE, (), (), [confirmed_row(1, np.zeros_like(SPOT))])
    (prompt,) = reading.negatives
    assert prompt.is_absence
    assert reading.prompts.object_ids == ()
    assert unused_notices(reading.negatives) == ()


def test_no_hypothesis_is_picked_for_a_confirmed_mask():
    rows = (confirmed_row(2), scribble_row(2, 4, 4))
    picked = pick_mask(MOVIE, rows, (1, 2), 3)
    assert picked[0] == rows[0]
    assert picked[1].hypothesis == 3


def rows_with(points=(), shapes=(), scribbles=()):
    return {"points": points, "shapes": shapes, "scribbles": scribbles}


@pytest.mark.parametrize(
    ("shown", "is_ended"),
    [
        (rows_with(points=points((2, 5, 5))), True),
        (rows_with(shapes=[box(2, 1, 1, 9, 9)]), True),
        (rows_with(scribbles=[scribble_row(2, 4, 4)]), True),
        (rows_with(points=points((3, 5, 5))), False),
        (rows_with(points=points((2, 5, 5), object_id=2)), False),
        (rows_with(), False),
    ],
)
def test_what_is_shown_later_ends_a_confirmation(shown, is_ended):
    row = confirmed_row(2)
    before = rows_with(scribbles=[row])
    now = {**shown, "scribbles": [row, *shown["scribbles"]]}
    found = {row: (1, 2)} if is_ended else {}
    assert ended_confirmations(MOVIE, before, now) == found
    if is_ended:
        assert ended_confirmations(MOVIE, now, before) == found, "so does what goes"


def test_what_comes_with_a_confirmation_does_not_end_it():
    before = rows_with(points=points((2, 5, 5)), scribbles=[confirmed_row(2)])
    now = rows_with(
        points=points((2, 5, 5), object_id=3),
        scribbles=[confirmed_row(2, object_id=3)],
    )
    assert ended_confirmations(MOVIE, before, now) == {}, "the object was split"
    assert ended_confirmations(MOVIE, rows_with(), before) == {}


def test_other_planes_have_confirmations_of_their_own():
    cut, other = (Stack((5, 2, 12, 14), 0, ((1, place),)) for place in (0, 1))
    row = confirmed_row(2, cut=other)
    before, now = rows_with(scribbles=[row]), rows_with(scribbles=[row])
    now["points"] = points((2, 0, 5, 5))
    assert ended_confirmations(cut, before, now) == {}
    assert ended_confirmations(other, before, now) == {}


def test_rows_are_split_at_a_frame():
    rows = points((0, 1, 1), (2, 1, 1), (3, 1, 1)) + points((3, 2, 2), object_id=4)
    split = split_rows(MOVIE, rows, (1, 9), 2)
    assert [row.object_id for row in split] == [1, 9, 9, 4]
    assert [row.position for row in split] == [row.position for row in rows]
    shapes = [box(1, 1, 1, 5, 5), box(3, 1, 1, 5, 5)]
    assert [row.object_id for row in split_rows(MOVIE, shapes, (1, 9), 3)] == [1, 9]
    scribbles = [scribble_row(frame, 3, 4) for frame in (1, 2)]
    assert [row.object_id for row in split_rows(MOVIE, scribbles, (1, 9), 2)] == [1, 9]
    assert split_rows(MOVIE, (), (1, 9), 2) == ()


def test_rows_on_other_planes_are_split_as_well():
    cut = Stack((5, 6, 12, 14), 0, ((1, 2),))
    rows = points((1, 2, 3, 4), (3, 5, 5, 6))
    assert [row.object_id for row in split_rows(cut, rows, (1, 9), 2)] == [1, 9]
