from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer

from napari_sam_decoder.samples import SampleMovie
from napari_sam_decoder.widgets import sample_data


@pytest.fixture
def loaded(monkeypatch):
    """Tiny movies instead of the real ones, which take seconds to generate."""

    def load(name):
        colours = (3,) if name == "pictures" else ()
        return SampleMovie(
            name=name,
            frames=np.zeros((2, 4, 5, *colours), np.uint8),
            truth=np.zeros((2, 4, 5), np.uint16),
            clicks=(),
            description=f"What {name} shows.",
            credit=f"Who made {name}.",
        )

    monkeypatch.setattr(sample_data, "load_sample", load)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("make", "name", "is_rgb"),
    [
        (sample_data.make_cells, "cells", False),
        (sample_data.make_pictures, "pictures", True),
    ],
)
def test_a_sample_is_one_image_with_its_credit(make, name, is_rgb):
    ((data, attributes, kind),) = make()
    layer = Layer.create(data, attributes, kind)
    assert type(layer).__name__ == "Image"
    assert layer.name == name
    assert layer.rgb is is_rgb
    assert layer.ndim == 3
    assert layer.metadata["credit"] == f"Who made {name}."
    assert layer.metadata["description"] == f"What {name} shows."
