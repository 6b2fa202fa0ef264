"""Objects that nobody has shown are found from the window."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from hand import ALT, SHIFT, Hand, press_key
from qtpy.QtCore import Qt
from stage import squares

from napari_sam_decoder.errors import LabelsError, OptionError, PromptError
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.widgets import objects
from napari_sam_decoder.widgets.dock import SamDecoderDock
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.messages import describe
from napari_sam_decoder.widgets.parts import ObjectsPart
from napari_sam_decoder.widgets.saving import LabelSaving
from napari_sam_decoder.widgets.unfinished import unfinished_anywhere

pytestmark = pytest.mark.gui

FRAMES = 4


@pytest.fixture
def truth():
    return squares(FRAMES)[1]


@pytest.fixture
def bench(fresh):
    fresh.choose_movie(fresh.viewer.add_image(squares(FRAMES)[0], name="squares"))
    fresh.show_frame(0)
    return fresh


def labels_of(bench):
    bench.propagate()
    bench.wait()
    return bench.labels.data


def find(bench):
    bench.find_objects()
    bench.wait()


def keep(bench):
    made = bench.keep_candidates()
    bench.wait()
    return [one.object_id for one in made]


def number_of(bench, mask):
    """The candidate that is a mask."""
    fits = {
        number: mask_iou(one.mask.to_array(), mask)
        for number, one in bench.candidates.items()
    }
    best = max(fits, key=fits.get)
    assert fits[best] > 0.9
    return best


def shown(bench):
    """Values of the preview, and the keys that are drawn in grey."""
    layer = bench._overlay.layer
    return {*np.unique(layer.data).tolist()} - {0}, bench._overlay._outline.background


def test_what_is_found_is_offered_and_is_no_object_yet(bench, truth):
    find(bench)
    assert len(bench.candidates) == 2
    assert bench.objects.listed == ()
    assert bench.labels is None
    assert shown(bench) == ({1, 2}, frozenset())
    for object_id in (1, 2):
        number_of(bench, truth[bench.frame] == object_id)
    bench.show_frame(1)
    assert shown(bench)[0] == {1, 2}
    assert not bench.are_candidates_here
    assert "frame 0" in bench.offer


def test_all_that_are_kept_become_objects_and_are_carried(bench, truth):
    find(bench)
    assert keep(bench) == [1, 2]
    assert not bench.candidates
    assert len(bench.objects.listed) == 2
    (frame,) = np.flatnonzero(bench.labels.data.any(axis=(1, 2)))
    assert frame == bench.frame
    assert set(np.unique(bench.labels.data)) == {0, 1, 2}
    labels = labels_of(bench)
    for frame in range(FRAMES):
        for object_id in (1, 2):
            fits = [
                mask_iou(labels[frame] == one, truth[frame] == object_id)
                for one in (1, 2)
            ]
            assert max(fits) > 0.9


def test_labels_are_looked_at_once_for_all_that_are_kept(bench, monkeypatch):
    layer = bench.viewer.add_labels(np.zeros((FRAMES, 64, 64), np.uint16))
    find(bench)
    planes, largest = [], objects._largest

    def count(plane):
        planes.append(plane)
        return largest(plane)

    monkeypatch.setattr(objects, "_largest", count)
    assert len(bench.keep_candidates()) > 1
    assert len(planes) == len(layer.data)


def test_what_the_labels_have_is_not_found_again(bench, truth):
    bench.choose_labels(bench.viewer.add_labels(np.where(truth == 1, 1, 0)))
    find(bench)
    made = keep(bench)
    assert len(made) == 1
    labels = labels_of(bench)
    assert mask_iou(labels[bench.frame] == made[0], truth[bench.frame] == 2) > 0.9
    assert np.array_equal(labels == 1, truth == 1)


def test_what_was_only_clicked_is_not_found_again(bench, truth):
    bench.new_object()
    bench.add_points((0, *np.argwhere(truth[0] == 1)[20]))
    bench.wait()
    find(bench)
    assert len(bench.candidates) == 1
    assert number_of(bench, truth[0] == 2) == 1
    # Neither has the colour of the other.
    assert shown(bench)[0] == {1, 2}


def test_what_is_dropped_is_grey_and_becomes_no_object(bench, truth):
    find(bench)
    dropped = number_of(bench, truth[0] == 1)
    bench.choose_candidate(dropped, is_kept=False)
    assert shown(bench) == ({1, 2}, {dropped})
    (made,) = keep(bench)
    assert mask_iou(bench.labels.data[0] == made, truth[0] == 2) > 0.9
    assert shown(bench)[0] == set()


def test_small_ones_are_dropped_and_sizes_are_undone_together(bench, truth):
    find(bench)
    before = len(bench.history.done)
    sizes = sorted(one.area for one in bench.candidates.values())
    for pixels in (10, sizes[0], sizes[-1] + 1):
        bench.drop_small_candidates(pixels)
    assert bench.candidates.kept == {}
    bench.undo()
    assert len(bench.history.done) == before
    assert len(bench.candidates.kept) == 2


def test_several_become_one(bench, truth):
    find(bench)
    assert bench.merge_candidates([1, 2]) == 1
    (made,) = keep(bench)
    assert mask_iou(bench.labels.data[0] == made, truth[0] > 0) > 0.9


def test_another_search_replaces_them_and_discarding_is_undone(bench):
    find(bench)
    bench.discard_candidates()
    assert not bench.candidates
    bench.undo()
    assert len(bench.candidates) == 2
    bench.show_frame(2)
    find(bench)
    assert {one.place for one in bench.candidates.values()} == {(2,)}
    bench.undo()
    assert {one.place for one in bench.candidates.values()} == {(0,)}


def test_what_cannot_be_done_with_candidates_is_refused(bench):
    for refused in (bench.keep_candidates, bench.discard_candidates):
        with pytest.raises(PromptError, match="Find objects"):
            refused()
    find(bench)
    for number in (1, 2):
        bench.choose_candidate(number, is_kept=False)
    with pytest.raises(PromptError, match="no candidate to keep"):
        bench.keep_candidates()
    with pytest.raises(PromptError, match="no candidate 3"):
        bench.choose_candidate(3, is_kept=True)
    for numbers, why in (([1, 1], "two candidates"), ([1, 9], "no candidate 9")):
        with pytest.raises(PromptError, match=why):
            bench.merge_candidates(numbers)
    for pixels in (-1, 2.5, None):
        with pytest.raises(OptionError):
            bench.drop_small_candidates(pixels)
    assert len(bench.candidates) == 2


def test_a_daughter_is_offered_and_kept_with_her_mother(bench, truth):
    labels = np.zeros_like(truth)
    labels[0] = truth[1] > 0
    labels[1] = truth[1] == 1
    bench.choose_labels(bench.viewer.add_labels(labels))
    bench.wait()
    bench.show_frame(1)
    find(bench)
    assert [one.parent for one in bench.candidates.values()] == [1]
    (made,) = bench.keep_candidates()
    assert made.parent == 1


def test_positions_pick_and_merge(bench, truth):
    find(bench)
    middles = [np.argwhere(truth[0] == one).mean(axis=0) for one in (1, 2)]
    first, second = [(0.0, *one) for one in middles]
    assert bench.pick_object_at(first)
    assert len(bench.candidates.kept) == 1
    assert bench.pick_object_at(first)
    assert len(bench.candidates.kept) == 2
    assert not bench.pick_candidate_at((0, 1, 60))
    bench.merge_candidates_along([(0, 1, 60), first])
    assert len(bench.candidates) == 2
    bench.merge_candidates_along([first, second])
    assert len(bench.candidates) == 1


def test_it_is_undone_and_redone_at_once(bench):
    find(bench)
    keep(bench)
    bench.undo()
    bench.wait()
    assert bench.objects.listed == ()
    assert len(bench.candidates) == 2
    assert not bench.labels.data.any()
    assert len(bench.controller.prompts) == 0
    bench.redo()
    bench.wait()
    assert bench.labels.data.any()
    assert len(bench.objects.listed) == 2
    assert len(bench.controller.prompts) == 2


def test_on_an_empty_frame_it_says_what_to_do(bench):
    bench.choose_movie(bench.viewer.add_image(np.full((2, 64, 64), 40, np.uint8)))
    bench.find_objects()
    bench.wait()
    assert not bench.candidates
    assert "No object was found" in bench.controller.state.outcome


def test_it_waits_for_the_movie_to_be_opened_and_can_be_stopped(
    bench, sam, monkeypatch
):
    sam.gate = threading.Semaphore(0)
    bench.find_objects()
    assert not bench.is_idle
    bench.stop_label_work()
    sam.gate.release(100)
    bench.wait()
    assert not bench.candidates


def test_after_resuming_they_are_there(bench, make_bench):
    find(bench)
    bench.choose_candidate(2, is_kept=False)
    bench.wait()
    bench.close()
    again = make_bench()
    again.choose_movie(again.viewer.add_image(squares(FRAMES)[0], name="squares"))
    again.wait()
    again.resume()
    again.wait()
    assert [*again.candidates] == [1, 2]
    assert [*again.candidates.kept] == [1]
    assert shown(again)[1] == {2}


def test_what_is_under_way_is_told_as_a_search_of_a_frame(bench):
    bench.add_points((0, 16, 14), bench.new_object().object_id)
    labels_of(bench)
    bench.find_objects()
    said = " ".join(unfinished_anywhere(bench.controller))
    assert "A frame is being searched for objects" in said
    with pytest.raises(LabelsError, match=r"^a frame is being searched .* just now"):
        bench.measure()
    bench.wait()


def test_another_movie_gets_nothing_of_it(bench, sam):
    sam.gate = threading.Semaphore(0)
    bench.find_objects()
    wait_until(lambda: bench.controller.label_worker.running is not None, 20)
    bench.choose_movie(bench.viewer.add_image(squares(FRAMES)[0], name="others"))
    sam.gate.release(100)
    bench.wait()
    assert not bench.candidates


def searching(bench, sam):
    """Look for objects, but see none before the gate is opened."""
    sam.gate = threading.Semaphore(0)
    bench.find_objects()
    assert wait_until(lambda: bench.controller.label_worker.running is not None, 20)


@pytest.mark.parametrize(
    "change",
    [
        lambda bench: bench.configure(
            replace(bench.controller.state.options, contrast=(0.0, 250.0))
        ),
        lambda bench: bench.compose(["squares", "green"]),
        lambda bench: bench.embed_as_shown(),
    ],
    ids=["contrast", "channels", "as shown"],
)
def test_a_search_begins_anew_when_the_movie_is_seen_in_another_way(bench, sam, change):
    green = bench.viewer.add_image(squares(FRAMES)[0], name="green")
    green.visible = False
    searching(bench, sam)
    before = bench.controller.label_worker.running.session
    change(bench)
    assert wait_until(lambda: bench.controller.label_worker.running is not None, 20)
    assert bench.controller.label_worker.running.session is not before
    sam.gate.release(100)
    bench.wait()
    assert len(bench.candidates) == 2


def test_a_search_ends_without_a_word_with_its_movie(bench, sam):
    searching(bench, sam)
    failures = []
    bench.failed.connect(failures.append)
    movie = bench.movie.layer
    bench.viewer.layers.remove(movie)
    assert bench.controller.label_worker.running is None
    sam.gate.release(100)
    assert wait_until(lambda: bench.is_idle, 20)
    bench.choose_movie(bench.viewer.add_layer(movie))
    assert wait_until(lambda: bench.is_idle, 20)
    assert failures == []
    assert not bench.candidates


def test_a_search_waits_until_labels_are_saved(bench, truth, monkeypatch, tmp_path):
    bench.choose_labels(bench.viewer.add_labels(np.where(truth == 1, 1, 0)))
    bench.wait()
    steps, gate = LabelSaving.steps, threading.Semaphore(0)

    def wait_and_save(saving):
        gate.acquire(timeout=20)
        yield from steps(saving)

    monkeypatch.setattr(LabelSaving, "steps", wait_and_save)
    assert bench.controller.state.session is None
    bench.find_objects()
    bench.save_labels(tmp_path / "labels.tif")
    assert wait_until(lambda: bench.controller.state.session is not None, 20)
    gate.release()
    bench.wait()
    assert (tmp_path / "labels.tif").exists()
    assert len(bench.candidates) == 1


def test_the_button_stops_while_it_searches(bench, sam, truth, qtbot):
    part = ObjectsPart()
    qtbot.addWidget(part)
    part.find_requested.connect(bench.find_objects)
    part.stop_requested.connect(bench.stop_label_work)
    bench.choose_labels(bench.viewer.add_labels(np.zeros_like(truth)))
    sam.gate = threading.Semaphore(0)
    part.show_state(bench)
    part.find_button.click()
    wait_until(lambda: bench.controller.label_worker.running is not None, 20)
    part.show_state(bench)
    assert part.find_button.text() == "Stop search"
    assert describe(bench).startswith("Looking for objects: 0 / ")
    with pytest.raises(LabelsError, match="searched"):
        bench.measure()
    part.find_button.click()
    sam.gate.release(100)
    bench.wait()
    part.show_state(bench)
    assert part.find_button.text() == "Find objects"
    assert not bench.candidates


def test_the_row_of_candidates_takes_the_place_of_the_tools(bench, qtbot):
    part = ObjectsPart()
    qtbot.addWidget(part)
    row = part.candidates
    row.keep_requested.connect(bench.keep_candidates)
    row.discard_requested.connect(bench.discard_candidates)
    row.smallest_chosen.connect(bench.drop_small_candidates)
    part.show_state(bench)
    assert part._below.currentWidget() is not row
    find(bench)
    part.show_state(bench)
    assert part._below.currentWidget() is row
    assert row.count.text() == "2 of 2 kept"
    row.smallest.setValue(10**6)
    part.show_state(bench)
    assert row.count.text() == "0 of 2 kept"
    assert not row.keep_button.isEnabled()
    bench.undo()
    part.show_state(bench)
    assert row.smallest.value() == 0
    row.keep_button.click()
    bench.wait()
    assert len(bench.objects.listed) == 2
    part.show_state(bench)
    assert part._below.currentWidget() is not row


def test_clicks_and_drags_in_the_window_choose_among_them(
    make_napari_viewer, monkeypatch, sam, truth, qtbot
):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(squares(FRAMES)[0], name="squares")
    viewer.dims.set_point(0, 0)
    dock = SamDecoderDock(viewer)
    viewer.window.add_dock_widget(dock, area="right")
    bench, hand = dock.workbench, Hand(viewer)
    bench.new_object()
    press_key(dock, Qt.Key.Key_F, ALT | SHIFT)
    bench.wait()
    assert len(bench.candidates.kept) == 2
    middles = [np.argwhere(truth[0] == one).mean(axis=0) for one in (1, 2)]
    hand.click(*middles[0])
    assert len(bench.candidates.kept) == 1
    hand.click(*middles[0])
    center = tuple(hand.camera.center)
    hand.drag(*middles, modifier=SHIFT)
    assert tuple(hand.camera.center) == center
    assert len(bench.candidates) == 1
    hand.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(bench.candidates.kept) == 2
    # With a tool that shows an object, Alt chooses.
    bench.new_object()
    hand.click(*middles[1], modifier=ALT)
    assert len(bench.candidates.kept) == 1
    assert bench.objects.points == ()
    press_key(dock, Qt.Key.Key_K, ALT | SHIFT)
    bench.wait()
    assert [one.object_id for one in bench.summaries if one.span] == [3]
