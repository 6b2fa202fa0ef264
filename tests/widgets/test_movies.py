"""Several movies in one viewer: each keeps what was done on it, whatever comes."""

from __future__ import annotations

import gc
import threading
import weakref
from contextlib import closing

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import bench_with, show_movie
from stage import StageSam, squares

from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.workbench import Workbench

pytestmark = pytest.mark.gui

FRAMES = 8


@pytest.fixture
def sam():
    return StageSam()


@pytest.fixture
def bench(qapp, monkeypatch, sam):
    """Two movies, of which the first is chosen; the second is upside down."""
    bench = bench_with(sam, monkeypatch)
    movie = squares(FRAMES)[0]
    for name, pixels in (("first", movie), ("second", movie[:, ::-1].copy())):
        bench.viewer.add_image(pixels, name=name)
    choose(bench, "first")
    bench.viewer.dims.set_point(0, 0)
    yield bench
    bench.close()


def choose(bench, name):
    bench.choose_movie(bench.viewer.layers[name])


def point(bench, place=(0, 16, 15)):
    bench.new_object()
    bench.points_layer.add(place)
    bench.read()
    return bench.points_layer


def hold_up(bench, sam, qtbot, steps=2):
    """Start a run on the movie of now and stop time in the middle of it."""
    bench.stop_embedding()
    sam.gate = threading.Semaphore(steps)
    point(bench)
    bench.propagate()

    def has_come():
        run = bench.controller.run
        return run is not None and run.progress.done >= 1

    qtbot.waitUntil(has_come, timeout=20_000)


def go_on(bench, sam):
    sam.gate.release(1000)
    bench.wait()


def frames_with(labels, object_id=1):
    return [int((frame == object_id).any()) for frame in labels.data]


@pytest.fixture
def told(bench):
    told = []
    bench.informed.connect(told.append)
    return told


def test_a_run_goes_on_on_its_own_movie(bench, sam, qtbot, told):
    hold_up(bench, sam, qtbot)
    labels = bench.labels
    choose(bench, "second")
    assert bench.labels is None
    assert list(bench.controller.prompts) == []
    assert not bench.controller.is_running
    go_on(bench, sam)
    assert frames_with(labels) == [1] * FRAMES
    assert (labels.data[0] == 1).sum() == 14**2, "the pixels of the first movie"
    assert told == [f"'first': Done: {FRAMES} frames."]


def test_a_movie_finds_again_what_was_left(bench):
    points = point(bench)
    bench.propagate()
    bench.wait()
    labels, outcome = bench.labels, bench.controller.state.outcome
    counts = bench.controller.state.target.frames.counts(1)
    choose(bench, "second")
    assert bench.controller.state.outcome == ""
    assert bench.objects.listed == ()
    choose(bench, "first")
    assert bench.labels is labels
    assert bench.controller.state.outcome == outcome
    assert bench.points_layer is points
    assert bench.controller.state.target.frames.counts(1) == counts
    assert len(bench.controller.state.embedded) == FRAMES, "nothing is embedded twice"


def test_corrections_go_on_after_another_movie(bench):
    point(bench)
    bench.propagate()
    bench.wait()
    bench.labels.data[4] = 0
    choose(bench, "second")
    choose(bench, "first")
    bench.viewer.dims.set_point(0, 4)
    bench.points_layer.add((4, 16, 19))
    bench.wait()
    assert (bench.labels.data[4] == 1).any()


def test_two_runs_take_turns(bench, sam, qtbot):
    hold_up(bench, sam, qtbot)
    first = bench.labels
    choose(bench, "second")
    point(bench, (0, 47, 15))
    bench.propagate()
    assert bench.controller.is_waiting
    choose(bench, "first")
    assert bench.controller.run is not None
    assert not bench.controller.is_waiting
    go_on(bench, sam)
    assert frames_with(first) == [1] * FRAMES
    choose(bench, "second")
    assert bench.labels is not first
    assert bench.controller.state.outcome == f"Done: {FRAMES} frames."
    object_id = bench.objects.current_id
    assert frames_with(bench.labels, object_id) == [1] * FRAMES


def test_stop_means_the_movie_of_now_first(bench, sam, qtbot):
    hold_up(bench, sam, qtbot)
    first = bench.controller.state
    choose(bench, "second")
    point(bench, (0, 47, 15))
    bench.propagate()
    bench.stop()
    assert not bench.controller.is_waiting
    assert bench.controller.run_elsewhere is not None
    bench.stop()
    assert bench.controller.run_elsewhere is None
    assert first.outcome.startswith("Stopped; done so far: ")
    go_on(bench, sam)


def test_options_belong_to_a_movie_but_for_the_network(bench, tmp_path):
    chosen = ModelOptions(
        device="cpu", contrast=(3, 9), decoder="sam", cache=tmp_path / "a"
    )
    bench.configure(chosen)
    choose(bench, "second")
    assert bench.controller.state.options == ModelOptions(device="cpu", decoder="sam")
    choose(bench, "first")
    assert bench.controller.state.options == chosen


