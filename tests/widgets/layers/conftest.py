from __future__ import annotations

import pytest

pytest.importorskip("napari.layers")

from placements import AXES, KINDS, SHAPES, image_of, numbered


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=AXES, ids=lambda case: f"{case[0]}d-{case[1]}")
def case(request):
    """Number of axes, and the one to follow."""
    return request.param


@pytest.fixture
def image(kind, case):
    """An image layer whose pixels hold the number of their frame."""
    ndim, axis = case
    return image_of(numbered(SHAPES[ndim], axis), kind)
