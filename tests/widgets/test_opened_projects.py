"""A project file is opened with its movie, wherever that is now."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import zarr

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from napari.layers._source import layer_source
from stage import squares

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.jobs import (
    MovieOptions,
    SegmentJob,
    segment_each,
    segment_file,
)
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.opened_projects import MovieNotFoundError

pytestmark = pytest.mark.gui

FRAMES = 4


@pytest.fixture
def movie(tmp_path):
    path = tmp_path / "squares.tif"
    frames, _ = squares(FRAMES)
    tifffile.imwrite(path, frames, photometric="minisblack", metadata={"axes": "TYX"})
    return path


def opened(bench, movie):
    """Add a movie as napari's own reader does."""
    with layer_source(path=str(movie)):
        return bench.viewer.add_image(tifffile.imread(movie), name=movie.stem)


@pytest.fixture
def project(fresh, movie, tmp_path):
    """Something was done on a movie of a file, and the window was closed."""
    layer = opened(fresh, movie)
    fresh.choose_movie(layer)
    fresh.new_object("cell")
    fresh.add_points([0, 16, 14])
    fresh.propagate()
    fresh.wait()
    fresh.save_project_as(tmp_path / "copy.samproject")
    fresh.close()
    return tmp_path / "copy.samproject"


def wait_for_objects(bench):
    """Until a project is gone on with, which a busy machine may begin late."""
    assert wait_until(lambda: bool(bench.objects.listed), timeout=60)
    bench.wait()


def test_the_movie_is_opened_from_where_it_was(project, movie, make_bench):
    bench = make_bench()
    bench.open_project(project)
    wait_for_objects(bench)
    assert bench.movie.layer.name == "squares"
    assert [one.name for one in bench.objects.listed] == ["cell"]
    assert bench.labels.data.any()
    assert bench.controller.state.project.path == project


def test_a_movie_that_is_shown_already_is_not_opened_twice(project, movie, make_bench):
    bench = make_bench()
    layer = opened(bench, movie)
    bench.open_project(project)
    wait_for_objects(bench)
    assert bench.movie.layer is layer
    assert bench.objects.listed


def test_a_movie_that_has_moved_is_asked_for(project, movie, make_bench):
    elsewhere = movie.rename(movie.with_name("moved.tif"))
    bench = make_bench()
    with pytest.raises(MovieNotFoundError, match=r"is not at .*squares\.tif any"):
        bench.open_project(project)
    assert not bench.viewer.layers
    bench.open_project(project, elsewhere)
    bench.wait()
    assert bench.labels.data.any()


def test_a_movie_of_other_pixels_is_refused_with_the_difference(
    project, movie, make_bench
):
    frames, _ = squares(FRAMES)
    frames[0, 0, 0] += 1
    tifffile.imwrite(movie, frames, photometric="minisblack", metadata={"axes": "TYX"})
    bench = make_bench()
    bench.open_project(project)
    with pytest.raises(ProjectError, match="the same shape and type, but other pixels"):
        bench.wait()
    assert not bench.objects.listed


def test_a_movie_that_was_in_no_file_has_to_be_opened_first(
    fresh, make_bench, tmp_path
):
    frames, _ = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(frames, name="squares"))
    fresh.new_object()
    fresh.wait()
    path = fresh.controller.state.project.path
    fresh.close()
    bench = make_bench()
    with pytest.raises(ProjectError, match="was in no file: open it"):
        bench.open_project(path)
    layer = bench.viewer.add_image(frames, name="the same")
    bench.viewer.add_image(np.zeros((2, 5, 5), np.uint8))
    bench.open_project(path)
    bench.wait()
    assert bench.movie.layer is layer
    assert bench.objects.listed


@pytest.mark.parametrize("is_shown", [False, True])
def test_the_channel_and_position_of_a_command_are_opened(
    sam, make_bench, tmp_path, is_shown
):
    frames, _ = squares(FRAMES)
    five = np.zeros((FRAMES, 3, 2, *frames.shape[1:]), np.uint8)
    five[:, 2, 1] = frames
    path = tmp_path / "five.ome.tif"
    axes = {"axes": "TZCYX", "Channel": {"Name": ["DAPI", "GFP"]}}
    tifffile.imwrite(path, five, photometric="minisblack", metadata=axes)
    movie = MovieOptions(path, channel="GFP", at={"z": 2}, cache=None)
    prompts = PromptSet([Prompt(1, 0, points=[(16, 14)])])
    output, project = tmp_path / "labels.zarr", tmp_path / "work.samproject"
    segment_file(SegmentJob(movie, prompts, output, project=project), sam)
    bench = make_bench()
    if is_shown:
        # As a whole, in a layer of five axes.
        opened(bench, path)

    bench.open_project(project)
    wait_for_objects(bench)

    np.testing.assert_array_equal(bench.movie.layer.data, frames)
    labels = open_labels(output)
    assert bench.labels.data.any()
    for frame in range(FRAMES):
        np.testing.assert_array_equal(bench.labels.data[frame], labels[frame])


def test_all_positions_of_a_command_are_opened(sam, make_bench, tmp_path):
    frames, truth = squares(FRAMES)
    five = np.zeros((FRAMES, 3, 2, *frames.shape[1:]), np.uint8)
    five[:, 0, 1], five[:, 2, 1] = frames, frames[:, ::-1]
    path, table = tmp_path / "five.ome.tif", tmp_path / "points.csv"
    axes = {"axes": "TZCYX"}
    tifffile.imwrite(path, five, photometric="minisblack", metadata=axes)
    table.write_text(
        "axis-0,axis-1,axis-2,axis-3,object_id\n0,0,16,14,1\n0,2,18,46,2\n"
    )
    movie = MovieOptions(path, channel=1, each=("z",), cache=None)
    output, project = tmp_path / "labels.zarr", tmp_path / "work.samproject"
    job = SegmentJob(movie, PromptSet(), output, project=project, tables=(table,))
    segment_each(job, sam)
    labels = zarr.open(output)[:]
    assert (labels[:, 0] == (truth == 1)).all()
    bench = make_bench()

    bench.open_project(project)
    wait_for_objects(bench)

    assert bench.movie.layer.data.shape == (FRAMES, 3, *frames.shape[1:])
    np.testing.assert_array_equal(bench.labels.data, labels)
    bench.choose_plane(1, 2)
    assert [one.object_id for one in bench.controller.prompts] == [2]
    bench.undo()
    bench.wait()
    assert not bench.labels.data[:, 2].any(), "the last run is taken back"
    np.testing.assert_array_equal(bench.labels.data[:, 0], labels[:, 0])
