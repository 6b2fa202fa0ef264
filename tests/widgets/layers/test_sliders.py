from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image
from placements import image_of, viewer_of

from napari_sam_decoder.widgets.layers import MovieView, go_to_frame, slider_point

pytestmark = pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")


@pytest.mark.parametrize("kind", ["scale", "translate", "turn"])
@pytest.mark.parametrize("case", [(2, None), (3, 0), (4, 0), (4, 1)])
def test_sliders_go_to_each_frame(image, case):
    """As far as napari slices correctly: not across a rotation or a shear."""
    view = MovieView.of(image, case[1])
    viewer = viewer_of(view)
    for frame in range(len(view)):
        go_to_frame(view, viewer.dims, frame)
        assert view.frame_at(slider_point(image, viewer.dims)) == frame


def test_a_layer_beside_one_with_more_axes():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((7, 3, 12, 14)))
    view = MovieView.of(image_of(np.zeros((5, 12, 14)), "translate"))
    viewer.add_layer(view.layer)
    viewer.dims.set_point(0, 6)
    go_to_frame(view, viewer.dims, 3)
    assert viewer.dims.point[0] == 6
    assert len(slider_point(view.layer, viewer.dims)) == 3
    assert view.frame_at(slider_point(view.layer, viewer.dims)) == 3


def test_units_of_other_layers_do_not_matter():
    viewer = ViewerModel()
    view = MovieView.of(Image(np.zeros((5, 12, 14)), units=("s", "um", "um")))
    viewer.add_layer(view.layer)
    viewer.add_image(np.zeros((5, 12, 14)), units=("ms", "nm", "nm"))
    for frame in range(5):
        go_to_frame(view, viewer.dims, frame)
        assert view.frame_at(slider_point(view.layer, viewer.dims)) == frame
