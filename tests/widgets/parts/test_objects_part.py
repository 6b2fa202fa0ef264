from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import result_on, show_movie
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.widgets.parts import ObjectsPart
from napari_sam_decoder.widgets.parts.object_table import DOUBTFUL, NAME

pytestmark = pytest.mark.gui

LEFT = Qt.MouseButton.LeftButton


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


def test_without_a_movie_there_is_nothing_to_do(part, bench):
    part.show_state(bench)
    assert not part.isEnabled()


def test_objects_are_listed_and_the_selected_one_stands_out(part, bench, objects):
    part.show_state(bench)
    assert part.table.ids == (1, 2, 3)
    assert part.title() == "Objects (3)"
    assert part.table.currentIndex() == part.table.cell(3)
    bench.select_object(1)
    part.show_state(bench)
    assert part.table.currentIndex() == part.table.cell(1)
    bench.delete_object(objects[1].object_id)
    part.show_state(bench)
    assert part.table.ids == (1, 3)


@pytest.mark.usefixtures("objects")
def test_names_are_filtered(part, bench, qtbot):
    bench.rename_object(2, "nucleus")
    part.show_state(bench)
    qtbot.keyClicks(part.filter, " NUC")
    assert part.table.ids == (2,)
    assert part.title() == "Objects (1 of 3)"
    bench.rename_object(2, "cell")
    part.show_state(bench)
    assert part.table.ids == ()
    part.filter.clear()
    assert part.table.ids == (1, 2, 3)
    assert part.title() == "Objects (3)"


@pytest.mark.usefixtures("objects")
def test_what_came_of_the_last_run_is_told(part, bench):
    labels = np.zeros(bench.movie.spatial_shape, np.uint16)
    bench.choose_labels(bench.viewer.add_labels(labels))
    records = bench.controller.state.target.frames
    for frame, verdict in enumerate((Verdict.PROMPTED, Verdict.DOUBTFUL)):
        records.note(result_on(frame, 1, verdict))
    part.show_state(bench)
    assert part.table.cell(1, DOUBTFUL).data() == "1"
    assert part.table.cell(2, DOUBTFUL).data() == ""


@pytest.mark.usefixtures("objects")
def test_a_click_chooses_an_object(part, bench, heard, qtbot):
    part.show_state(bench)
    chosen = heard(part.object_chosen)
    place = part.table.visualRect(part.table.cell(2, DOUBTFUL)).center()
    qtbot.mouseClick(part.table.viewport(), LEFT, pos=place)
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
    assert part.table.cell(1, NAME).data() == "nucleus"
    assert requests == [[], [], []]


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
    menu = part.context_menu(2)
    rename, merge, split, daughter, background, *rest = menu.actions()
    hide, alone, every, lock, delete = rest
    assert [action.text() for action in merge.menu().actions()] == [
        "object 1",
        "object 3",
    ]
    with qtbot.waitSignal(part.merge_requested) as asked:
        merge.menu().actions()[1].trigger()
    assert asked.args == [2, 3]
    with qtbot.waitSignal(part.delete_requested):
        delete.trigger()
    with qtbot.waitSignal(part.split_requested):
        split.trigger()
    none, first, _ = daughter.menu().actions()
    assert none.isChecked()
    assert (first.text(), first.isChecked()) == ("object 1", False)
    for action, parent in ((first, 1), (none, None)):
        with qtbot.waitSignal(part.parent_chosen) as asked:
            action.trigger()
        assert asked.args == [2, parent]
    with qtbot.waitSignal(part.background_toggled) as asked:
        background.trigger()
    assert asked.args == [2, True]
    assert not every.isEnabled(), "nothing is hidden"
    with qtbot.waitSignal(part.eye_toggled) as asked:
        hide.trigger()
    assert (hide.text(), asked.args) == ("Hide", [2, True])
    with qtbot.waitSignal(part.alone_requested) as asked:
        alone.trigger()
    assert asked.args == [2]
    assert lock.text() == "Lock"
    with qtbot.waitSignal(part.lock_toggled) as asked:
        lock.trigger()
    assert asked.args == [2, True]
    rename.trigger()
    assert part.table.findChildren(QLineEdit)


def test_the_selected_object_is_merged_by_a_button(part, bench, objects, qtbot):
    part.show_state(bench)
    part.merge_menu.aboutToShow.emit()
    first, _ = part.merge_menu.actions()
    assert first.text() == "object 1"
    with qtbot.waitSignal(part.merge_requested) as asked:
        first.trigger()
    assert asked.args == [3, 1]
    for one in objects[1:]:
        bench.delete_object(one.object_id)
    part.show_state(bench)
    assert not part.merge_button.isEnabled(), "there is no other one"


@pytest.mark.usefixtures("objects")
def test_what_is_shown_alone_is_shown_with_all_others_again(part, bench, qtbot):
    part.show_state(bench)
    with qtbot.waitSignal(part.alone_requested) as asked:
        part.table.others_toggled.emit(2)
    assert asked.args == [2]
    bench.show_only(2)
    part.show_state(bench)
    with qtbot.waitSignal(part.alone_requested):
        part.table.others_toggled.emit(1)
    with qtbot.waitSignal(part.all_requested):
        part.table.others_toggled.emit(2)
    *_, show, _, every, _, _ = part.context_menu(1).actions()
    assert show.text() == "Show"
    with qtbot.waitSignal(part.all_requested):
        every.trigger()


@pytest.mark.usefixtures("objects")
def test_background_objects_are_counted_apart(part, bench, qtbot):
    bench.mark_background(3)
    part.show_state(bench)
    assert part.title() == "Objects (2 + 1 background)"
    assert part.background_button.isChecked()
    with qtbot.waitSignal(part.background_toggled) as asked:
        qtbot.mouseClick(part.background_button, LEFT)
    assert asked.args == [3, False]
    bench.select_object(1)
    part.show_state(bench)
    assert not part.background_button.isChecked()
