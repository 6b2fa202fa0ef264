"""Labels are handed on from the window, in the background."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tifffile
import zarr

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox
from stage import squares
from yaozarrs import v05
from yaozarrs.write.v05 import write_image

from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.formats import read_label_movie
from napari_sam_decoder.formats.exchange import tiff_files
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.parts import SavePart
from napari_sam_decoder.widgets.saving import TRACKS

pytestmark = pytest.mark.gui

FRAMES = 4


@pytest.fixture
def truth():
    return squares(FRAMES)[1].astype(np.uint16)


@pytest.fixture
def bench(fresh, truth):
    """Two objects on labels that were there before."""
    image = fresh.viewer.add_image(
        squares(FRAMES)[0], name="squares", scale=(3, 0.5, 0.25), units="um"
    )
    fresh.choose_movie(image)
    fresh.choose_labels(fresh.viewer.add_labels(truth.copy(), name="labels"))
    fresh.wait()
    return fresh


def test_names_scale_and_unit_go_along(bench, truth, tmp_path):
    bench.rename_object(2, "the bright one")
    bench.save_labels(tmp_path / "labels.ome.tif")
    bench.wait()
    movie = read_label_movie(tmp_path / "labels.ome.tif")
    assert np.array_equal(movie.frames[:], truth)
    assert (movie.scale, movie.unit) == ((3, 0.5, 0.25), "micrometer")
    assert movie.provenance["movie"] == "squares"
    assert "labels.ome.tif" in bench.controller.state.outcome


def test_background_objects_are_left_out(bench, truth, tmp_path):
    bench.select_object(2)
    bench.mark_background(2)
    bench.save_labels(tmp_path / "labels.tif")
    bench.wait()
    saved = tifffile.imread(tmp_path / "labels.tif")
    assert np.array_equal(saved, np.where(truth == 2, 0, truth))


def test_a_daughter_knows_its_parent_in_tracks(bench, tmp_path):
    bench.viewer.dims.set_point(0, 3 * 2)
    bench.select_object(1)
    bench.split_object()
    with pytest.raises(LabelsError, match="being changed"):
        bench.make_tracks()
    bench.wait()
    bench.make_tracks()
    bench.wait()
    layer = bench.viewer.layers[TRACKS]
    (daughter,) = layer.graph
    assert layer.graph[daughter] == [1]
    assert np.allclose(layer.scale, (3, 0.5, 0.25))
    assert bench.viewer.layers.selection.active is not layer
    bench.make_tracks()
    bench.wait()
    assert [one.name for one in bench.viewer.layers].count(TRACKS) == 1


def test_a_name_without_a_format_is_refused_at_once(bench, tmp_path):
    with pytest.raises(FormatError, match=r"\.ome\.tif"):
        bench.save_labels(tmp_path / "labels")


def test_without_labels_there_is_nothing_to_save(fresh, tmp_path):
    fresh.choose_movie(fresh.viewer.add_image(squares(FRAMES)[0]))
    with pytest.raises(LabelsError, match="no labels to save"):
        fresh.save_labels(tmp_path / "labels.tif")


@pytest.mark.parametrize(
    "change",
    [
        lambda bench: bench.delete_object(1, "remove"),
        lambda bench: bench.merge_objects(1, 2),
        lambda bench: bench.split_object(1, 2),
    ],
)
def test_labels_are_not_given_to_another_object_while_they_are_saved(
    change, bench, truth, tmp_path, monkeypatch
):
    gate, fitting = threading.Event(), tiff_files._fitting

    def wait_and_fit(plane):
        gate.wait(20)
        return fitting(plane)

    monkeypatch.setattr(tiff_files, "_fitting", wait_and_fit)
    bench.save_labels(tmp_path / "labels.tif")
    with pytest.raises(LabelsError, match="being saved just now; wait for that, or"):
        change(bench)
    assert len(bench.objects.listed) == 2
    bench.delete_object(2)
    gate.set()
    bench.wait()
    assert np.array_equal(tifffile.imread(tmp_path / "labels.tif"), truth)


def test_stopping_leaves_nothing_and_meanwhile_nothing_is_measured(
    bench, tmp_path, monkeypatch
):
    gate = threading.Semaphore(2)
    fitting = tiff_files._fitting

    def wait_and_fit(plane):
        gate.acquire(timeout=20)
        return fitting(plane)

    monkeypatch.setattr(tiff_files, "_fitting", wait_and_fit)
    bench.save_labels(tmp_path / "labels.tif")
    running = bench.controller.label_worker.running
    wait_until(lambda: running.progress.done == 2, 20)
    with pytest.raises(LabelsError, match="being saved"):
        bench.measure()
    bench.stop_label_work()
    gate.release(FRAMES)
    bench.wait()
    assert bench.controller.label_worker.running is None
    wait_until(lambda: not list(tmp_path.glob("*labels*")), 20)


@pytest.fixture
def part(bench, qtbot):
    part = SavePart()
    qtbot.addWidget(part)
    part.save_requested.connect(bench.save_labels)
    part.show_state(bench)
    return part


def entry(part, text):
    return next(one for one in part.menu.actions() if text in one.text())


def test_the_menu_asks_where_and_adds_the_suffix(
    part, bench, truth, tmp_path, monkeypatch
):
    typed = tmp_path / "mine"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(typed), ""))
    entry(part, "ImageJ").trigger()
    bench.wait()
    assert np.array_equal(tifffile.imread(tmp_path / "mine.tif"), truth)


def test_cancelling_the_question_saves_nothing(part, bench, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    entry(part, "COCO").trigger()
    assert bench.controller.label_worker.running is None


def test_labels_go_into_an_image_and_are_replaced_only_if_that_is_said(
    part, bench, truth, tmp_path, monkeypatch
):
    axes = [v05.TimeAxis(name="t"), v05.SpaceAxis(name="y"), v05.SpaceAxis(name="x")]
    scale = v05.ScaleTransformation(scale=[1, 1, 1])
    dataset = v05.Dataset(path="0", coordinateTransformations=[scale])
    multiscale = v05.Multiscale(axes=axes, datasets=[dataset])
    image = tmp_path / "image.zarr"
    write_image(image, v05.Image(multiscales=[multiscale]), truth, writer="zarr")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(image))
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("cells", True))
    entry(part, "OME-Zarr").trigger()
    bench.wait()
    assert np.array_equal(zarr.open(image / "labels/cells/0")[:], truth)
    written = (image / "labels/cells/zarr.json").stat().st_mtime_ns
    monkeypatch.setattr(
        QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No
    )
    entry(part, "OME-Zarr").trigger()
    bench.wait()
    assert (image / "labels/cells/zarr.json").stat().st_mtime_ns == written


def test_the_button_stops_while_it_saves(part, bench, tmp_path, monkeypatch):
    gate = threading.Semaphore(0)
    fitting = tiff_files._fitting

    def wait_and_fit(plane):
        gate.acquire(timeout=20)
        return fitting(plane)

    monkeypatch.setattr(tiff_files, "_fitting", wait_and_fit)
    bench.save_labels(tmp_path / "labels.tif")
    part.show_state(bench)
    assert part.save.isHidden()
    assert part.stop.text() == "Stop saving, 0%"
    gate.release(FRAMES)
    bench.wait()
    part.show_state(bench)
    assert part.stop.isHidden()
    assert not part.save.isHidden()
