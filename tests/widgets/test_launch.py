from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_sam_decoder.jobs.demo import DemoFiles

napari_components = pytest.importorskip("napari.components")


@pytest.fixture
def files(tmp_path):
    files = DemoFiles(tmp_path)
    stack = np.zeros((3, 16, 19), np.uint8)
    stack[:, 2:5, 3:9] = 7
    for path in (files.movie, files.truth, files.labels):
        tifffile.imwrite(
            path, stack, metadata={"axes": "TYX"}, photometric="minisblack"
        )
    files.points.write_text("index,axis-0,axis-1,axis-2,object_id\n0,1,2,3,7\n")
    return files


@pytest.mark.gui
def test_the_demo_is_shown_with_its_truth_hidden(files):
    pytest.importorskip("qtpy.QtCore")
    from napari_sam_decoder.widgets.launch import show_demo

    viewer = napari_components.ViewerModel()
    show_demo(viewer, files)
    assert [layer.name for layer in viewer.layers] == [
        "movie",
        "truth",
        "labels",
        "clicks",
    ]
    assert not viewer.layers["truth"].visible
    assert viewer.layers["clicks"].data.tolist() == [[1, 2, 3]]
    assert viewer.layers["clicks"].features["object_id"].tolist() == [7]
    assert viewer.dims.current_step[0] == 0


@pytest.mark.gui
def test_the_dock_goes_on_where_the_demo_has_stopped(
    files, make_napari_viewer, tmp_path, monkeypatch
):
    from napari_sam_decoder.widgets.dock import SamDecoderDock
    from napari_sam_decoder.widgets.launch import open_in_dock, show_demo

    monkeypatch.setenv("NAPARI_SAM_DECODER_CACHE", str(tmp_path))
    viewer = make_napari_viewer()
    show_demo(viewer, files)
    dock = SamDecoderDock(viewer)
    viewer.window.add_dock_widget(dock)
    bench = dock.workbench
    open_in_dock(bench)
    bench.stop_embedding()
    assert [listed.object_id for listed in bench.objects.listed] == [7]
    assert bench.labels is viewer.layers["labels"]
    bench.wait()
    assert bench.controller.corrections == (), "the clicks are in the labels already"
    assert bench.controller.state.target.record(bench.movie).inherited(7) == frozenset()
    assert bench.movie.layer is viewer.layers["movie"]
