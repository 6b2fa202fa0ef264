"""Layers of four and five axes: a run at each position, also where nobody looks."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

import tifffile
from stage import squares

from napari_sam_decoder.cli import main
from napari_sam_decoder.errors import FormatError, MovieError, PromptError
from napari_sam_decoder.prompts import Prompt
from napari_sam_decoder.session import Session
from napari_sam_decoder.widgets.movie_state import ModelOptions

pytestmark = pytest.mark.gui

FRAMES, PLANES = 6, 3


@pytest.fixture
def layer(fresh):
    """T, Z, Y, X; every plane upside down to the one before."""
    movie = squares(FRAMES)[0]
    pixels = np.stack([movie, movie[:, ::-1], movie], 1)
    layer = fresh.viewer.add_image(pixels, name="cells", axis_labels=tuple("tzyx"))
    fresh.choose_movie(layer)
    fresh.viewer.dims.set_point((0, 1), (0, 0))
    return layer


def show(bench, *places):
    """Click one object in each plane."""
    bench.new_object()
    for place in places:
        bench.points_layer.add(place)
    bench.read()


def planes_with(bench, object_id=1):
    found = np.asarray(bench.labels.data) == object_id
    return [bool(plane.any()) for plane in found.any((0, 2, 3))]


def test_each_plane_gets_its_own_run(fresh, layer):
    show(fresh, (0, 0, 16, 15), (0, 2, 16, 15))
    fresh.propagate(each=(1,))
    fresh.wait()

    assert planes_with(fresh) == [True, False, True]
    labels = np.asarray(fresh.labels.data)
    assert labels.shape == layer.data.shape
    assert (labels[:, 0] == 1).any((1, 2)).all()
    np.testing.assert_array_equal(labels[:, 0], labels[:, 2])
    assert fresh.movie.fixed == ((1, 0),), "the slider stays where it was"
    # One step for each plane, and one to go back to.
    fresh.undo()
    assert planes_with(fresh) == [True, False, False]


def run_and_look_elsewhere(bench, sam, qtbot):
    """Run on three planes, and show the last while the first is waited for."""
    show(bench, (0, 0, 16, 15), (0, 1, 48, 15), (0, 2, 16, 15))
    bench.stop_embedding()
    sam.gate = threading.Semaphore(2)
    bench.propagate(each=(1,))
    qtbot.waitUntil(lambda: bench.controller.run is not None, timeout=20_000)
    bench.choose_plane(1, 2)


def test_a_plane_that_is_shown_meanwhile(fresh, layer, sam, qtbot):
    run_and_look_elsewhere(fresh, sam, qtbot)
    assert fresh.controller.run_elsewhere is not None
    sam.gate.release(1000)
    fresh.wait()
    assert planes_with(fresh) == [True, True, True]


def test_stop_ends_all_of_them(fresh, layer, sam, qtbot):
    run_and_look_elsewhere(fresh, sam, qtbot)
    fresh.stop()
    assert not fresh.controller.is_busy
    sam.gate.release(1000)
    fresh.wait()
    assert planes_with(fresh)[1:] == [False, False]


def test_a_pending_run_starts_though_its_plane_is_left(fresh, layer):
    show(fresh, (0, 0, 16, 15))
    fresh.propagate()
    fresh.choose_plane(1, 2)
    fresh.wait()
    assert planes_with(fresh) == [True, False, False]


def test_planes_that_cannot_be_read_say_so(fresh, layer, sam, qtbot):
    failed = []
    fresh.failed.connect(lambda error: failed.append(str(error)))
    show(fresh, (0, 1, 48, 15), (0, 2, 16, 15))
    fresh.wait()
    sam.error = FormatError("movie.zarr is damaged; copy it again")
    fresh.propagate(each=(1,))
    qtbot.waitUntil(lambda: fresh.is_idle, timeout=20_000)
    assert set(failed) == {"movie.zarr is damaged; copy it again"}
    assert fresh.labels is None or not any(planes_with(fresh))


def test_where_there_is_nothing_to_carry(fresh, layer):
    fresh.new_object()
    with pytest.raises(PromptError, match="no object to carry at any position"):
        fresh.propagate(each=(1,))
    show(fresh, (0, 0, 16, 15))
    with pytest.raises(MovieError, match="not cut"):
        fresh.propagate(each=(0,))


def test_locked_objects_stay(fresh, layer):
    show(fresh, (0, 0, 16, 15))
    show(fresh, (0, 2, 16, 15))
    fresh.lock_object(1)
    fresh.propagate(each=(1,))
    fresh.wait()
    assert planes_with(fresh, 1) == [False, False, False]
    assert planes_with(fresh, 2) == [False, False, True]


def test_window_library_and_terminal_give_the_same_labels(
    bench, tiny_sam, tmp_path, monkeypatch
):
    shape = (4, 2, 3, 48, 64)
    pixels = np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)
    clicks = [(0, 1, 0, 20, 30), (2, 1, 2, 30, 50)]
    movie, output = tmp_path / "five.ome.tif", tmp_path / "labels.tif"
    tifffile.imwrite(
        movie, pixels, photometric="minisblack", metadata={"axes": "TCZYX"}
    )
    monkeypatch.setenv("NAPARI_SAM_DECODER_CACHE", str(tmp_path))
    names = tuple("tczyx")

    layer = bench.viewer.add_image(pixels, name="five", axis_labels=names)
    bench.configure(ModelOptions(cache=None))
    bench.choose_movie(layer)
    bench.viewer.dims.set_point((0, 1, 2), (0, 1, 0))
    show(bench, *clicks)
    bench.propagate(each=(2,))
    bench.wait()
    window = np.asarray(bench.labels.data)
    lines = ["axis-0,axis-1,axis-2,axis-3,axis-4"]
    lines += [",".join(map(str, click)) for click in clicks]
    (tmp_path / "clicks.csv").write_text("\n".join(lines))

    given = ["--points", str(tmp_path / "clicks.csv"), "-o", str(output), "--quiet"]
    asked = ["--channel", "1", "--each", "z"]
    assert main(["segment", str(movie), *given, *asked]) == 0
    terminal = tifffile.imread(output)

    library = np.zeros_like(terminal)
    for time, channel, plane, *place in clicks:
        at = {"z": plane}
        options = {"axes": "TCZYX", "channel": channel, "at": at, "model": tiny_sam}
        with Session(pixels, **options) as session:
            session.add_prompt(Prompt(1, time, [tuple(place)]))
            for result in session.propagate():
                library[result.frame, plane] = result.labels

    assert [bool(library[:, plane].any()) for plane in range(3)] == [True, False, True]
    np.testing.assert_array_equal(terminal, library)
    np.testing.assert_array_equal(window[:, 1], library)
    assert not window[:, 0].any()
