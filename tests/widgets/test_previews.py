from __future__ import annotations

import pytest

pytest.importorskip("napari.components")

pytest.importorskip("napari.layers")

from dataclasses import replace

import numpy as np
from made_up import SHAPE, preview_of, view_of
from napari.layers import Image
from placements import shown_value, viewer_of

from napari_sam_decoder.frames import PlacedMask, Window
from napari_sam_decoder.prompts import Prompt, Scribble
from napari_sam_decoder.widgets.colours import BACKGROUND_GREY, object_colour
from napari_sam_decoder.widgets.layers import (
    NEGATIVE_VALUE,
    OUTLINE_NAME,
    POSITIVE_VALUE,
    MovieView,
    camera_of,
    go_to_frame,
    preview_layer,
    show_preview,
)
from napari_sam_decoder.widgets.previews import (
    KEPT_PREVIEWS,
    PREVIEW_NAME,
    Painter,
    PreviewOverlay,
    PreviewStore,
    Scribbled,
    add_quietly,
)
from napari_sam_decoder.widgets.target_layer import UndoKeys

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


def spotted(view):
    """Labels with one pixel of 7 in the middle, and where it is."""
    spot = tuple(length // 2 for length in view.frame_shape)
    labels = np.ones(view.frame_shape, np.uint32)
    labels[spot] = 7
    return labels, spot


def pixel_of(view, frame, spot):
    position = np.array(view.origin(frame))
    position[list(view.frame_axes)] = spot
    return view.layer.data_to_world(position)


def test_a_preview_is_one_frame(image, case):
    view = MovieView.of(image, case[1])
    layer = preview_layer(view, "preview")
    thick = [axis for axis, length in enumerate(layer.data.shape) if length > 1]
    assert layer.ndim == image.ndim
    assert tuple(thick) == view.frame_axes
    assert not layer.data.any()
    assert not layer.editable
    assert layer.units == image.units
    assert layer.axis_labels == image.axis_labels


def test_it_lies_on_its_frame(image, case):
    view = MovieView.of(image, case[1])
    layer = preview_layer(view, "preview")
    labels, spot = spotted(view)
    for frame in (0, len(view) - 1):
        show_preview(view, layer, frame, labels)
        found = layer.world_to_data(pixel_of(view, frame, spot))
        expected = np.zeros(image.ndim)
        expected[list(view.frame_axes)] = spot
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_it_shows_on_its_frame_and_no_other(image, case):
    view = MovieView.of(image, case[1])
    layer = preview_layer(view, "preview")
    viewer = viewer_of(view, layer)
    labels, spot = spotted(view)
    compared = 0
    for frame in {len(view) // 3, len(view) // 2}:
        world = pixel_of(view, frame, spot)
        go_to_frame(view, viewer.dims, frame)
        shown = view.frame_at(viewer.dims.point)
        if shown_value(viewer, image, world) is None or not is_cut(view, viewer):
            continue
        for other in {shown, max(shown - 1, 0)}:
            show_preview(view, layer, other, labels)
            value = shown_value(viewer, layer, world)
            assert value == (7 if other == shown else None)
            compared += 1
    assert compared >= min(len(view), 2)


def is_cut(view, viewer):
    """Whether the viewer shows the cut of the movie; rounded sliders may miss it."""
    return view.is_same_as(MovieView.of(view.layer, view.axis, viewer.dims.point))


def test_it_moves_with_the_image():
    view = MovieView.of(Image(np.zeros((5, 8, 9))))
    layer = preview_layer(view, "preview")
    view.layer.scale = (3, 2, 1)
    show_preview(view, layer, 4, np.ones((8, 9), int))
    assert tuple(layer.data_to_world((0, 1, 1))) == (12, 2, 1)


def test_a_cut_stays_at_its_place():
    view = MovieView.of(Image(np.zeros((5, 6, 8, 9))), 0, (0, 4, 0, 0))
    layer = preview_layer(view, "preview")
    show_preview(view, layer, 3, np.ones((8, 9), int))
    assert tuple(layer.data_to_world((0, 0, 0, 0))) == (3, 4, 0, 0)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_labels_are_copied(dtype):
    view = MovieView.of(Image(np.zeros((5, 8, 9))))
    layer = preview_layer(view, "preview")
    labels = np.ones((8, 9), dtype)
    show_preview(view, layer, 0, labels)
    labels[:] = 2
    assert layer.data.dtype == dtype
    np.testing.assert_array_equal(layer.data, np.ones((1, 8, 9)))


def test_a_frame_is_drawn_without_laying_out_the_viewer():
    view = MovieView.of(Image(np.zeros((5, 8, 9))))
    layer = preview_layer(view, "preview")
    show_preview(view, layer, 2, np.ones((8, 9), np.uint16))
    events = []
    for event in (layer.events.data, layer.events.affine):
        event.connect(lambda event: events.append(event.type))
    show_preview(view, layer, 2, np.full((8, 9), 3, np.uint16))
    assert (layer.data == 3).all()
    assert events == []


OWN = [PREVIEW_NAME, OUTLINE_NAME]
TOP = np.broadcast_to(np.arange(12)[:, None] < 6, SHAPE[1:])
LEFT = np.broadcast_to(np.arange(14) < 7, SHAPE[1:])


class Overlay(PreviewOverlay):
    """Takes masks of whole frames."""

    def show(self, view, frame, masks, *args, **options):
        placed = {key: PlacedMask.of(mask) for key, mask in masks.items()}
        super().show(view, frame, placed, *args, **options)


@pytest.fixture
def overlay(viewer):
    return Overlay(viewer)


def names(viewer):
    return [layer.name for layer in viewer.layers]


def preview(viewer):
    return viewer.layers[PREVIEW_NAME]


def shown_labels(viewer):
    return np.squeeze(preview(viewer).data)


def seen(viewer, frame):
    """The label that a person sees near the corner of a frame."""
    viewer.dims.set_point(0, frame)
    found = (
        layer.get_value((frame, 2, 2), world=True)
        for layer in viewer.layers
        if layer.name == PREVIEW_NAME
    )
    return max((value or 0 for value in found), default=0)


def test_masks_are_shown_on_their_frame_only(viewer, view, overlay):
    overlay.show(view, 2, {1: TOP})
    assert [seen(viewer, frame) for frame in range(4)] == [0, 0, 1, 0]


def test_the_last_of_two_masks_lies_on_top(viewer, view, overlay):
    overlay.show(view, 0, {7: TOP, 2: LEFT})
    labels = shown_labels(viewer)
    assert (labels[LEFT] == 2).all()
    assert (labels[TOP & ~LEFT] == 7).all()
    assert (labels[~TOP & ~LEFT] == 0).all()


def test_objects_have_their_colours(viewer, view, overlay):
    overlay.show(view, 0, {70_000: TOP})
    _, value = np.unique(shown_labels(viewer))
    *colour, alpha = preview(viewer).get_color(value)
    np.testing.assert_allclose(colour, object_colour(70_000)[:3], atol=1e-6)
    assert 0 < alpha * preview(viewer).opacity <= 0.25
    lines = viewer.layers[OUTLINE_NAME]
    np.testing.assert_allclose(lines.edge_color[-1], object_colour(70_000))


def test_large_ids_are_told_apart(viewer, view, overlay):
    """Also where no id is left for them that napari can draw."""
    overlay.show(view, 0, {70_000: TOP, 65_533: LEFT, 80_000: ~TOP & ~LEFT})
    labels = shown_labels(viewer)
    values = [labels[0, -1], labels[0, 0], labels[-1, -1]]
    assert len(set(values)) == 3
    for value, object_id in zip(values, (70_000, 65_533, 80_000), strict=True):
        colour = preview(viewer).get_color(value)
        np.testing.assert_allclose(colour[:3], object_colour(object_id)[:3], atol=1e-6)


@pytest.mark.parametrize("count", [1, 253, 254, 300])
def test_new_colours_are_cheap_and_any_number_of_objects_is_told_apart(count):
    view = view_of((2, 20, 20))
    viewer = viewer_of(view)
    overlay = Overlay(viewer)
    rows, columns = view.frame_shape
    first, places = 250, np.arange(rows * columns).reshape(rows, columns)
    masks = {first + number: places == number for number in range(count)}
    overlay.show(view, 0, masks)
    labels = shown_labels(viewer)
    values = labels.ravel()[:count]
    assert len(set(values.tolist()) - {0, POSITIVE_VALUE, NEGATIVE_VALUE}) == count
    # napari computes a colour for each possible value whenever one changes.
    assert (preview(viewer).data.dtype == np.uint8) == (count <= 253)
    for number in (0, count - 1):
        colour = preview(viewer).get_color(values[number])
        expected = object_colour(first + number)
        np.testing.assert_allclose(colour[:3], expected[:3], atol=1e-6)


def test_other_objects_on_other_frames_have_theirs(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    overlay.show(view, 1, {2: LEFT, 1: TOP})
    for object_id in (1, 2):
        colour = preview(viewer).get_color(object_id)
        np.testing.assert_allclose(colour[:3], object_colour(object_id)[:3], atol=1e-6)


def test_another_object_brings_neither_new_colours_nor_a_new_layout(
    viewer, view, overlay
):
    overlay.show(view, 0, {1: TOP})
    colours, lines = preview(viewer).events.colormap, viewer.layers[OUTLINE_NAME]
    events = []
    for event in (colours, lines.events.data):
        event.connect(lambda event: events.append(event.type))
    overlay.show(view, 0, {1: TOP, 2: LEFT})
    assert events == []
    assert len(np.unique(lines.edge_color, axis=0)) > 2
    overlay.show(view, 0, {1: TOP, 2: LEFT}, background=frozenset([2]))
    assert events == ["colormap"]
    # What is not part of the result is outlined in grey, and not filled.
    assert preview(viewer).get_color(2)[3] == 0
    assert (lines.edge_color == np.array(BACKGROUND_GREY, np.float32)).all(1).any()


def test_lines_go_with_what_they_surround(viewer, view, overlay):
    overlay.show(view, 1, {1: TOP})
    lines = viewer.layers[OUTLINE_NAME]
    assert set(lines.data[:, 0, 0].tolist()) == {1}
    overlay.show(view, 2, {1: LEFT})
    assert set(lines.data[:, 0, 0].tolist()) == {2}
    overlay.show(view, 2, {})
    assert len(lines.data) == 0


def test_lines_keep_their_width_on_the_screen(viewer, view, overlay):
    overlay.show(view, 1, {1: TOP})
    lines = viewer.layers[OUTLINE_NAME]
    before = lines.edge_width
    camera = camera_of(viewer)
    camera.zoom *= 1.05
    overlay.fit_to_screen()
    assert lines.edge_width == before
    camera.zoom *= 4
    overlay.fit_to_screen()
    assert lines.edge_width == pytest.approx(before / 4.2)


def test_it_lies_right_above_the_movie(viewer, view, overlay):
    viewer.add_points(np.empty((0, 3)), name="points")
    overlay.show(view, 0, {1: TOP})
    assert names(viewer) == [view.layer.name, *OWN, "points"]


def test_labels_do_not_hide_it(viewer, view, overlay):
    viewer.add_labels(np.zeros(SHAPE, int), name="labels")
    viewer.add_labels(np.zeros((5, 5), int), name="others")
    overlay.show(view, 0, {1: TOP})
    assert names(viewer) == [view.layer.name, "labels", *OWN, "others"]


def test_a_scribble_is_drawn_over_masks(viewer, view, overlay):
    stroke = Scribble(LEFT)
    overlay.show(view, 0, {1: TOP}, Scribbled(1, (stroke,)))
    assert (shown_labels(viewer)[LEFT] == POSITIVE_VALUE).all()
    lines = len(viewer.layers[OUTLINE_NAME].data)
    overlay.show(view, 0, {1: TOP}, Scribbled(1, (stroke, Scribble(TOP, False))))
    assert (shown_labels(viewer)[TOP] == NEGATIVE_VALUE).all()
    assert len(viewer.layers[OUTLINE_NAME].data) == lines, "outlines are of masks"
    overlay.show(view, 1, {}, Scribbled(1, ()))
    assert not shown_labels(viewer).any()
    overlay.show(view, 0, {1: TOP})
    assert set(np.unique(shown_labels(viewer))) == {0, 1}


@pytest.mark.parametrize("object_id", [3, 70_000])
def test_a_scribble_has_the_colour_of_its_object(viewer, view, overlay, object_id):
    overlay.show(view, 0, {1: TOP}, Scribbled(object_id, (Scribble(LEFT),)))
    *colour, alpha = preview(viewer).get_color(POSITIVE_VALUE)
    np.testing.assert_allclose(colour, object_colour(object_id)[:3], atol=1e-6)
    assert alpha > 0.3


def test_nobody_can_paint_without_a_painter(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    assert not preview(viewer).editable


def test_there_is_no_layer_before_there_is_something_to_show(viewer, view, overlay):
    overlay.show(view, 0, {})
    assert names(viewer) == [view.layer.name]


def test_one_layer_serves_all_frames(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    first = preview(viewer)
    for masks in ({}, {1: LEFT}):
        overlay.show(view, 1, masks)
    assert preview(viewer) is first
    assert len(viewer.layers) == 3


def test_a_frame_without_prompts_shows_nothing(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    overlay.show(view, 1, {})
    assert seen(viewer, 1) == 0
    overlay.show(view, 0, {1: TOP})
    assert seen(viewer, 0) == 1
    overlay.show(view, 0, {})
    assert seen(viewer, 0) == 0


def test_another_mask_of_the_same_object_is_shown(viewer, view, overlay):
    overlay.show(view, 0, {1: ~TOP})
    assert seen(viewer, 0) == 0
    overlay.show(view, 0, {1: TOP})
    assert seen(viewer, 0) == 1
    overlay.show(view, 0, {4: TOP})
    assert seen(viewer, 0) == 4


def test_what_another_axis_gave_is_seen_no_more(viewer, view, overlay):
    """The sliders stay where they are when another axis is followed."""
    overlay.show(view, 0, {1: TOP})
    overlay.show(MovieView.of(view.layer, 1), 3, {})
    assert seen(viewer, 0) == 0


def test_what_another_movie_gave_is_seen_no_more(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    other = view_of()
    viewer.add_layer(other.layer)
    overlay.show(other, 0, {})
    assert seen(viewer, 0) == 0


@pytest.mark.parametrize(
    ("shape", "is_rgb"), [((6, 20, 20), False), ((6, 9, 8, 3), True)]
)
@pytest.mark.parametrize("masks", [{1: True}, {}])
def test_the_layer_stays_when_another_movie_is_chosen(
    viewer, view, overlay, shape, is_rgb, masks
):
    """napari 0.9 may crash when a Labels layer is removed next to an RGB movie."""
    overlay.show(view, 0, {1: TOP})
    first = preview(viewer)
    other = MovieView.of(Image(np.zeros(shape, np.uint8), rgb=is_rgb, scale=[2, 2]))
    viewer.add_layer(other.layer)
    last = len(other) - 1
    filled = {key: np.ones(other.frame_shape, bool) for key in masks}
    overlay.show(other, last, filled)
    assert preview(viewer) is first
    assert names(viewer) == [view.layer.name, other.layer.name, *OWN]
    assert shown_labels(viewer).shape == other.frame_shape
    assert bool(shown_labels(viewer).any()) is bool(masks)
    assert seen(viewer, last) == len(masks)
    overlay.show(view, 3, {1: TOP})
    assert [seen(viewer, frame) for frame in range(4)] == [0, 0, 0, 1]


def test_a_movie_with_fewer_axes_gets_another_layer(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    first = preview(viewer)
    other = MovieView.of(Image(np.zeros((20, 20), np.uint8)))
    viewer.add_layer(other.layer)
    overlay.show(other, 0, {1: np.ones((20, 20), bool)})
    assert first not in viewer.layers
    assert names(viewer) == [view.layer.name, other.layer.name, *OWN]
    assert shown_labels(viewer).all()


def test_the_layer_stays_when_no_movie_is_chosen(viewer, view, overlay):
    overlay.show(view, 2, {1: TOP})
    first = preview(viewer)
    overlay.clear()
    assert seen(viewer, 2) == 0
    overlay.show(view, 2, {1: TOP})
    assert preview(viewer) is first
    assert seen(viewer, 2) == 1


def test_it_goes_with_the_last_image(viewer, view, overlay):
    overlay.show(view, 2, {1: TOP})
    viewer.layers.remove(view.layer)
    overlay.clear()
    assert names(viewer) == []


def test_another_axis_of_the_same_image_fits(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    sideways = MovieView.of(view.layer, 1)
    overlay.show(sideways, 3, {1: np.ones(sideways.frame_shape, bool)})
    assert preview(viewer).data.shape == (4, 1, 14)
    assert names(viewer) == [view.layer.name, *OWN]


def test_pixels_of_another_size_fit(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    view.layer.data = np.zeros((4, 30, 20), np.uint8)
    overlay.show(MovieView.of(view.layer), 1, {1: np.ones((30, 20), bool)})
    assert shown_labels(viewer).shape == (30, 20)


def test_it_is_removed(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    overlay.remove()
    overlay.remove()
    assert names(viewer) == [view.layer.name]


def test_it_may_be_removed_by_hand_and_comes_back(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    viewer.layers.remove(PREVIEW_NAME)
    overlay.remove()
    overlay.show(view, 0, {1: TOP})
    viewer.layers.remove(PREVIEW_NAME)
    overlay.show(view, 1, {1: TOP})
    assert names(viewer) == [view.layer.name, *OWN]


def test_it_does_not_come_back_to_show_nothing(viewer, view, overlay):
    overlay.show(view, 0, {1: TOP})
    viewer.layers.remove(PREVIEW_NAME)
    overlay.show(view, 1, {})
    assert names(viewer) == [view.layer.name]


def test_clicks_go_on_to_the_points(viewer, view, overlay):
    points = viewer.add_points(np.empty((0, 3)))
    points.mode = "add"
    overlay.show(view, 0, {1: TOP})
    assert viewer.layers.selection == {points}
    assert viewer.layers.selection.active is points
    assert points.mode == "add"


def test_a_selection_of_several_layers_stays(viewer, view):
    points = viewer.add_points(np.empty((0, 3)))
    viewer.layers.selection = {points, view.layer}
    add_quietly(viewer, Image(np.zeros(SHAPE)), above=view.layer)
    assert viewer.layers.selection == {points, view.layer}


PROMPT = Prompt(1, 0, points=[(5, 6)])
OTHER = Prompt(2, 0, points=[(9, 3)])


LARGE = (2, 3000, 2000)


def block(row, column, side=20):
    window = Window(row, column, side, side)
    return PlacedMask(np.ones((side, side), bool), window)


@pytest.fixture
def large():
    view = view_of(LARGE)
    return view, viewer_of(view)


def value_at(viewer, frame, row, column):
    return preview(viewer).get_value((frame, row, column), world=True) or 0


def test_of_a_large_frame_only_a_part_is_covered(large):
    view, viewer = large
    overlay = PreviewOverlay(viewer)
    first, second = block(1600, 1500), block(1680, 1500)
    overlay.show(view, 0, {1: first})
    assert value_at(viewer, 0, 1605, 1505) == 1
    assert preview(viewer).data.size <= 1024 * 1024
    before = preview(viewer).data
    overlay.show(view, 0, {1: first, 2: second})
    assert preview(viewer).data is before
    values = [value_at(viewer, 0, row, 1505) for row in (1599, 1605, 1650, 1685)]
    assert values == [0, 1, 0, 2]
    lines = viewer.layers[OUTLINE_NAME].data[:, 0, 1]
    assert (lines > 1590).all()


def test_what_is_beyond_is_covered_as_well(large):
    view, viewer = large
    overlay = PreviewOverlay(viewer)
    masks = {1: block(2000, 1500)}
    overlay.show(view, 0, masks)
    overlay.show(view, 0, masks | {2: block(10, 10)})
    assert value_at(viewer, 0, 2005, 1505) == 1
    assert value_at(viewer, 0, 15, 15) == 2
    overlay.show(view, 1, {3: block(10, 10)})
    viewer.dims.set_point(0, 1)
    assert value_at(viewer, 1, 15, 15) == 3
    assert value_at(viewer, 1, 2005, 1505) == 0


def test_a_large_frame_shows_masks_that_have_gone_no_more(large):
    view, viewer = large
    overlay = PreviewOverlay(viewer)
    first, second = block(2000, 1500), block(2010, 1510)
    overlay.show(view, 0, {1: first, 2: second})
    overlay.show(view, 0, {1: first})
    assert value_at(viewer, 0, 2015, 1515) == 1
    assert value_at(viewer, 0, 2025, 1525) == 0
    lines = viewer.layers[OUTLINE_NAME]
    overlay.show(view, 0, {})
    assert value_at(viewer, 0, 2005, 1505) == 0
    assert len(lines.data) == 0


def test_the_brush_can_paint_all_that_is_on_the_screen(large):
    view, viewer = large
    painted = []
    keys = UndoKeys(lambda: None, lambda: None)
    overlay = PreviewOverlay(viewer, Painter(lambda *one: painted.append(one), keys))
    overlay.show(view, 0, {1: block(10, 10)})
    view.layer.corner_pixels = np.array([[0, 2500, 1200], [0, 2999, 1999]])
    overlay.take_brush(view, None, is_positive=True)
    overlay.show(view, 0, {1: block(10, 10)}, Scribbled(1))
    assert value_at(viewer, 0, 15, 15) == 1
    layer = preview(viewer)
    place = np.round(layer.world_to_data((0, 2600, 1300))).astype(int)
    layer.data_setitem(tuple(np.array([one]) for one in place), POSITIVE_VALUE)
    ((frame, (scribble,)),) = painted
    assert frame == 0
    assert scribble.pixels.extent == Window(2600, 1300, 1, 1)
    assert scribble.pixels.shape == LARGE[1:]
    view.layer.corner_pixels = np.array([[0, 1500, 200], [0, 1999, 900]])
    overlay.cover_screen()
    assert value_at(viewer, 0, 1600, 300) == 0
    assert layer.get_value((0, 1600, 300), world=True) is not None


def test_a_part_may_change_while_another_frame_is_on_the_screen(large):
    view, viewer = large
    overlay = PreviewOverlay(viewer)
    viewer.dims.set_point(0, 1)
    overlay.show(view, 0, {1: block(10, 10)})
    overlay.show(view, 0, {1: block(10, 10), 2: block(50, 10)})
    viewer.dims.set_point(0, 0)
    assert value_at(viewer, 0, 55, 15) == 2


def rows_of(mask):
    """Which hypothesis a made-up mask is, told by its height."""
    return int(mask.pixels.any(axis=1).sum())


@pytest.fixture
def book():
    book = PreviewStore()
    book.add(preview_of(PROMPT))
    return book


def test_only_prompts_without_a_preview_are_decoded(book):
    assert book.missing([PROMPT]) == ()
    assert PreviewStore().missing([PROMPT]) == (PROMPT,)


def test_a_new_prompt_concerns_the_others_on_its_frame(book):
    assert book.missing([PROMPT, OTHER]) == (PROMPT, OTHER)
    together, known = book.to_decode([PROMPT, OTHER])
    assert together == (PROMPT, OTHER)
    assert [shown.preview.prompt for shown in known] == [PROMPT]
    for prompt in (PROMPT, OTHER):
        book.add(preview_of(prompt, together=[PROMPT, OTHER]))
    assert book.missing([PROMPT, OTHER]) == ()
    picked = replace(PROMPT, hypothesis=2)
    assert book.missing([picked, OTHER]) == (picked, OTHER)
    assert book.missing([PROMPT]) == (PROMPT,), "the other one is gone"


def test_the_same_point_on_another_frame_is_another_prompt(book):
    later = replace(PROMPT, frame=1)
    assert book.missing([later]) == (later,)
    assert book.latest(1, 1) is None


def test_a_moved_point_is_decoded_again(book):
    moved = replace(PROMPT, points=[(5, 7)])
    assert book.missing([moved]) == (moved,)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_picked_hypothesis_is_shown_without_decoding(book, number):
    picked = replace(PROMPT, hypothesis=number)
    assert book.missing([picked]) == ()
    assert book.latest(1, 0).preview.chosen.number == number
    assert rows_of(book.masks([picked])[1]) == number


def test_one_pick_after_another_needs_no_decoding(book):
    for number in (2, 3, 1):
        assert book.missing([replace(PROMPT, hypothesis=number)]) == ()
    assert book.latest(1, 0).preview.chosen.number == 1


def test_the_pictures_stay_when_a_hypothesis_is_picked(book):
    pictures = book.latest(1, 0).thumbnails
    book.missing([replace(PROMPT, hypothesis=3)])
    assert book.latest(1, 0).thumbnails is pictures


def test_without_a_pick_the_network_is_asked_again(book):
    book.missing([replace(PROMPT, hypothesis=2)])
    assert book.missing([PROMPT]) == (PROMPT,)


def test_a_pick_of_a_moved_point_is_decoded(book):
    moved = replace(PROMPT, points=[(5, 7)], hypothesis=2)
    assert book.missing([moved]) == (moved,)
    assert book.latest(1, 0).preview.chosen.number == 1


def test_a_failed_prompt_is_asked_for_no_more_until_it_changes():
    book = PreviewStore()
    book.give_up([PROMPT])
    moved = replace(PROMPT, points=[(5, 7)])
    assert book.missing([PROMPT, OTHER]) == (OTHER,)
    assert book.missing([moved]) == (moved,)


def test_another_network_may_succeed(book):
    book.give_up([OTHER])
    book.mark_labelled([PROMPT])
    book.clear()
    assert book.missing([PROMPT, OTHER]) == (PROMPT, OTHER)
    assert book.latest(1, 0) is None
    book.add(preview_of(PROMPT))
    assert book.masks([PROMPT]).keys() == {1}


def test_the_chosen_mask_is_drawn_of_each_object(book):
    book.add(preview_of(OTHER, number=3))
    masks = book.masks([PROMPT, OTHER])
    assert {object_id: rows_of(mask) for object_id, mask in masks.items()} == {
        1: 1,
        2: 3,
    }


def test_the_joint_answer_to_several_points_is_drawn():
    several = Prompt(1, 0, points=[(5, 6), (7, 8)])
    book = PreviewStore()
    book.add(preview_of(several, number=0))
    assert rows_of(book.masks([several])[1]) == 4


def test_nothing_is_drawn_of_an_object_that_is_not_decoded_yet(book):
    assert book.masks([PROMPT, OTHER]).keys() == {1}


def test_the_last_mask_stays_while_the_next_is_decoded(book):
    moved = replace(PROMPT, points=[(5, 7)])
    np.testing.assert_array_equal(
        book.masks([moved])[1].pixels, book.latest(1, 0).preview.chosen.mask
    )


def test_what_is_in_the_labels_is_not_drawn_over_them(book):
    book.mark_labelled([PROMPT])
    assert book.masks([PROMPT]) == {}
    assert book.missing([PROMPT]) == ()
    assert book.latest(1, 0) is not None


def test_a_pick_after_the_run_is_drawn_again(book):
    book.mark_labelled([PROMPT])
    picked = replace(PROMPT, hypothesis=2)
    assert book.missing([picked]) == ()
    assert rows_of(book.masks([picked])[1]) == 2


def test_all_is_drawn_again_when_the_labels_are_gone(book):
    book.mark_labelled([PROMPT])
    book.unmark_labelled()
    assert book.masks([PROMPT]).keys() == {1}


def test_old_previews_of_other_frames_are_let_go():
    book = PreviewStore()
    for frame in range(2 * KEPT_PREVIEWS):
        book.add(preview_of(replace(PROMPT, frame=frame)))
    assert book.latest(1, 0) is None
    assert book.latest(1, 2 * KEPT_PREVIEWS - 1) is not None


def test_all_objects_of_one_frame_keep_their_previews():
    book = PreviewStore()
    for object_id in range(1, 2 * KEPT_PREVIEWS):
        book.add(preview_of(replace(PROMPT, object_id=object_id)))
    assert all(book.latest(number, 0) for number in range(1, 2 * KEPT_PREVIEWS))
