from __future__ import annotations

import pytest
from ideal_network import MASKS_ALONE, SIDE, IdealNetwork, ObedientRefiner
from touching_cells import LEFT, RIGHT, TouchingCells, cell

from napari_sam_decoder.propagation import Context, Settings


@pytest.fixture
def make_context():
    """Make an ideal network of a truth, and the context that uses it."""

    def build(truth, settings=None, **values):
        network = IdealNetwork(truth, **values)
        refiner = ObedientRefiner(MASKS_ALONE + 2)
        return network, Context(
            network, network, (SIDE, SIDE), settings or Settings(), refiner=refiner
        )

    return build


@pytest.fixture
def touching_cells():
    return TouchingCells({LEFT: cell(LEFT), RIGHT: cell(RIGHT)})
