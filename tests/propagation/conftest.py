from __future__ import annotations

import pytest
from theatre import SIDE, Theatre

from napari_sam_decoder.propagation import Context, Settings


@pytest.fixture
def stage():
    """Put a truth on stage: the theatre and the context that plays in it."""

    def build(truth, settings=None, **values):
        theatre = Theatre(truth, **values)
        return theatre, Context(theatre, theatre, (SIDE, SIDE), settings or Settings())

    return build
