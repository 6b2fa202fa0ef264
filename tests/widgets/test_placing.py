"""A movie that is moved in the world, with points, labels and a run on it."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from made_up import bench_with
from stage import StageSam, squares

from napari_sam_decoder.widgets.layers import WorldMap

pytestmark = pytest.mark.gui

MOVES = (
    {"scale": (2, 0.5, 0.5)},
    {"translate": (3, 10, -4)},
    {"rotate": 20.0},
    {"shear": (0.1, 0, 0)},
    {"affine": np.diag([1.5, 2, 3, 1.0])},
    {"units": ("s", "um", "um"), "scale": (1, 0.2, 0.2)},
)
MOVIE, TRUTH = squares(6)


@pytest.fixture
def sam():
    return StageSam()


@pytest.fixture
def bench(qapp, monkeypatch, sam):
    bench = bench_with(sam, monkeypatch)
    yield bench
    bench.close()


@pytest.fixture
def movie(bench):
    layer = bench.viewer.add_image(MOVIE, name="squares")
    bench.choose_movie(layer)
    bench.viewer.dims.set_point(0, 0)
    return layer


def place(layer, move):
    for name, value in move.items():
        setattr(layer, name, value)


def all_lie_on(movie, bench):
    here = WorldMap.of(movie)
    return all(WorldMap.of(layer).is_close(here) for layer in bench.objects.layers)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: next(iter(move)))
def test_points_that_were_set_before_stay_on_their_pixels(bench, movie, move):
    for place_of in ((0, 16, 14), (0, 45, 45)):
        bench.new_object()
        bench.add_points(place_of)
    bench.wait()
    place(movie, move)
    bench.wait()
    bench.propagate()
    bench.wait()
    np.testing.assert_array_equal(np.asarray(bench.labels.data), TRUTH)
    assert all_lie_on(movie, bench)
    assert bench.notices == ()


def test_a_move_after_a_run_takes_the_labels_along_and_corrects_nothing(bench, movie):
    bench.new_object()
    bench.add_points([0, 16, 14])
    bench.propagate()
    bench.wait()
    outcome = bench.controller.state.outcome
    movie.scale = (2, 0.5, 0.5)
    bench.wait()
    assert all_lie_on(movie, bench)
    assert WorldMap.of(bench.labels).is_close(WorldMap.of(movie))
    assert bench.controller.state.outcome == outcome, "the points say what they said"


def test_brought_points_follow_the_movie_wherever_they_lay(bench, movie):
    layer = bench.viewer.add_points(
        np.array([[0, 6, 4]]), name="mine", translate=(0, 10, 10)
    )
    bench.use_points(layer)
    movie.scale = (1, 3, 3)
    assert bench.objects.reading.prompts.at(1, 0).points == ((16, 14),)
    assert bench.notices == ()


def test_points_that_were_put_elsewhere_stay_in_the_world(bench, movie):
    bench.new_object()
    bench.points_layer.translate = (0, 10, 10)
    bench.points_layer.add([0, 6, 4])
    movie.scale = (1, 0.5, 0.5)
    assert bench.objects.reading.prompts.at(1, 0).points == ((32, 28),)
    (notice,) = bench.notices
    assert "'SAM points' has kept its place in the world" in notice


def test_points_are_read_again_when_they_are_placed_by_hand(bench, movie):
    bench.new_object()
    bench.add_points([0, 16, 14])
    bench.wait()
    bench.points_layer.translate = (0, 1, 2)
    bench.wait()
    assert bench.objects.reading.prompts.at(1, 0).points == ((17, 16),)


def test_another_axis_may_be_followed_after_the_move(bench, movie):
    bench.new_object()
    bench.add_points([2, 16, 14])
    movie.scale = (2, 0.5, 0.5)
    bench.choose_movie(movie, 1)
    assert bench.objects.reading.prompts.at(1, 16).points == ((2, 14),)
    movie.scale = (1, 1, 3)
    assert bench.objects.reading.prompts.at(1, 16).points == ((2, 14),)


def test_points_follow_a_movie_that_is_not_the_chosen_one(bench, movie):
    bench.new_object()
    bench.add_points([0, 16, 14])
    bench.wait()
    other = bench.viewer.add_image(MOVIE.copy(), name="other")
    bench.choose_movie(other)
    movie.scale = (1, 3, 3)
    bench.choose_movie(movie)
    bench.wait()
    assert bench.objects.reading.prompts.at(1, 0).points == ((16, 14),)


def test_the_frame_on_the_screen_is_known_after_the_move(bench, movie):
    bench.viewer.dims.set_point(0, 4)
    assert bench.frame == 4
    movie.scale = (4, 1, 1)
    assert bench.frame == 1


def test_a_run_goes_on_when_the_movie_is_moved(bench, movie, qtbot):
    bench.new_object()
    bench.add_points([0, 16, 14])
    bench.propagate()
    writer = bench.controller.writer
    qtbot.waitUntil(lambda: writer.run is not None and writer.run.progress.done > 0)
    movie.scale = (2, 0.5, 0.5)
    bench.wait()
    np.testing.assert_array_equal(np.asarray(bench.labels.data) == 1, TRUTH == 1)
    assert WorldMap.of(bench.labels).is_close(WorldMap.of(movie))


def test_the_preview_moves_along(bench, movie):
    bench.new_object()
    bench.add_points([0, 16, 14])
    bench.wait()
    movie.scale = (1, 2, 2)
    bench.wait()
    preview = bench.viewer.layers["SAM preview"]
    assert WorldMap.of(preview).is_close(WorldMap.of(movie))
    assert preview.get_value([0, 32, 28], world=True) == 1
