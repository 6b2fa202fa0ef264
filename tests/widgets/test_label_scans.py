"""Objects whose pixels get another label: on all labels, and what may go wrong."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares

from disk_labels import DiskLabels
from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.widgets.job_queue import wait_until

pytestmark = pytest.mark.gui

FRAMES = 6


@pytest.fixture
def bench(fresh):
    """Two objects that are shown."""
    movie, _ = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    for place in ((16, 14), (44, 46)):
        fresh.new_object()
        fresh.add_points((0, *place))
    return fresh


def run_into(bench, labels, name):
    """Let a run write into labels that are chosen for that."""
    layer = bench.viewer.add_labels(labels, name=name)
    bench.choose_labels(layer)
    bench.wait()
    bench.propagate()
    bench.wait()
    return layer


def blank(dtype=np.uint16):
    return np.zeros((FRAMES, 64, 64), dtype)


def told(bench, layer):
    """What the table says of the objects in a layer, and what is so."""
    bench.choose_labels(layer)
    bench.wait()
    spans = {
        one.object_id: (one.span[0], one.span[-1]) if one.span else None
        for one in bench.summaries
    }
    frames = {
        one: np.flatnonzero((layer.data == one).any(axis=(1, 2)))
        for one in np.unique(layer.data).tolist()
        if one
    }
    assert spans == {one: (where[0], where[-1]) for one, where in frames.items()}
    assert bench.notices == ()
    return spans


BOTH = {1: (0, FRAMES - 1), 2: (0, FRAMES - 1)}


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (
            lambda bench: bench.split_object(1, 4),
            {1: (0, 3), 2: (0, FRAMES - 1), 3: (4, FRAMES - 1)},
        ),
        (lambda bench: bench.merge_objects(1, 2), {2: (0, FRAMES - 1)}),
    ],
    ids=["split", "merge"],
)
def test_what_becomes_of_an_object_becomes_of_it_in_all_labels(bench, change, after):
    layers = [run_into(bench, blank(), name) for name in ("one", "two")]
    for layer in layers:
        assert told(bench, layer) == BOTH
    change(bench)
    bench.wait()
    assert f"on {2 if len(after) == 3 else FRAMES} frames" in (
        bench.controller.state.outcome
    )
    for _ in range(2):
        for layer in layers:
            assert told(bench, layer) == after
        bench.undo()
        bench.wait()
        for layer in layers:
            assert told(bench, layer) == BOTH
        bench.redo()
        bench.wait()


def test_an_object_is_removed_from_the_chosen_labels_alone(bench):
    first, second = (run_into(bench, blank(), name) for name in ("one", "two"))
    before = first.data.copy()
    bench.delete_object(1, "remove")
    bench.wait()
    assert not (second.data == 1).any()
    np.testing.assert_array_equal(first.data, before)


def test_an_id_that_one_of_the_labels_cannot_hold_is_not_written_there(bench):
    small, _ = (
        run_into(bench, blank(kind), kind.__name__) for kind in (np.uint8, np.uint16)
    )
    before = small.data.copy()
    bench.controller.movies.given_ids(bench.movie).update(range(3, 256))
    bench.split_object(1, 4)
    with pytest.raises(LabelsError, match="'uint8' holds uint8 and cannot hold"):
        bench.wait()
    np.testing.assert_array_equal(small.data, before)
    assert "undo, and do it once more" in bench.controller.state.outcome
    bench.undo()
    for layer in bench.controller.state.targets:
        assert told(bench, layer) == BOTH


def give_other_shape(bench, _):
    bench.labels.data = np.zeros((FRAMES, 32, 32), np.uint16)


def fill_disk(_, disk):
    disk.room = 0


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [(give_other_shape, "does not fit"), (fill_disk, "free some disk space")],
)
def test_an_object_that_cannot_be_removed_is_told_once(bench, trouble, remedy):
    disk = DiskLabels(blank())
    run_into(bench, disk, "disk")
    failures = []
    bench.failed.connect(failures.append)
    bench.delete_object(1, "remove")
    trouble(bench, disk)
    assert wait_until(lambda: bench.is_idle, 20)
    (error,) = failures
    assert remedy in str(error)
    assert bench.controller.state.outcome == (
        "Not all labels of 'object 1' were changed (those on 0 frames were); undo, and "
        "do it once more."
    )
