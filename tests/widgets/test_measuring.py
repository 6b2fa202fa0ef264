"""Measurements of labels in the background."""

from __future__ import annotations

import csv
import threading

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from napari.layers import Image
from stage import squares

from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.measurements import PixelSize
from napari_sam_decoder.widgets import measuring
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.layers import MovieView
from napari_sam_decoder.widgets.measuring import pixel_size, with_measurements

pytestmark = pytest.mark.gui

FRAMES = 4
AREA = 14 * 14


@pytest.fixture
def movie():
    return squares(FRAMES)


@pytest.fixture
def bench(fresh, movie):
    """Two objects on labels that were there before."""
    image = fresh.viewer.add_image(movie[0], name="squares", scale=(1, 0.5, 0.5))
    fresh.choose_movie(image)
    return fresh


def choose(bench, labels, **options):
    layer = bench.viewer.add_labels(labels, name="labels", **options)
    bench.choose_labels(layer)
    bench.wait()
    return layer


def test_rows_go_to_the_features_and_into_a_table(bench, movie, tmp_path):
    layer = choose(bench, movie[1].copy())
    bench.rename_object(2, "the bright one")
    bench.measure(tmp_path / "table.csv")
    bench.wait()
    features = layer.features.set_index("index")
    assert list(features.index) == [1, 2]
    assert features.loc[2, "name"] == "the bright one"
    assert features.loc[1, "frames"] == FRAMES
    assert features.loc[1, "mean_area"] == pytest.approx(AREA / 4)
    assert features["mean_intensity"].tolist() == [120, 200]
    assert features["unit"].unique().tolist() == ["world unit"]
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert len(rows) == 2 * FRAMES
    assert float(rows[1]["centroid_column"]) == pytest.approx((9 + 6.5) / 2)
    assert bench.report.areas[1] == dict.fromkeys(range(FRAMES), AREA)
    assert "2 objects" in bench.controller.state.outcome
    seen = layer.get_status((0, 12, 12))["value"]
    assert f"frames: {FRAMES}" in seen, "napari shows them under the mouse"


def test_other_labels_have_not_been_measured(bench, movie):
    choose(bench, movie[1].copy())
    bench.measure()
    bench.wait()
    assert bench.report is not None
    choose(bench, movie[1].copy())
    assert bench.report is None


def test_verdicts_are_in_the_table(bench, tmp_path):
    bench.viewer.dims.set_point(0, 0)
    bench.new_object()
    bench.add_points((0, 16, 14))
    bench.propagate()
    bench.wait()
    bench.measure(tmp_path / "table.csv")
    bench.wait()
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    verdicts = [row["verdict"] for row in rows]
    assert verdicts == ["prompted", *["sure"] * (FRAMES - 1)]


@pytest.mark.parametrize("kind", ["dask", "zarr"])
def test_labels_that_are_not_in_memory_are_read_frame_by_frame(bench, movie, kind):
    chunks = (1, *movie[1].shape[1:])
    data = zarr.array(movie[1], chunks=chunks)
    bench.viewer.add_labels(data, name="labels")
    bench.choose_labels(bench.viewer.layers["labels"])
    if kind == "dask":
        layer = bench.viewer.layers["squares"]
        layer.data = da.from_array(movie[0], chunks=chunks)
    bench.wait()
    bench.measure()
    bench.wait()
    assert bench.report.areas[2] == dict.fromkeys(range(FRAMES), AREA)


def test_the_window_goes_on_and_it_can_be_stopped(bench, movie, tmp_path, monkeypatch):
    layer, gate = choose(bench, movie[1].copy()), threading.Semaphore(2)
    measure_frame = measuring.measure_frame

    def wait_and_measure(*arguments):
        gate.acquire(timeout=20)
        return measure_frame(*arguments)

    monkeypatch.setattr(measuring, "measure_frame", wait_and_measure)
    path = tmp_path / "table.csv"
    bench.measure(path)
    running = bench.controller.label_worker.running
    assert wait_until(lambda: running.progress.done == 2, 20)
    assert not bench.is_idle
    bench.select_object(2)
    bench.stop_label_work()
    gate.release(FRAMES)
    bench.wait()
    assert not path.exists()
    assert layer.features.empty
    bench.measure(path)
    gate.release(FRAMES)
    bench.wait()
    assert path.exists()


def test_what_cannot_be_read_is_told(bench, movie, monkeypatch):
    choose(bench, movie[1].copy())

    def fail(*_):
        raise LabelsError("the labels are gone; load them again")

    monkeypatch.setattr(measuring, "measure_frame", fail)
    bench.measure()
    with pytest.raises(LabelsError, match="are gone"):
        bench.wait()
    assert bench.is_idle
    assert bench.report is None


def test_without_labels_there_is_nothing_to_measure(bench, movie, tmp_path):
    with pytest.raises(LabelsError, match="no labels to measure"):
        bench.measure()
    choose(bench, movie[1].copy())
    with pytest.raises(FormatError, match="folder"):
        bench.measure(tmp_path / "nowhere" / "table.csv")


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, PixelSize()),
        ({"scale": (3, 0.5, 0.25)}, PixelSize(0.5, 0.25, "world unit")),
        ({"scale": (3, 2, 2), "units": "um"}, PixelSize(2, 2, "micrometer")),
        ({"units": ("s", "um", "nm")}, PixelSize(1, 1, "world unit")),
        ({"scale": (1, -1, 1), "units": "mm"}, PixelSize(1, 1, "millimeter")),
    ],
)
def test_units_are_those_of_the_layer(options, size):
    view = MovieView.of(Image(np.zeros((3, 8, 9)), **options))
    assert pixel_size(view) == size


MEASURED = pd.DataFrame({"index": [2, 5], "frames": [3, 4]})


def test_features_of_others_stay():
    own = pd.DataFrame({"index": [5, 7], "frames": [9, 9], "kind": ["a", "b"]})
    joined = with_measurements(own, MEASURED)
    assert joined["index"].tolist() == [2, 5, 7]
    assert joined["frames"].tolist()[:2] == [3, 4]
    assert joined["kind"].tolist()[1:] == ["a", "b"]
    again = with_measurements(joined, MEASURED)
    assert again["kind"].tolist()[1:] == ["a", "b"]
    assert again["index"].is_unique


def test_features_without_an_index_are_about_the_labels_of_their_rows():
    own = pd.DataFrame({"kind": ["nothing", "a", "b"]})
    joined = with_measurements(own, MEASURED)
    kinds = dict(zip(joined["index"], joined["kind"], strict=True))
    assert kinds[2] == "b"
    assert kinds[1] == "a"


def test_labels_without_objects_leave_features_alone():
    own = pd.DataFrame({"kind": ["nothing"]})
    assert with_measurements(own, pd.DataFrame([])) is own
    alone = with_measurements(pd.DataFrame(index=range(3)), MEASURED)
    assert alone["index"].tolist() == [2, 5]
