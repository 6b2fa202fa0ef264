"""Reading labels back, and how they came about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.formats.failure import reading
from napari_sam_decoder.formats.partial import take_back
from napari_sam_decoder.formats.readers import open_movie
from napari_sam_decoder.formats.source import FrameArray
from napari_sam_decoder.formats.target import is_tiff, require_suffix

__all__ = ["open_labels", "read_provenance"]


def open_labels(path: str | Path, shape: tuple[int, int, int] | None = None) -> Any:
    """Open labels in a file, of which frames are read one at a time.

    Parameters
    ----------
    path : str or Path
        What `LabelSink` wrote, or anything else that `open_movie` reads and that
        holds whole numbers.
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
        If they do not fit the movie.
    """
    take_back(Path(path).expanduser())
    labels = _open(path)
    if shape is not None and tuple(labels.shape) != shape:
        raise LabelsError(
            f"{path} holds labels of shape {tuple(labels.shape)}, but this movie needs "
            f"{shape}; give the labels of this movie"
        )
    return labels


def _open(path: str | Path) -> Any:
    source = open_movie(path)
    data = source.data
    is_grey = data.ndim in (2, 3) and "C" not in (source.axes or "")
    if not is_grey or data.dtype.kind not in "bui":
        raise FormatError(
            f"{path} holds {data.dtype} of shape {data.shape}, which are no labels; "
            "these are whole numbers of shape (T, Y, X)"
        )
    if data.ndim == 2:
        return FrameArray((1, *data.shape), data.dtype, lambda frame: data[:])
    return data


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
    place = Path(path).expanduser()
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
