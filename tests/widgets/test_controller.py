"""Runs that fail or end at awkward moments, and what else waits for its turn."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares

from disk_labels import DiskLabels
from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets.job_queue import wait_until

pytestmark = pytest.mark.gui

FRAMES = 8
FIRST, SECOND = (16, 14), (44, 46)
"""Where the two squares are on frame 0."""


def begin(bench, name="squares"):
    """Choose a new movie on which one object is shown."""
    movie, _ = squares(FRAMES)
    layer = bench.viewer.add_image(movie, name=name)
    bench.choose_movie(layer)
    bench.viewer.dims.set_point(0, 0)
    bench.new_object()
    bench.add_points((0, *FIRST))
    bench.wait()
    return layer


def settle(bench):
    """Wait without raising what has failed."""
    assert wait_until(lambda: bench.is_idle, 20)


def failures_of(bench):
    failures = []
    bench.failed.connect(failures.append)
    return failures


@pytest.fixture
def on_disk(fresh):
    """An object, and labels on a disk."""
    begin(fresh)
    disk = DiskLabels(np.zeros((FRAMES, 64, 64), np.uint16))
    fresh.choose_labels(fresh.viewer.add_labels(disk, name="disk"))
    fresh.wait()
    return fresh, disk


def test_a_run_stops_at_the_first_frame_that_cannot_be_written(on_disk):
    bench, disk = on_disk
    failures, disk.room = failures_of(bench), 3
    bench.propagate()
    settle(bench)
    (error,) = failures
    assert isinstance(error, LabelsError)
    assert "No space left on device); free some disk space" in str(error)
    assert bench.controller.state.outcome == "Stopped; done so far: 3 frames."
    assert [frame for frame in range(FRAMES) if disk.pixels[frame].any()] == [0, 1, 2]
    assert len(bench.controller.state.previews.masks(bench.controller.prompts)) == 1
    disk.room = None
    bench.undo()
    assert not disk.pixels.any()


def test_the_next_run_starts_after_one_that_could_not_be_written(on_disk):
    bench, disk = on_disk
    first, failures = bench.movie.layer, failures_of(bench)
    begin(bench, "other")
    bench.choose_movie(first)
    bench.wait()
    disk.room = 0
    bench.propagate()
    bench.choose_movie(bench.viewer.layers["other"])
    bench.propagate()
    settle(bench)
    assert len(failures) == 1
    assert bench.controller.state.outcome == f"Done: {FRAMES} frames."


def test_a_correction_that_cannot_be_written_is_not_tried_again_by_itself(on_disk):
    bench, disk = on_disk
    bench.propagate()
    bench.wait()
    failures, disk.room = failures_of(bench), 0
    bench.add_points((4, *SECOND))
    settle(bench)
    bench.controller.advance()
    settle(bench)
    assert len(failures) == 1


def test_undo_says_why_labels_cannot_be_written(on_disk):
    bench, disk = on_disk
    bench.propagate()
    bench.wait()
    before = disk.pixels.copy()
    failures, disk.room = failures_of(bench), 0
    bench.undo()
    (error,) = failures
    assert "free some disk space" in str(error)
    np.testing.assert_array_equal(disk.pixels, before)
    disk.room = None
    bench.undo()
    assert not disk.pixels.any()


def test_any_failure_to_write_stops_a_run(on_disk, monkeypatch):
    """Such as a failing disk, against which nothing helps."""
    bench, _ = on_disk
    failures = failures_of(bench)

    def fail(*_):
        raise OSError("the disk is broken")

    monkeypatch.setattr(DiskLabels, "__setitem__", fail)
    bench.propagate()
    settle(bench)
    assert [str(error) for error in failures] == ["the disk is broken"]


def run_two(bench):
    """Start a run, which ends unnoticed; return the movie whose run waits for it."""
    first, second = begin(bench, "first"), begin(bench, "second")
    bench.choose_movie(first)
    bench.wait()
    bench.propagate()
    assert bench.controller.run is not None
    bench.choose_movie(second)
    bench.propagate()
    bench.choose_movie(first)
    thread = bench.controller._job_queue._long
    until = time.monotonic() + 20
    while thread._current is not None and time.monotonic() < until:
        time.sleep(0.01)
    assert bench.controller.run is not None, "the window has been busy"
    return bench.controller.movies.find(second)


def undo(bench):
    bench.undo()


def stop(bench):
    bench.stop()


def remove_labels(bench):
    bench.viewer.layers.remove(bench.labels)


def remove_movie(bench):
    bench.viewer.layers.remove(bench.movie.layer)


def run_again(bench):
    bench.propagate()


@pytest.mark.parametrize("end", [undo, stop, remove_labels, remove_movie, run_again])
def test_a_run_that_waits_survives_the_end_of_the_run_before(fresh, end):
    second = run_two(fresh)
    end(fresh)
    fresh.wait()
    assert second.outcome == f"Done: {FRAMES} frames."
    assert second.target.layer.data.any(axis=(1, 2)).all()


def test_a_run_that_had_not_started_when_the_dock_was_closed_is_told(fresh):
    second = run_two(fresh)
    first = fresh.controller.state
    fresh.close()
    assert first.outcome == f"Done: {FRAMES} frames."
    assert "had not started" in second.outcome


def test_embedding_goes_on_with_what_is_left_after_a_run(fresh, sam, monkeypatch):
    asked, embed = [], Session.embed

    def note(session, frames, **options):
        asked.append(set(frames))
        return embed(session, frames, **options)

    monkeypatch.setattr(Session, "embed", note)
    sam.gate = threading.Semaphore(4)
    begin(fresh)
    state = fresh.controller.state
    assert wait_until(lambda: len(state.embedded) == 4, 20)
    known = set(state.embedded)
    fresh.propagate(frames=range(2))
    sam.gate.release()
    fresh.wait()
    assert wait_until(lambda: fresh.controller.is_embedding, 20)
    first, second = asked
    assert first == set(range(1, FRAMES))
    assert second == set(range(FRAMES)) - known
    sam.gate.release(100)
    assert wait_until(lambda: len(state.embedded) == FRAMES, 20)
