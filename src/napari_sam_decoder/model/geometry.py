"""How a frame lies in the network's square input, and a mask in a frame; no torch."""

from __future__ import annotations

import numpy as np

from napari_sam_decoder.errors import MovieError

__all__ = ["extent", "input_shape", "scaled"]


def input_shape(frame_shape: tuple[int, int], image_size: int) -> tuple[int, int]:
    """Return the size to which a frame is resized before it is padded.

    Parameters
    ----------
    frame_shape : tuple of int
        (rows, columns) of the frame, each at least 1.
    image_size : int
        Side of the network's square input, 1024 for the public checkpoints.

    Returns
    -------
    tuple of int
        (rows, columns) of the content; the longer one equals `image_size`, and the
        rest of the square, at the bottom or right, is padding.

    Raises
    ------
    MovieError
        If the frame is empty.

    Notes
    -----
    Half pixels round up, as they did when the public checkpoints were trained. A
    side never becomes 0, however long and thin the frame is.

    Examples
    --------
    >>> input_shape((480, 640), 1024)
    (768, 1024)
    """
    rows, columns = frame_shape
    if min(rows, columns) < 1:
        raise MovieError(
            f"A frame of {rows} x {columns} pixels is empty; crop the movie so that "
            "every frame has at least one row and one column."
        )
    scale = image_size / max(rows, columns)
    return _rounded(rows * scale), _rounded(columns * scale)


def scaled(side: slice, factor: int) -> slice:
    """Return a range of cells as the pixels in it, so many to a cell."""
    return slice(factor * side.start, factor * side.stop)


def extent(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Return the smallest window that holds a mask.

    Parameters
    ----------
    mask : (rows, columns) array of bool
        Of any size.

    Returns
    -------
    (slice, slice) or None
        Rows and columns, of Python's own whole numbers, since zarr takes no others;
        None if nothing is in the mask.

    Notes
    -----
    Along the axes, since `scipy.ndimage.find_objects` looks at one pixel after the
    other, which takes long for a whole frame.
    """
    filled = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if not filled[0].size:
        return None
    rows, columns = (slice(int(side[0]), int(side[-1]) + 1) for side in filled)
    return rows, columns


def _rounded(side: float) -> int:
    return max(1, int(side + 0.5))
