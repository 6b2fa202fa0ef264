from __future__ import annotations

import re

import numpy as np
import pytest
from napari.components import Dims, ViewerModel
from napari.layers import Image, Points
from placements import SHAPES, transform

from napari_sam_decoder.project import PointRow, ShapeRow, read_rows
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.layers import (
    MARKER_PIXELS,
    MovieView,
    fit_to_screen,
    new_boxes_layer,
    new_points_layer,
    next_sign,
    note_sides,
    rows_of,
    selected_objects,
    set_next,
    show_rows,
    tidy,
)
from napari_sam_decoder.widgets.layers.coordinates import WorldMap

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")

MAKERS = (new_points_layer, new_boxes_layer)


@pytest.fixture
def view():
    return MovieView.of(Image(np.zeros((5, 120, 400), np.uint8)))


@pytest.fixture
def layer(view):
    layer = new_points_layer(view)
    set_next(layer, 5, is_positive=True)
    return layer


@pytest.fixture
def shapes(view):
    shapes = new_boxes_layer(view)
    set_next(shapes, 5, is_positive=True)
    return shapes


def rectangle(frame=0, top=2, left=3, bottom=6, right=8):
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    return np.array([(frame, *corner) for corner in corners], dtype=float)


def box(*place, object_id=5, **values):
    vertices = tuple(map(tuple, rectangle(*place).tolist()))
    return ShapeRow("rectangle", vertices, object_id, **values)


def clicks(*positions, **features):
    return Points(np.array(positions, dtype=float), name="mine", features=features)


def colours(*object_ids):
    return [object_colour(one) for one in object_ids]


RED = (0.85, 0, 0, 1)


def symbols(layer):
    return [str(one) for one in layer.symbol]


# New layers


@pytest.mark.parametrize("make", MAKERS)
def test_a_new_layer_lies_on_the_image(image, case, make):
    layer = make(MovieView.of(image, case[1]))
    assert WorldMap.of(layer).is_close(WorldMap.of(image))
    assert (layer.ndim, len(layer.data)) == (image.ndim, 0)


def test_what_is_clicked_is_read_back(image, case):
    view = MovieView.of(image, case[1])
    layer = new_points_layer(view)
    set_next(layer, 5, is_positive=True)
    layer.add(layer.world_to_data(image.data_to_world(view.origin(len(view) - 1))))
    reading = read_rows(view, rows_of(layer, image).rows)
    assert [(p.object_id, p.frame) for p in reading.prompts] == [(5, len(view) - 1)]
    assert reading.notices == ()


def test_what_is_drawn_is_read_back(image, case):
    view = MovieView.of(image, case[1])
    layer = new_boxes_layer(view)
    set_next(layer, 5, is_positive=True)
    frame = len(view) - 1
    place = np.repeat([view.origin(frame)], 4, axis=0).astype(float)
    height, width = view.frame_shape
    flat = [(1, 2), (1, width - 1), (height - 1, width - 1), (height - 1, 2)]
    place[:, list(view.frame_axes)] = flat
    layer.add(place, shape_type="rectangle")
    (prompt,) = read_rows(view, (), rows_of(layer, image).rows).prompts
    assert (prompt.object_id, prompt.frame) == (5, frame)
    assert prompt.box == (1, 2, height - 1, width - 1)


@pytest.mark.parametrize("make", MAKERS)
def test_colours_are_no_axis_of_prompts(make):
    image = Image(np.zeros((5, 9, 9, 3), np.uint8), rgb=True)
    assert make(MovieView.of(image)).ndim == 3


@pytest.mark.parametrize("make", MAKERS)
def test_labels_and_units_are_the_image_s(make):
    image = Image(
        np.zeros((5, 9, 9)), units=("s", "um", "um"), axis_labels=("t", "y", "x")
    )
    layer = make(MovieView.of(image))
    assert layer.units == image.units
    assert layer.axis_labels == ("t", "y", "x")


