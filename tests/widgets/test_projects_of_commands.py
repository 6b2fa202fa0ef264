"""Window and terminal work on the same project."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from stage import squares
from test_undo import SPOT, assert_same, click, shown, work

from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.jobs import (
    CorrectJob,
    MovieOptions,
    ReplayJob,
    SegmentJob,
    correct_file,
    replay_project,
    segment_file,
)
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.widgets.launch import show_project

pytestmark = pytest.mark.gui

FRAMES = 6


@pytest.fixture
def movie(tmp_path):
    """The movie of the tests of undo, in a file."""
    pixels, truth = squares(FRAMES)
    pixels[truth == 2] = 160
    pixels[:, 46:56, 46:56] = 240
    np.save(tmp_path / "squares.npy", pixels)
    return MovieOptions(tmp_path / "squares.npy", axes="TYX", cache=None)


@pytest.fixture
def project(tmp_path):
    return tmp_path / "squares.samproject"


def labels_in(path):
    labels = open_labels(path)
    return np.stack([labels[frame] for frame in range(len(labels))])


def test_the_window_goes_on_where_the_terminal_has_stopped(
    fresh, sam, movie, project, tmp_path
):
    prompts = PromptSet([Prompt(1, 0, points=[(16, 14)])])
    output = tmp_path / "labels.zarr"
    segment_file(SegmentJob(movie, prompts, output, project=project), sam)
    show_project(fresh, project, movie)
    before = shown(fresh)
    np.testing.assert_array_equal(before[0], labels_in(output))
    assert before[3] == [(1, "object 1", (0,))]
    contrast = fresh.history.document.table("options")["contrast"]
    assert list(fresh.controller.state.options.contrast) == contrast
    click(fresh, 3, SPOT)
    after = shown(fresh)
    assert after[0][(3, *SPOT)] == 1
    fresh.undo()
    assert_same(shown(fresh), before)
    fresh.undo()
    assert not shown(fresh)[0].any()
    fresh.redo()
    assert_same(shown(fresh), before)


def test_the_terminal_goes_on_where_the_window_has_stopped(
    fresh, make_bench, sam, movie, tmp_path
):
    fresh.choose_movie(fresh.viewer.add_image(np.load(movie.path), name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    fresh.new_object()
    click(fresh, 0, (16, 14))
    fresh.propagate()
    before = shown(fresh)
    path = fresh.controller.state.project.path
    fresh.close()
    fix = PromptSet([Prompt(1, 3, points=[SPOT])])
    correct_file(CorrectJob(movie, None, fix, project=path), sam)
    copy = tmp_path / "copy.zarr"
    replay_project(ReplayJob(path, copy))
    assert labels_in(copy)[(3, *SPOT)] == 1
    other = make_bench()
    show_project(other, path, movie)
    np.testing.assert_array_equal(shown(other)[0], labels_in(copy))
    other.undo()
    assert_same(shown(other), before)


def test_all_that_was_done_in_a_window_is_computed_again(fresh, sam, movie, tmp_path):
    fresh.choose_movie(fresh.viewer.add_image(np.load(movie.path), name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    for place, _ in enumerate(work(fresh)):
        fresh.wait()
        if place % 3 == 2:
            fresh.undo()
            fresh.wait()
            fresh.redo()
            fresh.wait()
    fresh.undo()
    fresh.wait()
    final = shown(fresh)[0]
    path = fresh.controller.state.project.path
    fresh.close()
    output = tmp_path / "again.zarr"
    job = ReplayJob(path, output, recompute=True, movie=movie)
    found = replay_project(job, lambda *_, **__: sam)
    assert found.differences == ()
    np.testing.assert_array_equal(labels_in(output), final)
