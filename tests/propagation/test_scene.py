from __future__ import annotations

import pytest

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.propagation import Settings


@pytest.mark.parametrize(
    "values",
    [
        {"absent_below": 0.7},
        {"doubtful_below": 1.1},
        {"absent_below": -0.1},
        {"patience": -1},
        {"unlike_below": 1.5},
        {"stabilise": -0.1},
        {"stabilise": 1.1},
    ],
)
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(OptionError, match="must"):
        Settings(**values)