def test_options_set_before_there_is_a_movie_are_for_the_first(bench):
    bench.choose_movie(None)
    bench.configure(ModelOptions(cache=None, contrast=(3, 9)))
    choose(bench, "second")
    assert bench.controller.state.options.contrast == (3, 9)
    choose(bench, "first")
    assert bench.controller.state.options.contrast is None


def test_embedding_that_was_stopped_stays_so(bench):
    bench.stop_embedding()
    choose(bench, "second")
    assert bench.controller.state.wants_embedding is None
    choose(bench, "first")
    point(bench)
    assert bench.controller.state.wants_embedding is False


def test_points_of_the_other_movie_are_hidden_and_get_no_clicks(bench):
    first = point(bench)
    choose(bench, "second")
    assert not first.visible
    active = bench.viewer.layers.selection.active
    assert active is bench.viewer.layers["second"]
    second = point(bench, (0, 47, 15))
    choose(bench, "first")
    assert first.visible
    assert not second.visible
    assert bench.viewer.layers.selection.active is first
    assert first.mode == "add"


def test_labels_of_the_other_movie_are_hidden_and_get_no_paint(bench):
    point(bench)
    bench.propagate()
    bench.wait()
    labels = bench.labels
    bench.viewer.layers.selection.active = labels
    choose(bench, "second")
    assert not labels.visible
    assert bench.viewer.layers.selection.active is bench.viewer.layers["second"]
    choose(bench, "first")
    assert labels.visible


def test_labels_that_both_movies_use_stay_visible(bench):
    point(bench)
    bench.propagate()
    bench.wait()
    shared = bench.labels
    choose(bench, "second")
    shared.visible = True
    bench.choose_labels(shared)
    bench.wait()
    for name in ("first", "second"):
        choose(bench, name)
        assert shared.visible
        assert bench.labels is shared


def test_a_movie_that_is_not_what_is_seen_is_told(bench):
    first, second = (bench.viewer.layers[name] for name in ("first", "second"))
    assert any("'second' covers 'first'" in one for one in bench.notices)
    second.opacity = 0.5
    assert bench.notices == ()
    first.visible = False
    assert bench.notices == ("'first' is hidden; show it in the layer list",)
    choose(bench, "second")
    assert bench.notices == ()


def test_points_that_a_person_has_hidden_stay_hidden(bench):
    first = point(bench)
    first.visible = False
    choose(bench, "second")
    choose(bench, "first")
    assert not first.visible


def test_selecting_points_of_the_other_movie_turns_to_it(bench):
    first = point(bench)
    bench.draw_boxes()
    boxes = bench.boxes_layer
    for layer in (first, boxes):
        choose(bench, "second")
        assert not layer.visible
        bench.viewer.layers.selection.active = layer
        assert bench.movie.layer.name == "first"
        assert first.visible
        assert boxes.visible


def test_points_may_serve_two_movies(bench):
    shared = bench.viewer.add_points([(0, 16, 15)], ndim=3, name="shared")
    for name in ("first", "second"):
        choose(bench, name)
        bench.use_points(shared)
    bench.delete_object(2)
    choose(bench, "first")
    assert [one.name for one in bench.objects.listed] == ["shared"]
    assert [prompt.frame for prompt in bench.controller.prompts] == [0]


def test_an_axis_that_was_chosen_is_found_again(bench):
    bench.choose_movie(bench.viewer.layers["first"], axis=2)
    choose(bench, "second")
    assert bench.movie.axis == 0
    choose(bench, "first")
    assert bench.movie.axis == 2


def test_a_removed_movie_takes_nothing_with_it(bench, sam, qtbot, told):
    hold_up(bench, sam, qtbot)
    points, labels = bench.points_layer, bench.labels
    layer = bench.movie.layer
    bench.viewer.layers.remove(layer)
    assert "'first' was removed" in told[-1]
    assert told[-1].startswith("Stopped; done so far: ")
    go_on(bench, sam)
    assert points in bench.viewer.layers
    assert labels in bench.viewer.layers
    bench.viewer.add_layer(layer)
    bench.choose_movie(layer)
    assert bench.labels is labels
    assert bench.points_layer is points


def test_a_removed_movie_in_the_background_stops_with_a_word(bench, sam, qtbot, told):
    hold_up(bench, sam, qtbot)
    points, layer = bench.points_layer, bench.movie.layer
    choose(bench, "second")
    bench.viewer.layers.remove(layer)
    assert "'first' was removed" in told[-1]
    assert points.visible
    assert bench.movie.layer.name == "second"
    go_on(bench, sam)


def test_new_pixels_stop_a_run_with_a_word(bench, sam, qtbot, told):
    hold_up(bench, sam, qtbot)
    layer = bench.movie.layer
    layer.data = layer.data[:, ::-1].copy()
    assert "'first' has other pixels now" in told[-1]
    assert not bench.controller.is_running
    go_on(bench, sam)
    assert bench.movie.layer is layer


