from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import result_on, show_movie
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.parts import ObjectsPart

pytestmark = pytest.mark.gui

NAME, POINTS, RESULT = range(3)


@pytest.fixture
def part(shown):
    part = ObjectsPart()
    part.resize(500, 300)
    return shown(part)


@pytest.fixture
def objects(bench):
    """Three objects, of which the last is selected."""
    show_movie(bench)
    return [bench.new_object() for _ in range(3)]


def column(part, place):
    table = part.table
    items = map(table.topLevelItem, range(table.topLevelItemCount()))
    return [item.text(place) for item in items]


def spot(part, row, place):
    """Where a cell is."""
    table = part.table
    index = table.model().index(row, place)
    return table.visualRect(index).center()


def double_click(part, qtbot, row, place):
    viewport, left = part.table.viewport(), Qt.MouseButton.LeftButton
    position = spot(part, row, place)
    qtbot.mouseClick(viewport, left, pos=position)
    qtbot.mouseDClick(viewport, left, pos=position)
    return part.table.findChildren(QLineEdit)


def test_without_a_movie_there_is_nothing_to_do(part, bench):
    part.show_state(bench)
    assert not part.isEnabled()


@pytest.mark.usefixtures("objects")
def test_objects_are_listed_and_the_selected_one_stands_out(part, bench):
    part.show_state(bench)
    assert column(part, NAME) == ["object 1", "object 2", "object 3"]
    assert part.table.currentItem().text(NAME) == "object 3"
    bench.select_object(1)
    part.show_state(bench)
    assert part.table.currentItem().text(NAME) == "object 1"


def test_an_object_that_is_gone_is_not_listed(part, bench, objects):
    part.show_state(bench)
    bench.delete_object(objects[1].object_id)
    part.show_state(bench)
    assert column(part, NAME) == ["object 1", "object 3"]


@pytest.mark.usefixtures("objects")
def test_each_object_has_its_colour(part, bench):
    part.show_state(bench)
    for row in range(3):
        icon = part.table.topLevelItem(row).icon(NAME)
        colour = icon.pixmap(12, 12).toImage().pixelColor(5, 5).getRgbF()
        np.testing.assert_allclose(colour, object_colour(row + 1), atol=0.01)


def test_frames_with_points_are_told(part, bench, objects):
    for frame in (3, 0):
        bench.add_points((frame, 5, 6), objects[0].object_id)
    for frame in range(4):
        bench.add_points((frame, 5, 6), objects[1].object_id)
    part.show_state(bench)
    assert column(part, POINTS) == ["0, 3", "0, 1, 2…", "none yet"]


def verdicts_of(bench):
    """What runs have said of the labels, which are chosen for that."""
    labels = np.zeros(bench.movie.spatial_shape, np.uint16)
    bench.choose_labels(bench.viewer.add_labels(labels))
    return bench.controller.state.target.record(bench.movie)


@pytest.mark.usefixtures("objects")
def test_what_came_of_the_last_run_is_told(part, bench):
    book = verdicts_of(bench)
    for frame, verdict in enumerate(
        (Verdict.PROMPTED, Verdict.DOUBTFUL, Verdict.ABSENT, Verdict.ABSENT)
    ):
        book.frames.note(result_on(frame, 1, verdict))
    part.show_state(bench)
    assert column(part, RESULT) == ["2 frames, 1 doubtful, absent on 2", "", ""]


@pytest.mark.usefixtures("objects")
def test_one_frame_is_told_in_the_singular(part, bench):
    verdicts_of(bench).frames.note(result_on(0, 1, Verdict.PROMPTED))
    part.show_state(bench)
    assert column(part, RESULT)[0] == "1 frame"


@pytest.mark.usefixtures("objects")
def test_a_click_selects_an_object(part, bench, heard, qtbot):
    part.show_state(bench)
    chosen = heard(part.object_chosen)
    viewport, left = part.table.viewport(), Qt.MouseButton.LeftButton
    qtbot.mouseClick(viewport, left, pos=spot(part, 1, POINTS))
    assert chosen == [2]


def test_showing_emits_nothing(part, bench, objects, heard):
    requests = [
        heard(part.object_chosen),
        heard(part.renamed),
        heard(part.new_requested),
    ]
    part.show_state(bench)
    bench.rename_object(objects[0].object_id, "nucleus")
    bench.delete_object(objects[2].object_id)
    part.show_state(bench)
    assert column(part, NAME)[0] == "nucleus"
    assert requests == [[], [], []]


