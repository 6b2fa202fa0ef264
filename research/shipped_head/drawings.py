"""A folder of drawings with transparent backgrounds, such as clip art."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import numpy as np
from PIL import Image

from napari_sam_decoder.errors import FormatError, wrap_read_errors

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Drawings"]

LARGEST_SIDE = 512


class Drawings(Sequence[np.ndarray]):
    """The PNG files below a folder, each read when it is indexed.

    Parameters
    ----------
    folder : Path
        Searched recursively.

    Raises
    ------
    FormatError
        If there is no such file; on indexing, if a file is not a picture.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.rglob("*.png"))
        if not self._paths:
            raise FormatError(
                f"there are no PNG files in {folder}; choose a folder with drawings "
                "that have a transparent background"
            )

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        """Return (Y, X, 4) arrays of uint8, at most 512 pixels a side."""
        if isinstance(index, slice):
            return [_read(path) for path in self._paths[index]]
        return _read(self._paths[index])


def _read(path: Path) -> np.ndarray:
    with (
        wrap_read_errors(path, remedy="remove it from the folder"),
        Image.open(path) as picture,
    ):
        shrunk = picture.convert("RGBA")
        shrunk.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
        return np.asarray(shrunk)