def test_points_have_one_size_on_the_screen(layer):
    """They are drawn at the upper limit, and hardly larger for the mouse."""
    assert layer.canvas_size_limits[1] == MARKER_PIXELS
    layer.add([0, 1, 1])
    for pixel in (0.5, 0.52, 8, 7.5):
        fit_to_screen(layer, pixel)
        layer.add([0, 1, 2])
        on_screen = layer.size / pixel
        assert (on_screen > MARKER_PIXELS).all()
        assert (on_screen < 1.4 * MARKER_PIXELS).all()
    assert layer.border_width.max() < 0.5


@pytest.mark.parametrize(
    ("side", "pixel", "expected"), [(90, 1, 9.6), (18, 1, 6), (3, 1, 4), (3, 0.1, 0.96)]
)
def test_points_hide_no_small_object(layer, side, pixel, expected):
    """A third of it at most, unless they could not be seen any more."""
    layer.add([0, 1, 1])
    fit_to_screen(layer, pixel)
    note_sides(layer, {5: side, 2: 30})
    assert layer.size == pytest.approx(expected)
    set_next(layer, 2, is_positive=True)
    layer.add([0, 1, 2])
    assert layer.size[1] == pytest.approx(9.6 * pixel)
    note_sides(layer, {2: 30})
    tidy(layer)
    assert layer.size == pytest.approx([expected, 9.6 * pixel])


def test_edges_of_boxes_have_one_width_on_the_screen(shapes):
    shapes.add(rectangle(), shape_type="rectangle")
    fit_to_screen(shapes, 4)
    shapes.add(rectangle(), shape_type="rectangle")
    assert shapes.edge_width == [8, 8]


# What is added next


def test_signs_and_colours_of_what_is_added(view, layer):
    signs = [False, True, True, False, True]
    for place, sign in enumerate(signs):
        set_next(layer, place % 2 + 1, is_positive=sign)
        assert next_sign(layer) is sign
        layer.add([0, place, place])
        tidy(layer)
    assert [row.is_positive for row in rows_of(layer, view.layer).rows] == signs
    are_red = np.logical_not(signs)[:, np.newaxis]
    faces = np.where(are_red, RED, colours(1, 2, 1, 2, 1))
    np.testing.assert_allclose(layer.face_color, faces)
    assert symbols(layer) == ["disc" if sign else "x" for sign in signs]
    assert layer.features["object_id"].tolist() == [1, 2, 1, 2, 1]
    assert layer.features["hypothesis"].tolist() == [0] * 5


def test_a_point_looks_right_from_the_beginning(layer):
    """Nobody has tidied up yet when the window is painted."""
    set_next(layer, 2, is_positive=False)
    layer.add([0, 1, 1])
    np.testing.assert_allclose(layer.face_color, [RED])
    assert symbols(layer) == ["x"]


def test_what_comes_next_changes_nothing_that_is_there(layer, shapes):
    layer.add([[0, 1, 1], [0, 2, 2]])
    layer.selected_data = {0, 1}
    shapes.add(rectangle(), shape_type="rectangle")
    shapes.selected_data = {0}
    for one in (layer, shapes):
        set_next(one, 7, is_positive=False)
        assert set(one.features["label"]) == {"positive"}
        assert set(one.features["object_id"]) == {5}
    assert set(layer.selected_data) == {0, 1}
    np.testing.assert_allclose(layer.face_color, colours(5, 5))
    np.testing.assert_allclose(shapes.edge_color, colours(5))
    assert symbols(layer) == ["disc", "disc"]


def test_a_selected_point_sets_the_sign(layer):
    layer.add([0, 1, 1])
    set_next(layer, 5, is_positive=False)
    layer.add([0, 2, 2])
    layer.selected_data = {0}
    assert next_sign(layer)
    layer.selected_data = {1}
    assert not next_sign(layer)


