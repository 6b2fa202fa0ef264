from __future__ import annotations

import numpy as np

from shipped_head.photographs import PHOTOGRAPHS, photographs


def test_all_photographs_are_there_in_colour() -> None:
    pictures = photographs()
    assert pictures.keys() == PHOTOGRAPHS.keys()
    for picture in pictures.values():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3
        assert min(picture.shape[:2]) >= 300
