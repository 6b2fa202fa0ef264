from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_sam_decoder.jobs import DemoFiles

napari_components = pytest.importorskip("napari.components")


@pytest.fixture
def files(tmp_path):
    files = DemoFiles(tmp_path)
    stack = np.zeros((3, 8, 9), np.uint8)
    for path in (files.movie, files.truth, files.labels):
        tifffile.imwrite(
            path, stack, metadata={"axes": "TYX"}, photometric="minisblack"
        )
    files.points.write_text("index,axis-0,axis-1,axis-2,object_id\n0,1,2,3,7\n")
    return files


def test_the_demo_is_shown_with_its_truth_hidden(files):
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
