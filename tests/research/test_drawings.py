from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from napari_sam_decoder.errors import FormatError
from shipped_head.drawings import LARGEST_SIDE, Drawings

if TYPE_CHECKING:
    from pathlib import Path


def test_drawings_are_found_in_all_folders_and_shrunk(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    Image.new("RGBA", (2 * LARGEST_SIDE, 40), "red").save(tmp_path / "deep" / "b.png")
    Image.new("P", (30, 20)).save(tmp_path / "a.png")
    drawings = Drawings(tmp_path)
    assert [drawing.shape for drawing in drawings] == [
        (20, 30, 4),
        (20, LARGEST_SIDE, 4),
    ]
    assert drawings[1].dtype == np.uint8
    assert len(drawings[:1]) == 1


def test_a_folder_without_drawings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no PNG files"):
        Drawings(tmp_path)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(FormatError, match=r"a\.png"):
        Drawings(tmp_path)[0]