@pytest.fixture
def renamed(part):
    renamed = []
    part.renamed.connect(lambda *news: renamed.append(news))
    return renamed


def type_name(part, qtbot, row, name):
    (editor,) = double_click(part, qtbot, row, NAME)
    editor.selectAll()
    qtbot.keyClicks(editor, name)
    with qtbot.waitSignal(part.table.itemDelegate().closeEditor):
        qtbot.keyClick(editor, Qt.Key.Key_Return)


@pytest.mark.usefixtures("objects")
def test_a_double_click_renames(part, bench, qtbot, renamed):
    part.show_state(bench)
    type_name(part, qtbot, 1, " nucleus ")
    assert renamed == [(2, "nucleus")]


@pytest.mark.usefixtures("objects")
def test_a_blank_name_is_put_back(part, bench, qtbot, renamed):
    part.show_state(bench)
    type_name(part, qtbot, 1, " ")
    assert renamed == []
    assert column(part, NAME)[1] == "object 2"


@pytest.mark.usefixtures("objects")
@pytest.mark.parametrize("place", [POINTS, RESULT])
def test_only_names_can_be_edited(part, bench, qtbot, place):
    part.show_state(bench)
    assert double_click(part, qtbot, 1, place) == []


@pytest.mark.usefixtures("objects")
def test_a_name_can_be_typed_while_frames_are_embedded(part, bench, qtbot):
    """Each frame that is done shows the state again."""
    part.show_state(bench)
    (editor,) = double_click(part, qtbot, 1, NAME)
    editor.selectAll()
    qtbot.keyClicks(editor, "nucl")
    part.show_state(bench)
    assert editor.text() == "nucl"


def test_a_new_object_is_asked_for(part, bench, heard, qtbot):
    show_movie(bench)
    part.show_state(bench)
    asked = heard(part.new_requested)
    qtbot.mouseClick(part.new_button, Qt.MouseButton.LeftButton)
    assert asked == [None]


def entries(part):
    return {action.text(): action for action in part.menu.actions()}


def test_points_of_others_can_be_used(part, bench, heard):
    show_movie(bench)
    part.show_state(bench)
    assert not part.points_button.isEnabled()
    clicks = bench.viewer.add_points([(0, 5, 5)], name="clicks")
    part.show_state(bench)
    chosen = heard(part.layer_chosen)
    assert part.points_button.isEnabled()
    entries(part)["clicks"].trigger()
    assert chosen == [clicks]
    shapes = bench.viewer.add_shapes(ndim=3, name="drawn")
    bench.new_object()
    bench.draw_boxes()
    part.show_state(bench)
    assert set(entries(part)) == {"clicks", "drawn"}, "not the plugin's own"
    entries(part)["drawn"].trigger()
    assert chosen == [clicks, shapes]


def test_an_entry_can_be_chosen_while_frames_are_embedded(part, bench, heard, qtbot):
    """Each frame that is done shows the state again, also under an open menu."""
    show_movie(bench)
    clicks = bench.viewer.add_points([(0, 5, 5)], name="clicks")
    part.show_state(bench)
    chosen = heard(part.layer_chosen)
    part.menu.popup(part.points_button.mapToGlobal(part.points_button.rect().center()))
    part.menu.setActiveAction(entries(part)["clicks"])
    part.show_state(bench)
    qtbot.keyClick(part.menu, Qt.Key.Key_Return)
    assert chosen == [clicks]


@pytest.mark.usefixtures("objects")
def test_the_menu_of_an_object_merges_it_into_another_one(part, bench, qtbot):
    part.show_state(bench)
    menu = part.context_menu(part.table.topLevelItem(1))
    rename, merge, delete = menu.actions()
    assert [action.text() for action in merge.menu().actions()] == [
        "object 1",
        "object 3",
    ]
    with qtbot.waitSignal(part.merge_requested) as asked:
        merge.menu().actions()[1].trigger()
    assert asked.args == [2, 3]
    with qtbot.waitSignal(part.delete_requested):
        delete.trigger()
    rename.trigger()
    assert part.table.findChildren(QLineEdit)
