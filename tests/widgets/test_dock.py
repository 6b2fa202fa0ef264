"""The dock in a real window, driven as a person would."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore")
pytestmark = pytest.mark.gui

from hand import ALT, NONE, SHIFT, Asked, Hand, press_key  # noqa: E402
from qtpy.QtCore import QPoint, Qt, QTimer  # noqa: E402
from qtpy.QtTest import QTest  # noqa: E402
from qtpy.QtWidgets import QApplication, QLineEdit, QScrollArea  # noqa: E402
from stage import squares  # noqa: E402
from superqt import QCollapsible  # noqa: E402

from napari_sam_decoder.errors import DecodingError, LabelsError  # noqa: E402
from napari_sam_decoder.formats import read_points_table  # noqa: E402
from napari_sam_decoder.widgets import controller, label_scans, workbench  # noqa: E402
from napari_sam_decoder.widgets.open_docks import change_keys  # noqa: E402
from napari_sam_decoder.widgets.parts.object_table import EYE, LOCK  # noqa: E402
from napari_sam_decoder.widgets.tools import Tool  # noqa: E402

PLUGIN, WIDGET = "napari-sam-decoder", "Segment through a movie"
FRAMES = 8


@pytest.fixture
def viewer(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1000, 700)
    return viewer


@pytest.fixture
def movie():
    return squares(FRAMES)


@pytest.fixture
def dock(viewer, sam, movie):
    viewer.add_image(movie[0], name="squares")
    viewer.dims.set_point(0, 0)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    return dock


@pytest.fixture
def bench(dock):
    return dock.workbench


def column_of(dock):
    """What is scrolled to see all sections."""
    areas = dock.findChildren(QScrollArea)
    return next(area for area in areas if area.isAncestorOf(dock._frame))


@pytest.fixture
def told(monkeypatch):
    """What the user is shown as notifications."""
    told = []
    for module in ("dock", "open_docks"):
        name = f"napari_sam_decoder.widgets.{module}.show_error"
        monkeypatch.setattr(name, told.append)
    return told


def click(viewer, qtbot, row, column):
    """Click with a real mouse on a pixel of the frame that is shown."""
    canvas = viewer.window._qt_viewer.canvas
    QApplication.processEvents()
    world = np.array([row, column], float)
    camera = viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera
    centre = np.array(camera.center[-2:])
    size = np.array([canvas.native.height(), canvas.native.width()])
    place = (world - centre) * camera.zoom + size / 2
    at = QPoint(round(place[1]), round(place[0]))
    QTest.mouseMove(canvas.native, at)
    qtbot.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=at)


def wait_for_steps(bench, qtbot, steps):
    def has_come():
        run = bench.controller.writer.run
        return run is not None and run.progress.done >= steps

    qtbot.waitUntil(has_come, timeout=20_000)


def iou(labels, truth, object_id):
    found, true = labels == object_id, truth == object_id
    return (found & true).sum() / (found | true).sum()


def test_clicks_pick_and_run_give_labels(dock, bench, viewer, qtbot, movie):
    qtbot.mouseClick(dock._objects.new_button, Qt.MouseButton.LeftButton)
    click(viewer, qtbot, 16, 14)
    bench.wait()
    assert len(bench.current_prompt.points) == 1
    np.testing.assert_allclose(bench.current_prompt.points[0], (16, 14), atol=1)
    offers = dock._frame.offers
    (best,) = (number for number, offer in enumerate(offers) if offer.isChecked())
    other = (best + 1) % len(offers)
    qtbot.mouseClick(offers[other], Qt.MouseButton.LeftButton)
    bench.wait()
    assert bench.current_prompt.hypothesis == 1 + other
    qtbot.mouseClick(offers[best], Qt.MouseButton.LeftButton)
    bench.wait()
    viewer.dims.set_point(0, 3)
    qtbot.mouseClick(dock._objects.new_button, Qt.MouseButton.LeftButton)
    click(viewer, qtbot, 45, 45)
    bench.wait()
    qtbot.mouseClick(dock._run.both, Qt.MouseButton.LeftButton)
    bench.wait()
    labels = viewer.layers["SAM labels"].data
    for frame in range(FRAMES):
        for object_id in (1, 2):
            assert iou(labels[frame], movie[1][frame], object_id) > 0.9
    assert dock.workbench.controller.state.outcome == f"Done: {FRAMES} frames."


@pytest.mark.parametrize("is_embedded", [True, False])
def test_an_answer_that_comes_soon_comes_before_anything_else(
    bench, monkeypatch, qtbot, is_embedded
):
    monkeypatch.setattr(controller, "PREVIEW_WAIT_S", 20)
    monkeypatch.setattr(workbench, "_PAUSE_S", 0)
    bench.new_object()
    layer = bench.points_layer
    layer.add([0, 16, 15])
    bench.wait()
    bench.stop_embedding()
    bench.controller.state.embedded = {0} if is_embedded else set()
    order = []
    bench.controller.previewed.connect(lambda: order.append("mask"))
    layer.add([0, 18, 16])
    QTimer.singleShot(0, lambda: order.append("all else"))
    qtbot.waitUntil(lambda: "mask" in order and "all else" in order)
    assert order[0] == ("mask" if is_embedded else "all else")


def test_a_picked_hypothesis_is_what_is_carried_on(bench, viewer, movie):
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.wait()
    ious = {}
    for number in (1, 2, 3):
        bench.choose_hypothesis(number)
        bench.propagate("both", frames=range(1))
        bench.wait()
        ious[number] = iou(bench.labels.data[0], movie[1][0], 1)
    best = max(ious, key=ious.get)
    assert min(ious.values()) < 0.7
    bench.choose_hypothesis(best)
    bench.propagate("both")
    bench.wait()
    for frame in range(FRAMES):
        assert iou(bench.labels.data[frame], movie[1][frame], 1) > 0.9
    points = viewer.layers["SAM points"]
    assert points.features["hypothesis"].tolist() == [best]


def test_the_preview_lies_on_its_frame_only_and_leaves_when_it_is_done(bench, viewer):
    bench.new_object()
    bench.add_points([2, 16, 16])
    viewer.dims.set_point(0, 2)
    bench.wait()
    preview = viewer.layers["SAM preview"]
    world = [2, 16, 16]
    assert preview.get_value(world, world=True) == 1
    assert viewer.layers.selection.active is viewer.layers["SAM points"]
    bench.propagate()
    bench.wait()
    assert not preview.data.any(), "the labels show it now"


def test_a_click_after_a_run_corrects_the_labels(dock, bench, viewer, qtbot):
    bench.new_object()
    bench.add_points([0, 16, 14])
    bench.propagate()
    bench.wait()
    bench.labels.data[4] = 0
    viewer.dims.set_point(0, 4)
    click(viewer, qtbot, 16, 18)
    bench.wait()
    assert (bench.labels.data[4] == 1).any()
    qtbot.waitUntil(lambda: dock._messages.message.text().startswith("Corrected: "))


def test_stopping_keeps_what_is_done(bench, viewer, sam, qtbot):
    bench.stop_embedding()
    sam.gate = threading.Semaphore(3)
    bench.new_object()
    bench.add_points([0, 16, 16])
    bench.wait()
    bench.propagate("forward")
    wait_for_steps(bench, qtbot, 2)
    bench.stop()
    sam.gate.release(100)
    bench.wait()
    labels = bench.labels.data
    assert (labels[0] == 1).any()
    assert not (labels[5:] == 1).any()
    assert bench.controller.state.outcome.startswith("Stopped; done so far: ")
    bench.propagate("forward")
    bench.wait()
    assert all((frame == 1).any() for frame in bench.labels.data)


def test_frames_are_embedded_around_the_one_that_is_shown(bench, viewer, sam, qtbot):
    viewer.dims.set_point(0, 5)
    order = []
    bench.controller._job_queue.embedded.connect(lambda step: order.append(step.frame))
    bench.embed()
    qtbot.waitUntil(lambda: len(bench.controller.state.embedded) == FRAMES)
    assert order[:4] == [5, 6, 4, 7]
    qtbot.waitUntil(lambda: not bench.controller.is_embedding)


def test_embedding_waits_until_a_click_is_answered(bench, sam, qtbot):
    sam.gate = threading.Semaphore(0)
    bench.new_object()
    bench.add_points([0, 16, 16])
    qtbot.waitUntil(lambda: bench.controller.is_previewing)
    bench.embed()
    assert not bench.controller.is_embedding
    sam.gate.release()
    qtbot.waitUntil(lambda: bench.controller.is_embedding)
    assert bench.current_preview is not None
    sam.gate.release(100)
    qtbot.waitUntil(lambda: len(bench.controller.state.embedded) == FRAMES)


def test_embedding_stops_on_request_and_goes_on(bench, sam, qtbot, dock):
    sam.gate = threading.Semaphore(2)
    bench.embed()
    qtbot.waitUntil(lambda: len(bench.controller.state.embedded) == 2)
    dock._movie_fold.expand(animate=False)
    qtbot.waitUntil(lambda: in_sight(dock, dock._movie.toggle))
    qtbot.waitUntil(lambda: dock._movie.toggle.text() == "Stop")
    qtbot.mouseClick(dock._movie.toggle, Qt.MouseButton.LeftButton)
    assert not bench.controller.is_embedding
    sam.gate.release(100)
    qtbot.waitUntil(lambda: dock._movie.toggle.text() == "Embed")
    qtbot.mouseClick(dock._movie.toggle, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(bench.controller.state.embedded) == FRAMES)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_one_way_leaves_the_other_alone(bench, viewer, direction):
    bench.new_object()
    bench.add_points([4, 16, 20])
    bench.propagate(direction)
    bench.wait()
    found = [int((frame == 1).any()) for frame in bench.labels.data]
    assert found == ([0] * 4 + [1] * 4 if direction == "forward" else [1] * 5 + [0] * 3)


def test_other_labels_stay_unless_told(bench, viewer, movie, told, dock, qtbot):
    existing = np.zeros_like(movie[1])
    existing[:, 12:16] = 9
    target = viewer.add_labels(existing.copy(), name="mine")
    bench.choose_labels(target)
    bench.wait()
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.propagate()
    bench.wait()
    assert (target.data[:, 12:16] == 9).all()
    assert (target.data == 10).any(), "a new object gets an id above those"
    bench.propagate(replace=True)
    bench.wait()
    assert not (target.data[:, 12:16] == 9).all()


def test_frames_painted_by_hand_stay(bench, viewer):
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.propagate()
    bench.wait()
    viewer.dims.set_point(0, 3)
    bench.labels.selected_label = 5
    bench.labels.paint([3, 60, 60], 1)
    painted = bench.labels.data[3].copy()
    bench.propagate()
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data[3], painted)


def test_layers_may_be_renamed_and_deleted_in_mid_run(bench, viewer, sam, qtbot, dock):
    bench.stop_embedding()
    sam.gate = threading.Semaphore(2)
    bench.new_object()
    points = bench.points_layer
    points.add([0, 16, 15])
    bench.propagate()
    wait_for_steps(bench, qtbot, 1)
    viewer.layers["squares"].name = "renamed"
    bench.labels.name = "my labels"
    qtbot.waitUntil(lambda: dock._movie.layer.box.current_choice == "renamed")
    assert dock._run.labels.box.current_choice == "my labels"
    viewer.layers.remove(points)
    sam.gate.release(100)
    bench.wait()
    assert all((frame == 1).any() for frame in viewer.layers["my labels"].data)
    assert dock._objects.table.ids == (1,), "the labels hold it"


def test_a_run_whose_labels_are_deleted_stops_and_says_so(bench, viewer, sam, qtbot):
    bench.stop_embedding()
    sam.gate = threading.Semaphore(2)
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.propagate()
    wait_for_steps(bench, qtbot, 1)
    viewer.layers.remove(bench.labels)
    sam.gate.release(100)
    bench.wait()
    assert bench.labels is None
    assert "'SAM labels' was removed" in bench.controller.state.outcome
    bench.propagate()
    bench.wait()
    assert (bench.labels.data == 1).any()


def test_deleting_the_movie_in_mid_run_leaves_a_usable_dock(
    bench, viewer, sam, qtbot, dock, movie
):
    bench.stop_embedding()
    sam.gate = threading.Semaphore(2)
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.propagate()
    wait_for_steps(bench, qtbot, 1)
    viewer.layers.remove(bench.movie.layer)
    sam.gate.release(100)
    qtbot.waitUntil(lambda: bench.is_idle)
    assert bench.movie is None
    qtbot.waitUntil(lambda: dock._messages.message.text().startswith("Open a movie"))
    viewer.add_image(movie[0], name="again")
    qtbot.waitUntil(lambda: bench.movie is not None)


def test_pixels_that_are_replaced_are_embedded_again(bench, viewer, movie):
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.propagate()
    bench.wait()
    viewer.layers["squares"].data = movie[0][:, ::-1].copy()
    viewer.layers["SAM points"].data = [[0, 47, 15]]
    bench.propagate()
    bench.wait()
    assert iou(bench.labels.data[4], movie[1][4, ::-1], 1) > 0.9


def test_an_error_of_the_network_is_told_and_the_dock_goes_on(
    bench, sam, told, dock, qtbot
):
    sam.error = DecodingError("out of memory; choose the device 'cpu'")
    bench.new_object()
    bench.add_points([0, 16, 15])
    with pytest.raises(DecodingError, match="choose the device"):
        bench.wait()
    assert set(told) == {"out of memory; choose the device 'cpu'"}
    sam.error = None
    bench.propagate()
    bench.wait()
    assert (bench.labels.data == 1).any()


def test_keys_do_what_buttons_do(bench, viewer, qtbot):
    press = Hand(viewer).press
    press(Qt.Key.Key_N)
    assert [listed.object_id for listed in bench.objects.listed] == [1]
    viewer.layers["SAM points"].add([0, 16, 15])
    bench.wait()
    press(Qt.Key.Key_3)
    bench.wait()
    assert bench.current_prompt.hypothesis == 3
    press(Qt.Key.Key_0)
    bench.wait()
    assert bench.current_prompt.hypothesis is None
    press(Qt.Key.Key_X)
    viewer.layers["SAM points"].add([0, 50, 50])
    bench.wait()
    assert bench.current_prompt.signs == (True, False)
    press(Qt.Key.Key_B)
    bench.wait()
    assert (bench.labels.data == 1).any()


def test_a_volume_may_be_followed_along_any_axis(bench, viewer, movie):
    bench.choose_movie(viewer.layers["squares"], axis=2)
    assert viewer.dims.displayed == (0, 1)
    assert len(bench.movie) == 64
    bench.choose_movie(viewer.layers["squares"], axis=0)
    assert viewer.dims.displayed == (1, 2)


def test_a_run_goes_on_in_its_own_volume_when_another_is_looked_at(
    make_napari_viewer, sam, movie, qtbot
):
    viewer = make_napari_viewer(show=True)
    volumes = np.stack([movie[0], movie[0][:, ::-1]])
    viewer.add_image(volumes, name="volumes", axis_labels=("t", "z", "y", "x"))
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    bench = dock.workbench
    bench.choose_movie(viewer.layers["volumes"], axis=1)
    viewer.dims.set_point((0, 1), (0, 0))
    bench.stop_embedding()
    sam.gate = threading.Semaphore(2)
    bench.new_object()
    bench.add_points([0, 0, 16, 15])
    bench.propagate()
    wait_for_steps(bench, qtbot, 1)
    viewer.dims.set_point(0, 1)
    assert bench.movie.fixed == ((0, 1),)
    sam.gate.release(100)
    bench.wait()
    labels = viewer.layers["SAM labels"].data
    assert all((plane == 1).any() for plane in labels[0])
    assert not labels[1].any()


def test_labels_that_cannot_be_read_are_not_waited_for(
    bench, viewer, movie, told, monkeypatch
):
    def fail(*_):
        raise LabelsError("the labels cannot be read; choose others")
        yield

    monkeypatch.setattr(label_scans, "scan_labels", fail)
    bench.choose_labels(viewer.add_labels(np.zeros_like(movie[1]), name="mine"))
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.propagate()
    with pytest.raises(LabelsError, match="choose others"):
        bench.wait()
    assert bench.labels is None
    bench.propagate()
    bench.wait()
    assert (bench.labels.data == 1).any()


def test_points_that_are_saved_are_what_the_command_line_reads(bench, viewer, tmp_path):
    bench.new_object()
    layer = bench.points_layer
    layer.add([0, 16, 15])
    bench.set_sign(False)
    layer.add([0, 50, 50])
    (saved,) = layer.save(str(tmp_path / "points.csv"))
    table = read_points_table(saved)
    assert table.positions.tolist() == [[16, 15], [50, 50]]
    assert table.signs.tolist() == [True, False]
    assert table.object_ids.tolist() == [1, 1]
    assert table.hypotheses.tolist() == [0, 0]


def test_points_that_cannot_be_used_are_said(bench, viewer, dock, qtbot):
    points = viewer.add_points([[0, 16, 15], [0, 500, 3], [99, 3, 3]], name="clicks")
    bench.use_points(points)
    assert len(bench.notices) == 2
    notices = dock._messages.notices
    qtbot.waitUntil(lambda: "outside the picture" in notices.text())
    bench.delete_object(1)
    qtbot.waitUntil(lambda: not notices.text())


def test_two_docks_have_nothing_to_do_with_each_other(make_napari_viewer, sam, movie):
    benches = []
    for _ in range(2):
        viewer = make_napari_viewer(show=True)
        viewer.add_image(movie[0])
        _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
        benches.append(dock.workbench)
    benches[0].new_object()
    benches[0].add_points([0, 16, 15])
    benches[0].propagate()
    benches[0].wait()
    assert benches[0].labels is not None
    assert benches[1].labels is None


def test_the_dock_finds_everything_again(viewer, sam, movie, qtbot):
    for name in ("first", "second"):
        viewer.add_image(movie[0].copy(), name=name)
    viewer.dims.set_point(0, 0)
    frame, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    dock.workbench.choose_movie(viewer.layers["second"])
    dock.workbench.new_object()
    dock.workbench.add_points([0, 16, 15])
    dock.workbench.propagate()
    dock.workbench.wait()
    frame.title.close_button.click()
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    assert dock._movie.layer.box.current_choice == "second"
    assert dock._run.labels.box.current_choice == "SAM labels"
    done = f"Done: {FRAMES} frames."
    qtbot.waitUntil(lambda: dock._messages.message.text().startswith(done))
    cells = (dock._objects.table.cell(1, place).data() for place in range(7))
    assert [*cells] == ["object 1", "", "", "1", "0\N{EN DASH}7", "", ""]


def test_a_second_dock_on_a_viewer_shows_the_same(viewer, dock, told, qtbot):
    second = type(dock)(viewer)
    frame = viewer.window.add_dock_widget(second, name="second")
    assert second.workbench is dock.workbench
    bench = dock.workbench
    canvas = viewer.window._qt_viewer.canvas.native
    press_key(canvas, Qt.Key.Key_N)
    assert len(bench.objects.listed) == 1, "a key acts once"
    bench.points_layer.add([0, 16, 15])
    bench.failed.emit(LabelsError("choose other labels"))
    assert told == ["choose other labels"], "an error is told once"
    frame.title.close_button.click()
    press_key(canvas, Qt.Key.Key_B)
    bench.wait()
    assert (bench.labels.data == 1).any(), "the first dock goes on"


@pytest.mark.parametrize("what", ["window", "dock"])
def test_closing_during_a_run_leaves_nothing_behind(
    what, make_napari_viewer, sam, movie, qtbot
):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(movie[0], name="squares")
    frame, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    bench = dock.workbench
    bench.stop_embedding()
    sam.gate = threading.Semaphore(3)
    bench.new_object()
    bench.add_points([0, 16, 15])
    bench.propagate()
    wait_for_steps(bench, qtbot, 1)
    gone = []
    for thread in (
        bench.controller._job_queue._quick,
        bench.controller._job_queue._long,
    ):
        thread.destroyed.connect(lambda: gone.append(True))
    alive = [weakref.ref(thing) for thing in (dock, bench, bench.controller)]
    if what == "window":
        viewer.close()
    else:
        asked = Asked("Stop and close")
        frame.title.close_button.click()
        asked.stop()
    del dock, bench, frame, thread
    sam.gate.release(100)
    qtbot.waitUntil(lambda: len(gone) == 2)

    def are_gone():
        gc.collect()
        return all(thing() is None for thing in alive)

    qtbot.waitUntil(are_gone)
    names = [thread.name for thread in threading.enumerate()]
    assert "napari-sam-decoder" not in names


def test_a_closed_dock_gives_back_its_keys(viewer, sam, movie, qtbot):
    canvas = viewer.window._qt_viewer.canvas.native
    called, before = [], set(viewer.keymap)
    viewer.bind_key("Alt-N", lambda _: called.append("mine"))
    frame, dock = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    viewer.add_image(movie[0])
    dock.refresh()
    press_key(canvas, Qt.Key.Key_N)
    assert len(dock.workbench.objects.listed) == 1
    assert set(viewer.keymap) > before, "undo is bound"
    frame.title.close_button.click()
    press_key(canvas, Qt.Key.Key_N)
    assert called == ["mine"]
    viewer.bind_key("Alt-N", None)
    assert set(viewer.keymap) == before


def test_nothing_is_cut_off_at_the_side(dock, bench, qtbot):
    bench.new_object()
    bench.add_points((0, 16, 14))
    bench.wait()
    for section in dock.findChildren(QCollapsible):
        section.expand(animate=False)
    by_hand = dock._form.contrast.box.native
    by_hand.setCurrentIndex(by_hand.count() - 1)
    qtbot.waitUntil(lambda: not dock._frame.offers[0].icon().isNull())
    qtbot.waitUntil(dock._form.contrast.low.native.isVisible)
    qtbot.wait(100)
    scroll = column_of(dock)
    assert scroll.horizontalScrollBar().maximum() == 0


def test_keys_work_where_text_is_entered_and_menus_have_them(viewer, dock, qtbot):
    dock.workbench.new_object()
    canvas = viewer.window._qt_viewer.canvas.native
    controls = viewer.window._qt_viewer.controls
    colour = next(one for one in controls.findChildren(QLineEdit) if one.isVisible())
    fields = canvas, dock._run.first.native, dock._objects.table, dock._objects.filter
    for field in (*fields, colour, viewer.window._qt_viewer.layers):
        scribble_with_key(dock, field)
    assert dock._objects.filter.text() == ""


def test_typing_types_also_where_a_letter_is_a_key(viewer, dock, qtbot):
    change_keys(dock._docks, {"new_object": "Q"})
    field, canvas = dock._objects.filter, viewer.window._qt_viewer.canvas.native
    field.setFocus()
    press_key(field, Qt.Key.Key_Q, NONE)
    assert field.text() == "q"
    assert dock.workbench.objects.listed == ()
    canvas.setFocus()
    press_key(canvas, Qt.Key.Key_Q, NONE)
    assert len(dock.workbench.objects.listed) == 1


def test_keys_work_with_further_windows(viewer, dock, make_napari_viewer, qtbot):
    dock.workbench.new_object()
    canvas = viewer.window._qt_viewer.canvas.native
    # Its menus give the actions that both share their keys again.
    another = make_napari_viewer(show=True)
    scribble_with_key(dock, canvas)
    another.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    another.close()
    scribble_with_key(dock, canvas)


def scribble_with_key(dock, field):
    dock.workbench.set_sign(True)
    field.setFocus()
    press_key(field, Qt.Key.Key_S)
    assert dock.workbench.tool is Tool.SCRIBBLE, field


def in_sight(dock, control):
    """Whether all of a control can be seen without scrolling."""
    place = control.mapTo(dock, control.rect().topLeft())
    is_inside = dock.rect().contains(control.rect().translated(place))
    return is_inside and control.visibleRegion().boundingRect() == control.rect()


@pytest.mark.parametrize("size", [(1280, 720), (900, 500)])
def test_what_is_needed_all_day_is_in_sight(dock, bench, viewer, qtbot, size):
    viewer.window._qt_window.resize(*size)
    bench.new_object()
    bench.add_points((0, 16, 14))
    bench.wait()
    qtbot.wait(100)
    run, project = dock._run, dock._project
    always = run.backward, run.both, run.forward, run.stop, run.progress, project.undo
    assert all(in_sight(dock, control) for control in always)
    scroll = column_of(dock)
    for offer in dock._frame.offers:
        scroll.ensureWidgetVisible(offer)
        assert in_sight(dock, offer)


def test_nothing_moves_when_texts_change(dock, bench, qtbot):
    bench.new_object()
    bench.add_points((0, 16, 14))
    bench.wait()
    qtbot.wait(100)

    def places():
        controls = (
            dock._run.both,
            dock._objects.new_button,
            dock._objects.table,
            *dock._frame.offers,
            *dock._frame.tools.values(),
        )
        return [one.mapTo(dock, one.rect().topLeft()) for one in controls]

    before = places()
    bench.controller.state.outcome = "This went on and on. " * 20
    bench.add_points((0, 999, 14))
    dock.refresh()
    dock._frame.verdict.setText("doubtful for many reasons " * 9)
    qtbot.wait(100)
    assert dock._messages.notices.text()
    assert places() == before


def test_an_error_is_shown_whole_until_something_succeeds(dock, bench, told, qtbot):
    bench.new_object()
    qtbot.waitUntil(lambda: not dock._refresh_timer.isActive())
    dock._run.run_requested.emit("sideways")
    assert dock._messages.whole.text() == told[0]
    assert dock._messages.whole.isVisible()
    qtbot.mouseClick(dock._objects.new_button, Qt.MouseButton.LeftButton)
    assert not dock._messages.whole.isVisible()


def test_the_movie_is_folded_away_once_it_is_chosen(
    dock, make_napari_viewer, sam, qtbot
):
    dock.refresh()
    assert not in_sight(dock, dock._movie.toggle)
    assert dock._movie_fold.text() == f"squares: 0 / {FRAMES} frames embedded"
    dock.workbench.movie.layer.name = "a name that is longer than most of them are"
    qtbot.waitUntil(lambda: "a name that is longe…: " in dock._movie_fold.text())
    _, other = make_napari_viewer(show=True).window.add_plugin_dock_widget(
        PLUGIN, WIDGET
    )
    qtbot.waitUntil(lambda: in_sight(other, other._movie.toggle))


def test_a_row_shows_a_frame_of_its_object(dock, bench, viewer, qtbot):
    bench.new_object()
    bench.add_points((5, 16, 14))
    bench.new_object()
    dock.refresh()
    table = dock._objects.table
    place = table.visualRect(table.cell(1)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert bench.objects.current_id == 1
    assert bench.frame == viewer.dims.current_step[0] == 5


def test_keys_step_through_the_table_as_it_is_sorted(dock, bench, viewer, qtbot):
    for name in ("a", "c", "b"):
        bench.new_object(name)
    dock.refresh()
    dock._objects.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    canvas = viewer.window._qt_viewer.canvas.native
    seen = []
    for _ in range(3):
        press_key(canvas, Qt.Key.Key_O)
        seen.append(bench.objects.current.name)
    assert seen == ["c", "a", "b"]


def test_an_object_is_locked_by_a_click_and_by_key(dock, bench, viewer, told, qtbot):
    bench.new_object()
    dock.refresh()
    table = dock._objects.table
    lock = table.visualRect(table.cell(1, LOCK)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=lock)
    assert bench.objects.current.is_locked
    qtbot.mouseClick(dock._objects.delete_button, Qt.MouseButton.LeftButton)
    assert "is locked" in told[0]
    assert dock._messages.whole.text() == told[0]
    canvas = viewer.window._qt_viewer.canvas.native
    press_key(canvas, Qt.Key.Key_L, ALT | SHIFT)
    assert not bench.objects.current.is_locked


def test_an_object_is_hidden_by_a_click_and_by_key(dock, bench, viewer, qtbot):
    for _ in range(2):
        bench.new_object()
    dock.refresh()
    table = dock._objects.table
    eye = table.visualRect(table.cell(1, EYE)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=eye)
    assert bench.objects.hidden_ids == {1}
    canvas = viewer.window._qt_viewer.canvas.native
    hidden = []
    for keys in (ALT, ALT, ALT | SHIFT, ALT | SHIFT):
        press_key(canvas, Qt.Key.Key_I, keys)
        hidden.append(set(bench.objects.hidden_ids))
    # 2, which is selected, is the only one that is shown.
    assert hidden == [{1, 2}, {1}, set(), {1}]


def test_a_hidden_object_is_not_drawn(dock, bench, viewer, qtbot):
    def picture():
        QApplication.processEvents()
        return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)

    def coloured():
        """How many pixels are neither black, grey nor white."""
        return int((np.ptp(picture(), axis=-1) > 40).sum())

    bench.new_object()
    bench.add_points((0, 16, 14))
    bench.wait()
    assert coloured() > 0
    bench.hide_object(1)
    assert coloured() == 0, "neither point nor preview"
    bench.show_object(1)
    bench.propagate()
    bench.wait()
    assert coloured() > 0
    bench.hide_object(1)
    assert coloured() == 0, "neither point nor label"


def test_an_object_is_made_a_background_object_by_a_click_and_by_key(
    dock, bench, viewer, qtbot
):
    bench.new_object()
    dock.refresh()
    left = Qt.MouseButton.LeftButton
    qtbot.mouseClick(dock._objects.background_button, left)
    assert bench.objects.background_ids == {1}
    canvas = viewer.window._qt_viewer.canvas.native
    press_key(canvas, Qt.Key.Key_N, ALT | SHIFT)
    assert bench.objects.background_ids == set()
