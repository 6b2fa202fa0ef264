"""Background objects: followed like all others, but not part of the result."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import result_on
from stage import squares

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.formats import open_labels, read_provenance
from napari_sam_decoder.jobs import ReplayJob, replay_project
from napari_sam_decoder.propagation import Verdict
from napari_sam_decoder.widgets.contributions import write_labels

pytestmark = pytest.mark.gui

FRAMES = 4
FIRST, SECOND = (16, 14), (44, 46)
"""Where the two squares are on frame 0."""


@pytest.fixture
def bench(fresh):
    """Two objects with points on frame 0; the second is a background object."""
    movie, _ = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    for name, place in (("one", FIRST), ("twin", SECOND)):
        fresh.new_object(name)
        fresh.add_points((0, *place))
    fresh.wait()
    fresh.mark_background(2)
    return fresh


@pytest.fixture
def labelled(bench):
    bench.propagate()
    bench.wait()
    return bench


def is_grey(colour):
    return np.ptp(colour[:3]) == 0


def test_it_is_followed_like_all_others(labelled):
    truth = squares(FRAMES)[1]
    np.testing.assert_array_equal(labelled.labels.data, truth)
    labelled.add_points((2, 44, 42), 2)
    labelled.wait()
    assert [one.prompt_frames for one in labelled.summaries] == [(0,), (0, 2)]


def test_it_is_grey_wherever_it_is_seen(labelled):
    layer = labelled.labels
    assert is_grey(layer.get_color(2))
    assert layer.get_color(2)[3] > 0
    assert not is_grey(layer.get_color(1))
    first, second = labelled.points_layer.face_color
    assert is_grey(second)
    assert not is_grey(first)
    labelled.unmark_background(2)
    assert not is_grey(layer.get_color(2))
    assert not is_grey(labelled.points_layer.face_color[1])


def test_its_preview_is_grey(bench):
    fills = bench._overlay.layer.colormap
    assert is_grey(fills.map(np.array([2]))[0])
    assert not is_grey(fills.map(np.array([1]))[0])
    bench.unmark_background(2)
    assert not is_grey(bench._overlay.layer.colormap.map(np.array([2]))[0])


def test_it_is_undone_and_redone(labelled):
    labelled.unmark_background(2)
    labelled.undo()
    assert labelled.objects.background_ids == {2}
    assert is_grey(labelled.labels.get_color(2))
    labelled.redo()
    assert labelled.objects.background_ids == set()
    assert not is_grey(labelled.labels.get_color(2))


def test_it_may_be_hidden_and_locked_as_well(labelled):
    labelled.hide_object(2)
    assert not labelled.labels.get_color(2).any()
    labelled.lock_object(2)
    labelled.show_object(2)
    assert labelled.objects.require(2).is_background
    assert is_grey(labelled.labels.get_color(2))


def test_what_splits_off_it_is_a_background_object_too(labelled):
    daughter = labelled.split_object(2, 2).object_id
    labelled.wait()
    assert labelled.objects.background_ids == {2, daughter}
    other = labelled.split_object(1, 2).object_id
    labelled.wait()
    assert other not in labelled.objects.background_ids


def test_it_is_not_measured(labelled, tmp_path):
    path = tmp_path / "sizes.csv"
    labelled.measure(path)
    labelled.wait()
    assert labelled.labels.features["index"].tolist() == [1]
    rows = path.read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {"1"}
    assert len(rows) == FRAMES


def test_it_is_not_reviewed(labelled):
    records = labelled.controller.state.target.frames
    for object_id in (1, 2):
        records.note(result_on(3, object_id, Verdict.DOUBTFUL, (64, 64)))
    assert {place.object_id for place in labelled.doubtful_places()} == {1}


def test_it_is_not_in_labels_that_are_saved(labelled, tmp_path):
    path = tmp_path / "labels.zarr"
    data, attributes, _ = labelled.labels.as_layer_data_tuple()
    write_labels(str(path), data, attributes)
    saved = np.asarray(open_labels(path)[:])
    np.testing.assert_array_equal(saved, np.where(data == 1, 1, 0))
    labelled.unmark_background(2)
    data, attributes, _ = labelled.labels.as_layer_data_tuple()
    write_labels(str(path), data, attributes)
    np.testing.assert_array_equal(np.asarray(open_labels(path)[:]), data)


def test_a_project_has_it_and_its_labels_have_not(labelled, make_bench, tmp_path):
    project = labelled.controller.state.project
    project.flush()
    path, before = project.path, labelled.labels.data.copy()
    labelled.close()
    project.close()
    written = tmp_path / "labels.tif"
    replay_project(ReplayJob(path, written))
    labels = np.asarray(open_labels(written)[:])
    np.testing.assert_array_equal(labels, np.where(before == 1, 1, 0))
    noted = read_provenance(written)
    assert noted["background"] == [2]
    assert {one["object_id"] for one in noted["prompts"]} == {1, 2}
    other = make_bench()
    other.choose_movie(other.viewer.add_image(squares(FRAMES)[0], name="squares"))
    other.wait()
    other.resume(path)
    other.wait()
    assert other.objects.background_ids == {2}
    np.testing.assert_array_equal(other.labels.data, before)
    assert is_grey(other.labels.get_color(2))


def test_an_object_that_is_not_there_is_refused(bench):
    for mark in (bench.mark_background, bench.unmark_background):
        with pytest.raises(PromptError, match="there is no object 9"):
            mark(9)
