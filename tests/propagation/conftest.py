from __future__ import annotations

import pytest
from ideal_network import SIDE, IdealNetwork
from touching_cells import LEFT, RIGHT, TouchingCells, cell

from napari_sam_decoder.propagation import Context, Settings


@pytest.fixture
def make_context():
    """Make an ideal network of a truth, and the context that uses it."""

    def build(truth, settings=None, **values):
        network = IdealNetwork(truth, **values)
        return network, Context(network, network, (SIDE, SIDE), settings or Settings())

    return build


@pytest.fixture
def touching_cells():
    return TouchingCells({LEFT: cell(LEFT), RIGHT: cell(RIGHT)})