def test_it_works_in_a_viewer(view, layer):
    viewer = ViewerModel()
    viewer.add_layer(view.layer)
    viewer.add_layer(layer)
    layer.mode = "add"
    for sign in (False, True):
        set_next(layer, 5, is_positive=sign)
        layer.add([0, 3, 3])
    layer.remove_selected()
    set_next(layer, 5, is_positive=True)
    layer.add([0, 4, 4])
    assert layer.features["label"].tolist() == ["negative", "positive"]


@pytest.mark.parametrize(
    "values", [[True, False], [1, 0], [1.0, np.nan], ["a", "b"], [None, "positive"]]
)
def test_the_next_sign_is_kept_whatever_the_column_was(view, layer, values):
    layer.add([[0, 1, 1], [0, 2, 2]])
    layer.features = {"label": values, "object_id": [5, 5]}
    for sign in (False, True):
        tidy(layer)
        set_next(layer, 5, is_positive=sign)
        layer.add([1, 1, 1])
        assert rows_of(layer, view.layer).rows[-1] == PointRow((1, 1, 1), 5, sign)


def test_categories_are_spelled_out(view, layer):
    layer.add([[0, 1, 1], [0, 2, 2]])
    layer.features = layer.features.astype({"label": "category"})
    tidy(layer)
    set_next(layer, 5, is_positive=False)
    layer.add([1, 1, 1])
    assert layer.features["label"].tolist() == ["positive", "positive", "negative"]


def test_a_label_that_is_not_understood_is_not_positive():
    defaults = {"label": "maybe"}
    layer = Points(np.zeros((1, 2)), features={"label": ["maybe"]})
    layer.feature_defaults = defaults
    assert not next_sign(layer)


# Reading


@pytest.mark.parametrize(
    ("feature", "values", "notice"),
    [
        ("label", ["maybe", "1"], "1 point .*has a label .*use positive or negative"),
        ("label", [2, -1], "2 points .*have labels .*not used; use positive"),
        ("object_id", [1, 2**32], "1 point .*no whole number from 1 to 4294967295"),
        ("object_id", [0, -2], "2 points .*have object_ids .*whole numbers from 1"),
        (
            "object_id",
            ["cell", "1"],
            "1 point .*has an object_id .*not used; correct it",
        ),
        ("object_id", [1.5, 1], "1 point .*has an object_id that is no whole num"),
        ("object_id", [np.inf, 1], "1 point .*has an object_id that is no whole"),
    ],
)
def test_features_that_are_not_understood(view, feature, values, notice):
    layer = clicks((0, 1, 2), (1, 3, 4), **{feature: values})
    found = rows_of(layer, view.layer, own_id=1)
    assert len(found.notices) == 1
    assert re.search(notice, found.notices[0])
    assert len(found.rows) == 2 - int(notice[0]) == found.is_understood.sum()


@pytest.mark.parametrize(
    ("picks", "notice"),
    [
        ([7, 2], "1 point .*has a hypothesis .*chosen automatically; use 1, 2, 3"),
        (["x", "1.5"], "2 points .*have hypotheses .*chosen automatically"),
    ],
)
def test_picks_that_are_not_understood(view, picks, notice):
    layer = clicks((0, 1, 2), (1, 3, 4), hypothesis=picks)
    found = rows_of(layer, view.layer, 1)
    assert re.search(notice, found.notices[0])
    assert [row.hypothesis for row in found.rows] == [0, 2 * (picks[1] == 2)]


@pytest.mark.parametrize(
    "bad", [[(0, np.nan, 3), (np.inf, 3, 3)], [(0, 3, -np.inf), (np.nan, 0, 0)]]
)
def test_points_without_a_place_are_not_used(view, bad):
    found = rows_of(clicks((2, 3, 4), *bad), view.layer, 1)
    assert found.rows == (PointRow((2, 3, 4), 1),)
    assert found.notices == (
        "2 points of 'mine' have no finite positions and are not used",
    )


def test_a_layer_without_features_is_positive_and_its_own(view):
    found = rows_of(clicks((0, 1, 2), (0, 3, 4)), view.layer, 6)
    assert found.rows == (PointRow((0, 1, 2), 6), PointRow((0, 3, 4), 6))