def test_a_removed_points_layer_counts_again_when_it_is_back(bench):
    points = point(bench)
    bench.viewer.layers.remove(points)
    assert list(bench.controller.prompts) == []
    bench.viewer.add_layer(points)
    assert [prompt.object_id for prompt in bench.controller.prompts] == [1]


def test_points_removed_with_their_layer_meanwhile_leave_the_labels(bench):
    points = point(bench)
    bench.propagate()
    bench.wait()
    labels, before = bench.labels, bench.labels.data.copy()
    choose(bench, "second")
    bench.viewer.layers.remove(points)
    choose(bench, "first")
    bench.wait()
    np.testing.assert_array_equal(labels.data, before)
    assert [one.object_id for one in bench.objects.listed] == [1]


def test_points_that_come_back_to_their_movie_are_seen_again(bench):
    points = point(bench)
    choose(bench, "second")
    bench.viewer.layers.remove(points)
    choose(bench, "first")
    assert not points.visible
    bench.viewer.add_layer(points)
    assert points in bench.viewer.layers
    if not points._overlays:
        pytest.skip("this napari cannot show a layer that was removed")
    assert points.visible


def reopen(bench):
    """Close the dock and open it again."""
    viewer = bench.viewer
    bench.close()
    again = Workbench(viewer)
    last = again.controller.movies.last
    again.choose_movie(last)
    return again


def test_everything_outlives_the_dock(bench, told):
    bench.configure(ModelOptions(cache=None, contrast=(0, 255)))
    point(bench)
    bench.propagate()
    bench.wait()
    bench.viewer.dims.set_point(0, 3)
    labels = bench.labels
    labels.paint((3, 60, 60), 5)
    bench.propagate()
    bench.wait()
    outcome = bench.controller.state.outcome
    assert outcome == "Done: 8 frames."
    choose(bench, "second")
    second = point(bench, (0, 47, 15))
    again = reopen(bench)
    assert second.visible
    assert again.movie.layer.name == "second"
    assert again.points_layer is second
    choose(again, "first")
    assert again.labels is labels
    assert again.controller.state.outcome == outcome
    assert again.controller.state.options.contrast == (0, 255)
    again.propagate()
    again.wait()
    assert labels.data[3, 60, 60] == 5, "painted frames are still known"
    again.close()


def test_painting_without_a_dock_counts(bench):
    point(bench)
    bench.propagate()
    bench.wait()
    labels = bench.labels
    viewer = bench.viewer
    bench.close()
    labels.paint((3, 60, 60), 5)
    again = Workbench(viewer)
    choose(again, "first")
    again.propagate()
    again.wait()
    assert labels.data[3, 60, 60] == 5
    again.close()


def test_a_run_that_is_cut_off_by_closing_says_so(bench, sam, qtbot):
    hold_up(bench, sam, qtbot)
    sam.gate.release(1000)
    again = reopen(bench)
    assert again.controller.state.outcome.startswith("Stopped; done so far: ")
    again.close()


def test_nothing_keeps_a_movie_that_is_gone(bench):
    point(bench)
    bench.propagate()
    bench.wait()
    choose(bench, "second")
    layer = weakref.ref(bench.viewer.layers["first"])
    for name in ("first", "SAM labels", "SAM points"):
        bench.viewer.layers.remove(name)
    bench.wait()
    gc.collect()
    assert layer() is None


@pytest.fixture
def volumes(bench):
    """Two volumes over time in one layer, of which the second is upside down."""
    movie = squares(FRAMES)[0]
    stack = np.stack([movie, movie[:, ::-1]])
    layer = bench.viewer.add_image(
        stack, name="volumes", axis_labels=("t", "z", "y", "x")
    )
    bench.choose_movie(layer, axis=1)
    bench.viewer.dims.set_point((0, 1), (0, 0))
    return layer


def test_each_plane_keeps_its_corrections(bench, volumes):
    point(bench, (0, 0, 16, 15))
    bench.propagate()
    bench.wait()
    bench.labels.data[0, 4] = 0
    bench.viewer.dims.set_point(0, 1)
    assert not bench.controller.state.target.frames.counts(1)
    bench.viewer.dims.set_point((0, 1), (0, 4))
    assert bench.controller.state.target.frames.counts(1).total() == FRAMES
    bench.points_layer.add((0, 4, 16, 19))
    bench.wait()
    assert (bench.labels.data[0, 4] == 1).any()


def test_the_network_is_loaded_before_anything_is_asked_of_it(
    qapp, qtbot, monkeypatch, sam
):
    with closing(bench_with(sam, monkeypatch)) as bench:
        loads = []
        monkeypatch.setattr(
            "napari_sam_decoder.weights.registry.load_sam",
            lambda *_, **__: loads.append(sam) or sam,
        )
        show_movie(bench)
        qtbot.waitUntil(lambda: len(loads) == 1)
        assert bench.controller.state.session is None
        bench.new_object()
        bench.points_layer.add((0, 16, 15))
        bench.read()
        qtbot.waitUntil(lambda: bench.controller.state.session is not None)
        assert len(loads) == 1
