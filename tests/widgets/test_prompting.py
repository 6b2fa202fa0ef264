"""Points and boxes of many objects in a real window, with a real mouse and keys."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)
pytestmark = pytest.mark.gui

from hand import ALT, LEFT, NONE, SHIFT, Hand, circle  # noqa: E402
from qtpy.QtCore import Qt  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QApplication  # noqa: E402
from stage import BACKGROUND, squares  # noqa: E402

from napari_sam_decoder.errors import OptionError, PromptError  # noqa: E402
from napari_sam_decoder.project import PointRow  # noqa: E402
from napari_sam_decoder.widgets.colours import (  # noqa: E402
    WARNING_RED,
    object_colour,
)
from napari_sam_decoder.widgets.tools import Tool  # noqa: E402

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
FIRST, SECOND = (16, 15), (45, 46)
"""Inside the two squares on the first frame."""


@pytest.fixture
def movie():
    return squares(6)


@pytest.fixture
def viewer(make_napari_viewer, sam, movie):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1300, 800)
    viewer.add_image(movie[0], name="squares")
    viewer.dims.set_point(0, 0)
    return viewer


@pytest.fixture
def dock(viewer):
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    viewer.reset_view()
    return dock


@pytest.fixture
def bench(dock):
    return dock.workbench


@pytest.fixture
def hand(viewer):
    return Hand(viewer)


def two_objects(bench, hand):
    for place in (FIRST, SECOND):
        hand.press(Qt.Key.Key_N)
        hand.click(*place)
    bench.wait()


def held(bench):
    """How many points and boxes there are."""
    return len(bench.objects.points), len(bench.objects.shapes)


def names(bench):
    return [layer.name for layer in bench.viewer.layers]


def test_forty_objects_are_one_layer_of_points(bench, hand, viewer):
    for place in range(40):
        hand.press(Qt.Key.Key_N)
        hand.click(4 + 7 * (place // 8), 4 + 7 * (place % 8))
    bench.wait()
    assert [row.object_id for row in bench.objects.points] == [*range(1, 41)]
    assert len(bench.objects.listed) == 40
    own = ["SAM outline", "SAM points", "SAM preview", "squares"]
    assert sorted(names(bench)) == own
    bench.propagate()
    bench.wait()
    assert sorted(names(bench)) == ["SAM labels", *own]


def test_each_click_has_the_object_the_sign_and_the_colour_of_now(bench, hand):
    two_objects(bench, hand)
    hand.press(Qt.Key.Key_X)
    hand.click(50, 60)
    bench.wait()
    rows = bench.objects.points
    assert [(row.object_id, row.is_positive) for row in rows] == [
        (1, True),
        (2, True),
        (2, False),
    ]
    layer = bench.points_layer
    assert [str(one) for one in layer.symbol] == ["disc", "disc", "x"]
    expected = [object_colour(1), object_colour(2), WARNING_RED]
    np.testing.assert_allclose(layer.face_color, expected)


def test_a_new_object_is_first_said_to_be_somewhere(bench, hand):
    two_objects(bench, hand)
    hand.press(Qt.Key.Key_X)
    hand.press(Qt.Key.Key_N)
    hand.click(50, 60)
    assert bench.objects.points[-1].is_positive


def test_one_drag_draws_a_box_and_shows_its_mask(dock, bench, hand, viewer, movie):
    hand.press(Qt.Key.Key_N)
    QTest.mouseClick(dock._frame.tools[Tool.BOX], LEFT)
    hand.drag((8, 6), (26, 24))
    bench.wait()
    prompt = bench.current_prompt
    np.testing.assert_allclose(prompt.box, (8, 6, 26, 24), atol=0.5)
    assert held(bench) == (0, 1)
    preview = viewer.layers["SAM preview"].data[0] == 1
    np.testing.assert_array_equal(preview, movie[1][0] == 1)
    np.testing.assert_allclose(bench.boxes_layer.edge_color, [object_colour(1)])
    bench.propagate()
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data == 1, movie[1] == 1)


def test_the_box_tool_stays_until_a_sign_is_chosen(dock, bench, hand, qtbot):
    two_objects(bench, hand)
    hand.press(Qt.Key.Key_R)
    assert bench.tool is Tool.BOX
    qtbot.waitUntil(dock._frame.tools[Tool.BOX].isChecked)
    for object_id in (1, 2):
        bench.select_object(object_id)
        hand.drag((8, 6), (26, 24))
    assert [row.object_id for row in bench.objects.shapes] == [1, 2]
    QTest.mouseClick(dock._frame.tools[Tool.POSITIVE], LEFT)
    assert bench.tool is Tool.POSITIVE
    hand.click(50, 50)
    assert held(bench) == (3, 2)
    qtbot.waitUntil(dock._frame.tools[Tool.POSITIVE].isChecked)


def test_a_click_with_the_box_tool_draws_nothing(bench, hand):
    two_objects(bench, hand)
    hand.press(Qt.Key.Key_R)
    hand.click(30, 30)
    bench.wait()
    assert held(bench) == (2, 0)
    assert len(bench.boxes_layer.data) == 0
    hand.drag((8, 6), (26, 24))
    bench.wait()
    assert held(bench) == (2, 1)


def test_a_hypothesis_is_looked_at_without_being_picked(dock, bench, hand, viewer):
    """Hypotheses are offered from the smallest to the largest."""
    hand.press(Qt.Key.Key_N)
    hand.click(*FIRST)
    bench.wait()
    dock.refresh()
    steps = len(bench.history.done)
    sizes = []
    for target in (*dock._frame.offers, dock._frame.automatic):
        QTest.mouseMove(target)
        QApplication.processEvents()
        sizes.append(np.count_nonzero(viewer.layers["SAM preview"].data))
    assert sizes[0] < sizes[2]
    assert sizes[:3] == sorted(sizes[:3])
    assert sizes[3] in sizes[:3]
    assert len(bench.history.done) == steps
    assert bench.current_prompt.hypothesis is None


def test_a_label_can_be_compared_with_other_hypotheses(dock, bench, hand, viewer):
    hand.press(Qt.Key.Key_N)
    hand.click(*FIRST)
    bench.propagate()
    bench.wait()
    preview = viewer.layers["SAM preview"]
    assert not preview.data.any()
    bench.show_hypothesis(1)
    assert preview.data.any()
    bench.show_hypothesis(None)
    assert not preview.data.any()


def test_one_drag_draws_a_lasso(dock, bench, hand):
    hand.press(Qt.Key.Key_N)
    QTest.mouseClick(dock._frame.tools[Tool.LASSO], LEFT)
    hand.draw(circle((17, 15), 11))
    bench.wait()
    (row,) = bench.objects.shapes
    assert (row.kind, row.object_id) == ("polygon", 1)
    distances = np.hypot(*(np.array(row.vertices)[:, 1:] - (17, 15)).T)
    np.testing.assert_allclose(distances, 11, atol=0.5)
    assert bench.history.done[-1].title == "Add a lasso"
    assert not bench.boxes_layer.selected_data, "its vertices hide no cell"
    bench.undo()
    assert held(bench) == (0, 0)


@pytest.mark.parametrize("key", [Qt.Key.Key_R, Qt.Key.Key_A])
def test_a_new_object_is_clicked_first(bench, hand, key):
    two_objects(bench, hand)
    hand.press(key)
    assert not bench.tool.is_point
    hand.press(Qt.Key.Key_N)
    assert bench.tool is Tool.POSITIVE
    hand.click(50, 60)
    assert bench.objects.points[-1].object_id == 3


def test_an_unknown_tool_is_refused(bench, hand):
    hand.press(Qt.Key.Key_N)
    with pytest.raises(OptionError, match=r"'lasso'.* not 'knife'"):
        bench.use_tool("knife")


def test_a_box_that_is_still_drawn_is_no_prompt(bench, hand, monkeypatch):
    two_objects(bench, hand)
    hand.press(Qt.Key.Key_R)
    canvas = hand._canvas
    QTest.mouseMove(canvas, hand.place(8, 6))
    QTest.mousePress(canvas, LEFT, NONE, hand.place(8, 6))
    QTest.mouseMove(canvas, hand.place(20, 20))
    bench.read()
    assert held(bench) == (2, 0)
    assert len(bench.boxes_layer.data) == 1
    QTest.mouseMove(canvas, hand.place(26, 24))
    QTest.mouseRelease(canvas, LEFT, NONE, hand.place(26, 24))
    bench.wait()
    assert held(bench) == (2, 1)
    np.testing.assert_allclose(bench.current_prompt.box, (8, 6, 26, 24), atol=0.5)


@pytest.mark.parametrize("tool", ["add", "select", "pan_zoom", "box", "image"])
def test_alt_and_a_click_select_an_object_and_add_nothing(bench, hand, viewer, tool):
    two_objects(bench, hand)
    if tool == "box":
        bench.draw_boxes()
    elif tool == "image":
        viewer.layers.selection.active = viewer.layers["squares"]
    else:
        bench.points_layer.mode = tool
    for place, object_id in ((FIRST, 1), (SECOND, 2), (FIRST, 1)):
        hand.click(*place, ALT)
        assert bench.objects.current_id == object_id
    bench.wait()
    assert held(bench) == (2, 0)
    assert (bench.tool is Tool.BOX) == (tool == "box")
    layer = bench.boxes_layer if tool == "box" else bench.points_layer
    assert viewer.layers.selection.active is layer
    expected = {"image": "add", "box": "add_rectangle"}.get(tool, tool)
    assert layer.mode == expected
    bench.set_sign(True)
    hand.click(20, 20)
    assert bench.objects.points[-1].object_id == 1, "the tool works again"


def test_alt_and_a_click_find_points_first_then_labels_and_masks(bench, hand, viewer):
    two_objects(bench, hand)
    bench.select_object(2)
    hand.click(12, 12)
    assert bench.objects.points[-1].object_id == 2, "on the first square"
    bench.select_object(1)
    hand.click(12, 12, ALT)
    assert bench.objects.current_id == 2
    hand.click(21, 20, ALT)
    assert bench.objects.current_id == 1, "by its preview"
    hand.click(60, 5, ALT)
    assert bench.objects.current_id == 1, "there is nobody"
    bench.points_layer.selected_data = {2}
    bench.points_layer.remove_selected()
    bench.propagate()
    bench.wait()
    hand.click(49, 49, ALT)
    assert bench.objects.current_id == 2, "by its label"


@pytest.mark.parametrize("kind", ["image", "points", "labels"])
def test_where_the_mouse_moves_the_picture_a_click_selects(bench, hand, viewer, kind):
    two_objects(bench, hand)
    bench.propagate()
    bench.wait()
    layers = {"image": viewer.layers["squares"], "labels": bench.labels}
    layer = layers.get(kind, bench.points_layer)
    viewer.layers.selection.active = layer
    layer.mode = "pan_zoom"
    before = held(bench), bench.labels.data.copy()
    for place, object_id in ((FIRST, 1), (SECOND, 2), (FIRST, 1), ((60, 5), 1)):
        hand.click(*place)
        assert bench.objects.current_id == object_id
    hand.drag(SECOND, (30, 30))
    assert bench.objects.current_id == 1, "a drag moves the picture"
    assert viewer.layers.selection.active is layer
    assert layer.mode == "pan_zoom"
    bench.wait()
    assert held(bench) == before[0]
    np.testing.assert_array_equal(bench.labels.data, before[1])


def test_alt_and_a_click_paint_nothing(bench, hand, viewer):
    two_objects(bench, hand)
    bench.propagate()
    bench.wait()
    before = bench.labels.data.copy()
    viewer.layers.selection.active = bench.labels
    bench.labels.mode = "paint"
    bench.labels.selected_label = 1
    hand.click(*FIRST, ALT)
    assert bench.objects.current_id == 1
    hand.click(*SECOND, ALT)
    assert bench.objects.current_id == 2
    np.testing.assert_array_equal(bench.labels.data, before)
    assert viewer.layers.selection.active is bench.labels
    hand.click(60, 5)
    assert bench.labels.data[0, 60, 5] != 0, "the brush works again"


def test_keys_go_through_the_objects(bench, hand):
    two_objects(bench, hand)
    hand.press(Qt.Key.Key_N)
    seen = []
    for _ in range(3):
        hand.press(Qt.Key.Key_O)
        seen.append(bench.objects.current_id)
    for _ in range(3):
        hand.press(Qt.Key.Key_O, ALT | SHIFT)
        seen.append(bench.objects.current_id)
    assert seen == [1, 2, 3, 2, 1, 3]


def test_without_an_object_there_is_none_to_go_to(bench):
    with pytest.raises(PromptError, match="press 'New object' first"):
        bench.step_object(1)
    with pytest.raises(PromptError, match="press 'New object' first"):
        bench.draw_boxes()


def test_selecting_a_point_selects_its_object(bench, hand):
    two_objects(bench, hand)
    bench.points_layer.mode = "select"
    hand.click(*FIRST)
    assert bench.objects.current_id == 1
    hand.click(60, 5)
    assert bench.objects.current_id == 1
    bench.points_layer.mode = "add"
    hand.click(20, 20)
    assert bench.objects.points[-1].object_id == 1


def test_selecting_a_box_selects_its_object(bench, hand):
    two_objects(bench, hand)
    for object_id, start in ((1, (8, 6)), (2, (36, 38))):
        bench.add_box(0, (*start, start[0] + 18, start[1] + 18), object_id)
    bench.draw_boxes()
    bench.boxes_layer.mode = "select"
    hand.click(10, 9)
    assert bench.objects.current_id == 1


def test_the_tool_that_picks_labels_selects_the_object(bench, hand, viewer):
    two_objects(bench, hand)
    bench.propagate()
    bench.wait()
    viewer.layers.selection.active = bench.labels
    bench.labels.mode = "pick"
    for place, object_id in ((FIRST, 1), (SECOND, 2)):
        hand.click(*place)
        assert bench.objects.current_id == object_id
    hand.click(60, 5)
    assert bench.objects.current_id == 2
    assert viewer.layers.selection.active is bench.labels


def test_a_point_is_dragged_and_deleted_as_napari_does_it(bench, hand):
    two_objects(bench, hand)
    bench.points_layer.mode = "select"
    hand.click(*FIRST)
    hand.drag(FIRST, (20, 19))
    bench.wait()
    np.testing.assert_allclose(bench.objects.points[0].position[1:], (20, 19), atol=1)
    assert bench.objects.points[0].object_id == 1
    hand.press(Qt.Key.Key_Delete, NONE)
    bench.wait()
    assert [row.object_id for row in bench.objects.points] == [2]
    assert len(bench.objects.listed) == 2, "the object stays"


def test_the_mouse_finds_points_at_their_size_on_the_screen(bench, hand, viewer):
    two_objects(bench, hand)
    bench.points_layer.mode = "select"
    for zoom in (4, 40):
        hand.camera.zoom = zoom
        hand.camera.center = (0, *FIRST)
        beside = 2 / zoom
        bench.points_layer.selected_data = set()
        hand.click(FIRST[0] + beside, FIRST[1] + beside)
        assert set(bench.points_layer.selected_data) == {0}
        hand.click(FIRST[0] + 12 / zoom, FIRST[1])
        assert not bench.points_layer.selected_data


def test_boxes_keep_the_width_of_their_lines(bench, hand):
    two_objects(bench, hand)
    bench.add_box(0, (8, 6, 26, 24))
    for zoom in (4, 40, 1):
        hand.camera.zoom = zoom
        width = bench.boxes_layer.edge_width[0] * zoom
        assert 1.5 < width < 2.5


# What scripts do


def test_a_script_adds_points_and_boxes(bench):
    made = bench.new_object("nucleus")
    assert (made.object_id, made.name, made.frames) == (1, "nucleus", ())
    other = bench.new_object()
    bench.add_points([(0, 16, 15), (2, 16, 17)], made.object_id)
    bench.add_points((1, 45, 45), is_positive=False)
    bench.add_points((2, 45, 45), hypothesis=2)
    bench.add_box(3, (20, 30, 10, 15), made.object_id)
    assert bench.objects.points == (
        PointRow((0, 16, 15), 1),
        PointRow((2, 16, 17), 1),
        PointRow((1, 45, 45), 2, is_positive=False),
        PointRow((2, 45, 45), 2, hypothesis=2),
    )
    assert bench.objects.reading.prompts.at(1, 3).box == (10, 15, 20, 30)
    assert bench.objects.find(made.object_id).frames == (0, 2, 3)
    assert other.object_id == 2


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda bench: bench.add_points([(1, 2)]), "points are .frame, row, column"),
        (lambda bench: bench.add_points([(1, 2, np.nan)]), "points must be finite"),
        (lambda bench: bench.add_points((0, 1, 1), 7), "there is no object 7"),
        (
            lambda bench: bench.add_points((0, 1, 1), hypothesis=4),
            "a hypothesis is 1, 2 or 3, not 4",
        ),
        (lambda bench: bench.add_points((0, 1, 1), is_positive=1), "is_positive must"),
        (lambda bench: bench.add_box(6, (1, 1, 5, 5)), "there is no frame 6; the mov"),
        (lambda bench: bench.add_box(0, (1, 1, 5)), "a box is .row0, column0, row1"),
    ],
)
def test_what_a_script_gets_wrong_is_named(bench, call, match):
    bench.new_object()
    with pytest.raises(PromptError, match=match):
        call(bench)
    assert held(bench) == (0, 0)


def test_a_script_of_one_layer_per_object_is_told_what_to_do(bench):
    with pytest.raises(AttributeError, match=r"one layer.*Workbench\.add_points"):
        bench.new_object().add([0, 16, 15])


def test_points_of_a_volume_over_time_are_positions_in_it(fresh, movie):
    volumes = np.stack([movie[0], movie[0][:, ::-1]])
    layer = fresh.viewer.add_image(volumes, name="volumes")
    fresh.choose_movie(layer, axis=1)
    fresh.viewer.dims.set_point((0, 1), (1, 0))
    fresh.new_object()
    fresh.add_points((2, 47, 17))
    fresh.add_points((0, 3, 16, 18))
    fresh.add_box(4, (40, 12, 54, 27))
    assert [row.position for row in fresh.objects.points] == [
        (1, 2, 47, 17),
        (0, 3, 16, 18),
    ]
    assert [prompt.frame for prompt in fresh.controller.prompts] == [2, 4]
    fresh.viewer.dims.set_point(0, 0)
    assert [prompt.frame for prompt in fresh.controller.prompts] == [3]


# Layers that a person brings


@pytest.fixture
def told(bench):
    told = []
    bench.informed.connect(told.append)
    return told


def test_points_of_others_are_copied_and_their_layer_is_hidden(bench, viewer, told):
    brought = viewer.add_points(
        [(0, 16, 15), (1, 45, 45), (2, 3, 3)],
        features={"label": [1, 0, 1], "hypothesis": [2, 0, 0]},
        name="clicks",
    )
    before = brought.features.copy()
    bench.use_points(brought)
    assert bench.objects.points == (
        PointRow((0, 16, 15), 1, hypothesis=2),
        PointRow((1, 45, 45), 1, is_positive=False),
        PointRow((2, 3, 3), 1),
    )
    assert [one.name for one in bench.objects.listed] == ["clicks"]
    assert not brought.visible
    assert "'clicks' itself is hidden" in told[-1]
    assert brought.features.equals(before)
    brought.add([(3, 3, 3)])
    bench.wait()
    assert held(bench) == (3, 0)


def test_points_of_others_keep_the_objects_that_they_name(bench, viewer):
    bench.new_object("mine")
    brought = viewer.add_points(
        [(0, 16, 15), (0, 45, 45)], features={"object_id": [1, 7]}, name="clicks"
    )
    bench.use_points(brought)
    described = [(one.object_id, one.name) for one in bench.objects.listed]
    assert described == [(1, "mine"), (7, "clicks #7")]


def test_what_cannot_be_used_of_others_is_said_and_stays(bench, viewer, told):
    brought = viewer.add_points(
        [(0, 16, 15), (0, 45, 45)], features={"label": ["maybe", "positive"]}
    )
    bench.use_points(brought)
    assert held(bench) == (1, 0)
    assert any("a label that is not understood" in one for one in told)
    flat = viewer.add_points([(3, 4)], name="flat")
    with pytest.raises(PromptError, match=r"no points of 'flat' can be used: .* 2 dim"):
        bench.use_points(flat)
    assert flat.visible


def test_shapes_of_others_are_copied(bench, viewer):
    brought = viewer.add_shapes(
        [
            [(0, 8, 6), (0, 8, 24), (0, 26, 24), (0, 26, 6)],
            [(1, 8, 6), (1, 8, 24), (1, 26, 24)],
        ],
        shape_type=["rectangle", "polygon"],
        name="drawn",
    )
    bench.use_shapes(brought)
    assert [row.kind for row in bench.objects.shapes] == ["rectangle", "polygon"]
    assert bench.objects.reading.prompts.at(1, 0).box == (8, 6, 26, 24)
    assert not brought.visible
    empty = viewer.add_shapes(None, ndim=3, name="empty")
    with pytest.raises(PromptError, match="no shapes of 'empty' can be used"):
        bench.use_shapes(empty)


def test_what_is_taken_in_is_gone_on_with(bench, viewer):
    mine = bench.new_object().object_id
    bench.add_points((0, 45, 45))
    box = [(0, 8, 6), (0, 8, 24), (0, 26, 24), (0, 26, 6)]
    boxed = viewer.add_shapes([box], name="box")
    viewer.layers.selection.active = boxed
    bench.use_shapes(boxed)
    assert bench.objects.current.name == "box"
    assert viewer.layers.selection.active is bench.points_layer
    assert bench.points_layer.mode == "add"
    features = {"object_id": [mine, 9]}
    bench.use_points(viewer.add_points([(0, 44, 44), (0, 1, 2)], features=features))
    assert bench.objects.current_id == mine


def test_taking_in_the_own_layers_does_nothing(bench):
    bench.new_object()
    bench.add_points((0, 16, 15))
    bench.add_box(1, (8, 6, 26, 24))
    bench.use_points(bench.points_layer)
    bench.use_shapes(bench.boxes_layer)
    assert held(bench) == (1, 1)


# Layers that come and go


def test_a_layer_that_was_removed_is_made_again_for_the_next_click(bench, hand, viewer):
    two_objects(bench, hand)
    bench.propagate()
    bench.wait()
    before = bench.labels.data.copy()
    removed = bench.points_layer
    viewer.layers.remove(removed)
    bench.wait()
    assert bench.points_layer is None
    np.testing.assert_array_equal(bench.labels.data, before)
    assert len(bench.objects.listed) == 2
    bench.select_object(2)
    hand.click(*SECOND)
    bench.wait()
    assert bench.points_layer is not removed
    assert held(bench) == (1, 0)
    np.testing.assert_array_equal(bench.labels.data == 1, before == 1)


def test_deleting_an_object_leaves_the_others_alone(bench, hand):
    two_objects(bench, hand)
    bench.add_box(0, (8, 6, 26, 24), 1)
    bench.delete_object(1)
    assert held(bench) == (1, 0)
    assert [one.object_id for one in bench.objects.listed] == [2]
    assert bench.objects.current_id == 2
    hand.click(20, 20)
    assert [row.object_id for row in bench.objects.points] == [2, 2]


def test_a_polygon_is_a_lasso_and_a_path_a_scribble(bench):
    bench.new_object()
    bench.draw_boxes()
    corners = [(8.0, 6.0), (8.0, 24.0), (26.0, 24.0)]
    placed = np.array([(0, *corner) for corner in corners])
    bench.boxes_layer.add(placed, shape_type="polygon")
    bench.boxes_layer.add(placed[:2], shape_type="path")
    bench.wait()
    (prompt,) = bench.controller.prompts
    (line,) = prompt.scribbles
    assert prompt.lasso == tuple(corners)
    assert line.pixels.to_array()[8, 6:25].all()
    assert bench.notices == ()


def test_a_shape_that_cannot_be_used_is_said(bench):
    bench.new_object()
    bench.draw_boxes()
    path = np.array([(0, -9, 6), (0, -9, 24)])
    bench.boxes_layer.add(path, shape_type="path")
    bench.wait()
    assert len(bench.controller.prompts) == 0
    assert any("picture and is not used" in one for one in bench.notices)
    assert len(bench.boxes_layer.data) == 1


@pytest.fixture
def carried(fresh):
    """A square has been carried through the movie; there are two others."""
    movie, truth = squares(6)
    movie[truth == 2] = BACKGROUND
    movie[:, 46:56, 6:16] = movie[:, 46:56, 46:56] = 160
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    fresh.new_object()
    fresh.add_points((0, *FIRST))
    fresh.propagate()
    fresh.wait()
    fresh.viewer.dims.set_point(0, 4)
    return fresh


def draw_around(bench, box):
    bench.add_box(4, box)
    # Unasked, the stage goes by where the object is expected.
    bench.choose_hypothesis(2)
    bench.wait()


def remove_box(bench):
    bench.boxes_layer.selected_data = {0}
    bench.boxes_layer.remove_selected()
    bench.wait()


def test_a_box_that_is_moved_takes_its_correction_along(carried):
    before = carried.labels.data.copy()
    draw_around(carried, (45, 5, 56, 16))
    assert carried.labels.data[4, 50, 10] == 1
    layer = carried.boxes_layer
    layer.data = [np.array(layer.data[0]) + np.array([0, 0, 40])]
    carried.wait()
    assert carried.labels.data[4, 50, 10] == 0
    assert carried.labels.data[4, 50, 50] == 1
    remove_box(carried)
    np.testing.assert_array_equal(carried.labels.data, before)


def test_what_a_deleted_box_did_is_taken_back_although_points_stay(carried):
    carried.add_points((4, 40, 40), is_positive=False)
    carried.wait()
    before = carried.labels.data.copy()
    draw_around(carried, (45, 5, 56, 16))
    assert carried.labels.data[4, 50, 10] == 1
    remove_box(carried)
    np.testing.assert_array_equal(carried.labels.data, before)


def test_a_point_that_is_dragged_slowly_is_moved_in_one_action(bench, hand):
    two_objects(bench, hand)
    bench.propagate()
    bench.wait()
    before, count = bench.objects.points, len(bench.history.done)
    bench.points_layer.mode = "select"
    hand.drag(FIRST, (FIRST[0] + 3, FIRST[1] + 3), wait=bench.wait)
    bench.wait()
    assert bench.objects.points != before
    bench.undo()
    assert bench.objects.points == before
    assert len(bench.history.done) == count
