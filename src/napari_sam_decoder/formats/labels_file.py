"""Reading labels back, and how they came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.arguments import place as as_place
from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.failures import reading
from napari_sam_decoder.formats.partial import take_back
from napari_sam_decoder.formats.readers import open_wanted
from napari_sam_decoder.formats.source import FrameArray, Wanted
from napari_sam_decoder.formats.target import is_tiff, require_suffix

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["open_labels", "read_provenance"]

FLOAT_IDS = np.dtype(np.uint32)
"""What ids become that are stored as floats."""


def open_labels(path: str | Path, shape: tuple[int, int, int] | None = None) -> Any:
    """Open labels in a file, of which frames are read one at a time.

    Parameters
    ----------
    path : str or Path
        What `LabelSink` wrote, or anything else that `open_movie` reads and that
        holds whole numbers, as integers or floats. The entries of a palette are ids.
    shape : (int, int, int), optional
        (T, Y, X) of the movie whose labels they are to be.

    Returns
    -------
    (T, Y, X) array-like of int
        With ``shape``, ``dtype``, ``len`` and indexing.

    Raises
    ------
    FormatError
        If it cannot be read, or holds no labels.
    LabelsError
        If they do not fit the movie, or there are fractions among them.
    """
    take_back(as_place(path, "labels", FormatError))
    labels = _open(path)
    if shape is not None and tuple(labels.shape) != shape:
        raise LabelsError(
            f"{path} holds labels of shape {tuple(labels.shape)}, but this movie needs "
            f"{shape}; give the labels of this movie"
        )
    return labels


def _open(path: str | Path) -> FrameArray:
    source = open_wanted(path, Wanted(are_ids=True))
    data, stored = source.data, np.dtype(source.data.dtype)
    is_grey = len(data.shape) in (2, 3) and "C" not in (source.axes or "")
    if not is_grey or stored.kind not in "buif":
        raise FormatError(
            f"{path} holds {stored} of shape {tuple(data.shape)}, which are no labels; "
            "these are whole numbers of shape (T, Y, X), without colours"
        )
    dtype = FLOAT_IDS if stored.kind == "f" else stored.newbyteorder("=")
    is_picture = len(data.shape) == 2

    def read(frame: int) -> np.ndarray:
        plane = np.asarray(data[...] if is_picture else data[frame])
        if stored.kind == "f":
            _require_ids(plane, path)
        return plane.astype(dtype, copy=False)

    shape = (1, *data.shape) if is_picture else tuple(data.shape)
    labels = FrameArray(shape, dtype, read)
    if stored.kind == "f":
        # Found now rather than after long work.
        for frame in range(len(labels)):
            labels[frame]
    return labels


def _require_ids(plane: np.ndarray, path: str | Path) -> None:
    highest = np.iinfo(FLOAT_IDS).max
    values = plane.astype(np.float64)
    with np.errstate(invalid="ignore"):
        is_id = (values >= 0) & (values <= highest) & (values == np.rint(values))
    if not is_id.all():
        odd = values[~is_id].flat[0]
        raise LabelsError(
            f"{path} holds {odd:g}, which is no id of an object; export it with whole "
            f"numbers from 0 to {highest}, for instance by a threshold"
        )


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Return what `LabelSink.finish` noted with the labels.

    Returns
    -------
    dict
        Empty if the labels were made by something else.

    Raises
    ------
    FormatError
        If the file cannot be read, or is of another kind.
    """
    place = as_place(path, "labels", FormatError)
    require_suffix(place)
    take_back(place)
    with reading(place):
        noted = _noted_in_tiff(place) if is_tiff(place) else _noted_in_zarr(place)
    return noted if isinstance(noted, dict) else {}


def _noted_in_tiff(path: Path) -> Any:
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        descriptions = tiff.shaped_metadata or ({},)
    return descriptions[0].get("provenance")


def _noted_in_zarr(path: Path) -> Any:
    import zarr

    return zarr.open(path, mode="r").attrs.get("provenance")