def test_blank_features_are_like_none(view):
    blank = np.array([None, np.nan, "", "nan"], dtype=object)
    places = [(0, row, row) for row in range(4)]
    layer = clicks(*places, label=blank, object_id=blank, hypothesis=blank)
    found = rows_of(layer, view.layer, 6)
    assert found.rows == tuple(PointRow(place, 6) for place in places)
    assert found.notices == ()
    (notice,) = rows_of(layer, view.layer).notices
    assert "no whole numbers" in notice, "nobody says whose they are"


@pytest.mark.parametrize(
    "values",
    [[True, False], [1, 0], [1.0, 0.0], ["1", "0"], ["POSITIVE", "Background"]],
)
def test_spellings_of_signs(view, values):
    found = rows_of(clicks((0, 1, 2), (0, 3, 4), label=values), view.layer, 1)
    assert [row.is_positive for row in found.rows] == [True, False]


def test_points_with_too_few_axes(view):
    found = rows_of(clicks((3, 4)), view.layer, 2)
    assert found.rows == ()
    (notice,) = found.notices
    assert re.search("'mine' have 2 dim.*picture of 3; press New object, or", notice)


def test_of_more_axes_the_last_count(view):
    found = rows_of(clicks((99, 2, 3, 4)), view.layer, 1)
    assert found.rows == (PointRow((2, 3, 4), 1),)


@pytest.mark.parametrize("make", MAKERS)
def test_prompts_under_another_transform(image, case, make):
    """They are found by where they lie, not by their numbers."""
    view = MovieView.of(image, case[1])
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, SHAPES[image.ndim], (4, image.ndim)).astype(float)
    if make is new_boxes_layer:
        pixels[1:] = pixels[0]
        pixels[:, list(view.frame_axes)] += [(0, 0), (0, 1), (1, 1), (1, 0)]
    layer = make(view)
    for name, value in transform("all", image.ndim).items():
        setattr(layer, name, value)
    layer.translate = np.ones(image.ndim)
    if make is new_points_layer:
        rows = tuple(PointRow(tuple(pixel), 1) for pixel in pixels.tolist())
    else:
        rows = (ShapeRow("rectangle", tuple(map(tuple, pixels.tolist())), 1),)
    show_rows(layer, image, rows)
    found = rows_of(layer, image).rows
    for row, other in zip(rows, found, strict=True):
        name = "position" if make is new_points_layer else "vertices"
        np.testing.assert_allclose(getattr(row, name), getattr(other, name), atol=1e-6)
    expected = layer.world_to_data(image.data_to_world(pixels[0]))
    np.testing.assert_allclose(
        np.asarray(layer.data[0]).reshape(-1, image.ndim)[0], expected
    )


def test_points_in_other_units_lie_where_napari_shows_them():
    image = Image(np.zeros((12, 14)), scale=(0.5, 0.5), units=("um", "um"))
    in_nm = Points([(2000.0, 3000.0)], units=("nm", "nm"))
    in_um = Points([(2.0, 3.0)], units=("um", "um"))
    layer = in_nm if hasattr(Dims(), "units") else in_um
    (row,) = rows_of(layer, image, 1).rows
    np.testing.assert_allclose(row.position, (4, 6))


def test_shapes_are_read_with_their_kind(view, shapes):
    shapes.add([rectangle(1)], shape_type="rectangle")
    shapes.add([rectangle(2)], shape_type="polygon")
    rows = rows_of(shapes, view.layer).rows
    assert [row.kind for row in rows] == ["rectangle", "polygon"]
    assert rows[0] == box(1)


# Showing


ROWS = (
    PointRow((1, 2.25, 3), 4),
    PointRow((2, 3, 4), 5, is_positive=False, hypothesis=2),
    PointRow((2, 3, 5), 4),
)
BOXES = (box(1), box(2, object_id=2), box(2, 1, 1, 5, 5, object_id=9))


