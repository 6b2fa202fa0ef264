"""Objects that nobody has shown are found from the window."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.parts import ObjectsPart

pytestmark = pytest.mark.gui

FRAMES = 4


@pytest.fixture
def truth():
    return squares(FRAMES)[1]


@pytest.fixture
def bench(fresh):
    fresh.choose_movie(fresh.viewer.add_image(squares(FRAMES)[0], name="squares"))
    return fresh


def labels_of(bench):
    bench.propagate()
    bench.wait()
    return bench.labels.data


def test_all_objects_of_the_frame_become_objects_and_are_carried(bench, truth):
    bench.find_objects()
    bench.wait()
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


def test_what_the_labels_have_is_not_found_again(bench, truth):
    bench.choose_labels(bench.viewer.add_labels(np.where(truth == 1, 1, 0)))
    bench.find_objects()
    bench.wait()
    made = [one.object_id for one in bench.objects.listed if one.object_id != 1]
    assert len(made) == 1
    labels = labels_of(bench)
    assert mask_iou(labels[bench.frame] == made[0], truth[bench.frame] == 2) > 0.9
    assert np.array_equal(labels == 1, truth == 1)


def test_it_is_undone_and_redone_at_once(bench):
    bench.find_objects()
    bench.wait()
    bench.undo()
    bench.wait()
    assert bench.objects.listed == ()
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
    assert bench.objects.listed == ()
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
    assert bench.objects.listed == ()


def test_another_movie_gets_nothing_of_it(bench, sam):
    sam.gate = threading.Semaphore(0)
    bench.find_objects()
    wait_until(lambda: bench.controller.label_worker.running is not None, 20)
    bench.choose_movie(bench.viewer.add_image(squares(FRAMES)[0], name="others"))
    sam.gate.release(100)
    bench.wait()
    assert bench.objects.listed == ()


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
    with pytest.raises(LabelsError, match="searched"):
        bench.measure()
    part.find_button.click()
    sam.gate.release(100)
    bench.wait()
    part.show_state(bench)
    assert part.find_button.text() == "Find objects"
    assert bench.objects.listed == ()
