"""Two or three channels as red, green and blue, chosen in the window."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
import tifffile

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from napari_sam_decoder.cli import main
from napari_sam_decoder.errors import MovieError, ProjectError
from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.frames.composite import Composite
from napari_sam_decoder.jobs import (
    CorrectJob,
    MovieOptions,
    ReplayJob,
    correct_file,
    replay_project,
)
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.workbench import Workbench

pytestmark = pytest.mark.gui

NAMES = "DAPI", "GFP", "RFP"
CLICK = 20, 30
LIMITS = (100.0, 3000.0)


@pytest.fixture
def pixels():
    """Three channels of four frames: T, C, Y, X, the second ten times as dim."""
    rng = np.random.default_rng(3)
    found = rng.integers(0, 4000, (4, 3, 48, 64)).astype(np.uint16)
    found[:, 1] //= 10
    return found


@pytest.fixture
def split(bench, pixels):
    """The channels as layers, the first of which is the movie."""
    for place, name in enumerate(NAMES):
        bench.viewer.add_image(pixels[:, place], name=name, blending="additive")
    bench.choose_movie(bench.viewer.layers["DAPI"])
    bench.viewer.dims.set_point(0, 0)
    return bench


def propagated(bench):
    bench.new_object()
    bench.add_points([0, *CLICK])
    bench.propagate()
    bench.wait()
    return np.array(bench.labels.data)


def in_python(pixels, channel, sam, contrast=None):
    with Session(
        pixels, axes="TCYX", channel=channel, model=sam, contrast=contrast
    ) as session:
        session.add_prompt(Prompt(1, 0, points=[CLICK]))
        labels = np.zeros(session.labels_shape, session.labels_dtype)
        for result in session.propagate():
            labels[result.frame] = result.labels
    return labels


def in_terminal(pixels, channels, tmp_path, *more):
    movie, points = tmp_path / "movie.tif", tmp_path / "points.csv"
    tifffile.imwrite(movie, pixels, photometric="minisblack", metadata={"axes": "TCYX"})
    points.write_text(f"axis-0,axis-1,axis-2\n0,{CLICK[0]},{CLICK[1]}\n")
    output = tmp_path / "labels.zarr"
    given = [one for channel in channels for one in ("--channel", str(channel))]
    given += ["--points", str(points), "-o", str(output), "--quiet", *more]
    assert main(["segment", str(movie), *given, "--cache", "none"]) == 0
    return np.stack([np.asarray(frame) for frame in open_labels(output)])


@pytest.mark.parametrize("channels", [(0, 1), (2, 0, 1)])
def test_window_python_and_terminal_give_the_same(
    split, pixels, tiny_sam, tmp_path, channels
):
    split.compose([NAMES[one] for one in channels])
    found = propagated(split)
    assert found.any()
    np.testing.assert_array_equal(found, in_python(pixels, channels, tiny_sam))
    np.testing.assert_array_equal(found, in_terminal(pixels, channels, tmp_path))


def test_the_limits_of_a_layer_count_for_its_channel(split, pixels, tiny_sam, tmp_path):
    split.viewer.layers["GFP"].contrast_limits = LIMITS
    split.compose(["DAPI", "GFP"])
    found = propagated(split)
    own, other = split.controller.state.limits
    assert other == LIMITS
    contrast = own, other
    np.testing.assert_array_equal(found, in_python(pixels, (0, 1), tiny_sam, contrast))
    limits = [f"{one:.17g}" for pair in contrast for one in pair]
    more = "--contrast", *limits[:2], "--contrast", *limits[2:]
    typed = in_terminal(pixels, (0, 1), tmp_path, *more)
    np.testing.assert_array_equal(found, typed)


def test_channels_along_an_axis_of_one_layer(bench, pixels, tiny_sam):
    layer = bench.viewer.add_image(pixels, name="all", axis_labels=("t", "c", "y", "x"))
    bench.choose_movie(layer)
    bench.viewer.dims.set_point([0, 1], [0, 2])
    bench.compose(["channel 1", "channel 0"])
    bench.new_object()
    bench.add_points([0, *CLICK])
    bench.propagate()
    bench.wait()
    expected = in_python(pixels, (1, 0), tiny_sam)
    assert expected.any()
    labels = bench.labels.data
    np.testing.assert_array_equal(labels[:, 2], expected)
    assert not labels[:, :2].any()


def test_other_limits_are_offered_and_embedded_again(split):
    split.compose(["DAPI", "GFP"])
    split.embed()
    split.wait(until=lambda: len(split.controller.state.embedded) == 4)
    assert split.notices == ()
    split.viewer.layers["GFP"].contrast_limits = LIMITS
    assert split.controller.state.new_limits == (LIMITS,)
    assert "A colour shows other contrast limits" in split.notices[0]
    split.embed_as_shown()
    split.wait(until=lambda: len(split.controller.state.embedded) == 4)
    assert split.controller.state.limits[1] == LIMITS
    assert split.notices == ()


def test_the_movie_alone_is_seen_again(split, pixels, tiny_sam):
    split.compose(["DAPI", "GFP"])
    split.embed()
    split.wait(until=lambda: len(split.controller.state.embedded) == 4)
    assert isinstance(split.controller.state.session.movie, Composite)
    split.compose([])
    np.testing.assert_array_equal(
        propagated(split), in_python(pixels, 0, tiny_sam), "the composite is not seen"
    )


def test_undo_takes_back_what_was_done_on_a_composite(split):
    split.compose(["DAPI", "GFP"])
    found = propagated(split)
    split.undo()
    assert not np.asarray(split.labels.data).any()
    split.redo()
    np.testing.assert_array_equal(split.labels.data, found)


@pytest.fixture
def kept(split):
    """A project that was made with a composite, and its labels."""
    split.viewer.layers["GFP"].contrast_limits = LIMITS
    split.compose(["GFP", "DAPI"])
    found = propagated(split)
    limits = split.controller.state.limits
    path = split.controller.state.project.path
    split.viewer.layers["RFP"].name = "renamed"
    split.close()
    return path, found, limits


@pytest.fixture
def another(qapp, kept):
    """A workbench of the next day, after the network was patched for the first."""
    from napari.components import ViewerModel

    bench = Workbench(ViewerModel())
    bench.configure(ModelOptions(cache=None))
    yield bench
    bench.close()


def test_a_project_remembers_its_channels(another, kept, pixels):
    path, found, limits = kept
    for place, name in enumerate(NAMES):
        another.viewer.add_image(pixels[:, place], name=name)
    another.choose_movie(another.viewer.layers["DAPI"])
    another.resume(path)
    another.wait()
    np.testing.assert_array_equal(another.labels.data, found)
    another.viewer.layers["GFP"].name = "green"
    another.propagate(replace=True)
    another.wait()
    np.testing.assert_array_equal(another.labels.data, found)
    assert another.controller.state.limits == limits
    noted = another.history.document.table("options")["composite"]
    assert [one["layer"] for one in noted] == ["green", None]


def test_a_channel_that_is_missing_is_asked_for(another, kept, pixels):
    path, found, _ = kept
    layer = another.viewer.add_image(pixels[:, 0], name="DAPI")
    another.choose_movie(layer)
    another.resume(path)
    another.wait()
    np.testing.assert_array_equal(another.labels.data, found)
    another.propagate(replace=True)
    with pytest.raises(MovieError, match=r"'GFP', which is a colour .* open it, or"):
        another.wait()
    np.testing.assert_array_equal(another.labels.data, found)
    another.viewer.add_image(pixels[:, 1], name="GFP")
    another.propagate(replace=True)
    another.wait()
    np.testing.assert_array_equal(another.labels.data, found)


def test_a_correction_without_its_channel_is_given_up(another, kept, pixels):
    path, found, _ = kept
    another.choose_movie(another.viewer.add_image(pixels[:, 0], name="DAPI"))
    another.resume(path)
    another.wait()
    another.viewer.dims.set_point(0, 2)
    another.add_points([2, 40, 50])
    with pytest.raises(MovieError, match="'GFP'"):
        another.wait()
    another.wait()
    np.testing.assert_array_equal(another.labels.data, found)


def test_the_terminal_leaves_such_a_project_to_the_window(kept, pixels, tmp_path):
    path, found, _ = kept
    np.save(tmp_path / "movie.npy", pixels[:, 0])
    movie = MovieOptions(tmp_path / "movie.npy", axes="TYX", cache=None)
    fix = PromptSet([Prompt(1, 1, points=[CLICK])])
    with pytest.raises(ProjectError, match="which only the window can"):
        correct_file(CorrectJob(movie, None, fix, project=path))
    output = tmp_path / "copy.zarr"
    with pytest.raises(ProjectError, match="which only the window can find again"):
        replay_project(ReplayJob(path, output, recompute=True, movie=movie))
    replay_project(ReplayJob(path, output))
    np.testing.assert_array_equal(np.stack(list(open_labels(output))), found)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (["DAPI"], "two or three channels, not 1"),
        (["DAPI", "DAPI"], "'DAPI' is given twice"),
        (["DAPI", "small"], "'small' cannot be a colour of 'DAPI'; choose among"),
        (["DAPI", "colours"], "'colours' cannot be"),
        (["DAPI", "moved"], "'moved' cannot be"),
        (["DAPI", "channel 0"], "'channel 0' cannot be"),
    ],
)
def test_what_cannot_be_a_composite(split, channels, message):
    split.viewer.add_image(np.zeros((4, 8, 8), np.uint8), name="small")
    split.viewer.add_image(np.zeros((4, 48, 64, 3), np.uint8), name="colours")
    split.viewer.add_image(np.zeros((4, 48, 64)), name="moved", translate=(0, 3, 0))
    with pytest.raises(MovieError, match=message):
        split.compose(channels)
    assert split.controller.state.channels == ()


def test_new_pixels_of_a_channel_are_embedded(split, pixels, tiny_sam):
    split.compose(["DAPI", "GFP"])
    split.embed()
    split.wait(until=lambda: len(split.controller.state.embedded) == 4)
    other = pixels.copy()
    other[:, 1] = pixels[:, 2]
    split.viewer.layers["GFP"].data = other[:, 1]
    found = propagated(split)
    # napari leaves the limits of the layer as they were.
    limits = split.controller.state.limits
    expected = in_python(other, (0, 1), tiny_sam, limits)
    np.testing.assert_array_equal(found, expected)


def test_a_layer_that_is_removed_is_not_kept_by_a_composite(split):
    layer = weakref.ref(split.viewer.layers["GFP"])
    split.compose(["DAPI", "GFP"])
    split.compose(["DAPI", "RFP"])
    split.viewer.layers.remove("GFP")
    split.wait()
    gc.collect()
    assert layer() is None