@pytest.mark.parametrize(("make", "rows"), [*zip(MAKERS, (ROWS, BOXES), strict=True)])
def test_rows_that_are_shown_are_read_back(view, make, rows):
    layer = make(view)
    for shown in (rows, rows[:1], rows[1:], (), rows, rows[::-1]):
        show_rows(layer, view.layer, shown)
        found = rows_of(layer, view.layer)
        assert found.rows == shown
        assert found.notices == ()
        assert len(layer.features) == len(shown)


def test_points_are_drawn_as_what_they_are(view, layer):
    show_rows(layer, view.layer, ROWS)
    known = colours(4, 5, 4)
    np.testing.assert_allclose(layer.face_color, [known[0], RED, known[2]])
    assert symbols(layer) == ["disc", "x", "disc"]


def test_every_point_has_something_dark_and_something_light(view, layer):
    """So it is seen on every picture, whatever the colour of its object."""
    rows = [PointRow((0, 1, 1), one, is_positive=one % 2 == 0) for one in range(1, 99)]
    for row in rows:
        set_next(layer, row.object_id, is_positive=row.is_positive)
        layer.add(row.position)
    as_clicked = layer.border_color.copy()
    tidy(layer)
    np.testing.assert_array_equal(layer.border_color, as_clicked)
    grey = [one[:, :3].mean(axis=1) for one in (layer.face_color, layer.border_color)]
    assert (np.abs(grey[0] - grey[1]) > 0.3).all()


def test_boxes_are_outlines_in_the_colours_of_their_objects(view, shapes):
    fit_to_screen(shapes, 3)
    show_rows(shapes, view.layer, BOXES)
    np.testing.assert_allclose(shapes.edge_color, colours(5, 2, 9))
    assert not shapes.face_color[:, 3].any()
    assert shapes.edge_width == [6] * 3


def test_showing_keeps_the_mode_and_what_comes_next(view, layer, shapes):
    for one, mode, rows in ((layer, "add", ROWS), (shapes, "add_rectangle", BOXES)):
        one.mode = mode
        set_next(one, 7, is_positive=False)
        show_rows(one, view.layer, rows)
        assert one.mode == mode
        assert one.feature_defaults["object_id"].iloc[0] == 7
        assert not next_sign(one)


def test_showing_keeps_what_is_left_of_the_selection(view, layer):
    show_rows(layer, view.layer, ROWS)
    layer.selected_data = {0, 2}
    show_rows(layer, view.layer, ROWS[1:])
    assert set(layer.selected_data) == {1}
    assert selected_objects(layer) == {4}
    show_rows(layer, view.layer, ())
    assert selected_objects(layer) == frozenset()


def test_what_is_not_understood_stays_in_the_layer(view, layer):
    layer.add([[0, 1, 1], [0, 2, 2], [0, np.nan, 1]])
    layer.features = {
        "label": ["positive", "maybe", "negative"],
        "object_id": [1, 2, 3],
        "hypothesis": [0, 1, 0],
    }
    show_rows(layer, view.layer, ROWS)
    found = rows_of(layer, view.layer)
    assert found.rows == ROWS
    assert len(found.notices) == 2
    assert layer.features["label"].tolist()[3:] == ["maybe", "negative"]
    np.testing.assert_array_equal(layer.data[3:], [[0, 2, 2], [0, np.nan, 1]])


def test_showing_what_is_shown_draws_nothing(view, layer):
    show_rows(layer, view.layer, ROWS)
    told = []
    layer.events.connect(lambda event: told.append(event.type))
    show_rows(layer, view.layer, ROWS)
    tidy(layer)
    assert told == []


def test_features_that_a_script_has_dropped_are_put_back(view, layer):
    layer.add([[0, 1, 1], [0, 2, 2]])
    layer.features = {"label": ["negative", "positive"]}
    tidy(layer)
    assert "object_id" in layer.features
    assert len(rows_of(layer, view.layer).notices) == 1
    assert symbols(layer) == ["x", "disc"]
