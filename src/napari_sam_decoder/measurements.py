"""Area, position and brightness of the objects in labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.frames import ArrayLike
from napari_sam_decoder.labels import label_ids
from napari_sam_decoder.validation import as_instance

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = ["Measurement", "PixelSize", "measure", "measure_frame"]


@dataclass(frozen=True)
class PixelSize:
    """How large a pixel is.

    Attributes
    ----------
    row, column : float
        From one row to the next, and from one column to the next; above 0.
    unit : str
        Of these, such as "micrometer".

    Raises
    ------
    OptionError
        If a size is not above 0.
    """

    row: float = 1.0
    column: float = 1.0
    unit: str = "pixel"

    def __post_init__(self) -> None:
        if not (
            np.isfinite([self.row, self.column]).all() and self.row > 0 < self.column
        ):
            raise OptionError(
                f"a pixel of {self.row} x {self.column} {self.unit} has no size; give "
                "numbers above 0"
            )


@dataclass(frozen=True)
class Measurement:
    """One object on one frame.

    Attributes
    ----------
    object_id, frame : int
    area : int
        In pixels.
    scaled_area : float
        In square units of the pixel size.
    centroid_row, centroid_column : float
        In units of the pixel size, from the middle of the first pixel.
    mean_intensity : float
        Of its pixels; of colours, the mean of red, green and blue.
    """

    object_id: int
    frame: int
    area: int
    scaled_area: float
    centroid_row: float
    centroid_column: float
    mean_intensity: float


def measure(
    labels: ArrayLike, movie: ArrayLike, pixel_size: PixelSize | None = None
) -> Iterator[Measurement]:
    """Measure each object on each frame, one frame at a time.

    Parameters
    ----------
    labels : (T, Y, X) array-like of int
        Object ids, 0 for none. Numpy, dask, zarr or anything else with a shape and
        indexing.
    movie : (T, Y, X) or (T, Y, X, C) array-like
        Its pixels, C colours or none.
    pixel_size : PixelSize, optional
        One pixel by default.

    Returns
    -------
    iterator of Measurement
        By frame, and within it by object; none where an object is absent.

    Raises
    ------
    LabelsError
        If the labels and the movie do not fit each other; before the first one.
    OptionError
        If the pixel size is none.
    """
    for array, what in ((labels, "labels"), (movie, "a movie")):
        if not isinstance(array, ArrayLike):
            raise LabelsError(f"{what} must be an array, not {array!r}")
    if pixel_size is not None:
        as_instance(pixel_size, PixelSize, "pixel_size=", OptionError)
    if len(labels.shape) != 3 or tuple(labels.shape) != tuple(movie.shape[:3]):
        raise LabelsError(
            f"labels of shape {tuple(labels.shape)} do not fit a movie of shape "
            f"{tuple(movie.shape)}; give labels (T, Y, X) and a movie (T, Y, X) or "
            "(T, Y, X, C)"
        )
    return _measured(labels, movie, pixel_size or PixelSize())


def _measured(
    labels: ArrayLike, movie: ArrayLike, pixel_size: PixelSize
) -> Iterator[Measurement]:
    for frame in range(labels.shape[0]):
        planes = np.asarray(labels[frame]), np.asarray(movie[frame])
        yield from measure_frame(frame, *planes, pixel_size).values()


def measure_frame(
    frame: int, labels: np.ndarray, pixels: np.ndarray, pixel_size: PixelSize
) -> dict[int, Measurement]:
    """Measure the objects on one frame.

    Parameters
    ----------
    frame : int
        Its number.
    labels : (Y, X) array of int
        Object ids, 0 for none.
    pixels : (Y, X) or (Y, X, C) array
        Of the movie. Of four colours, the last is transparency and is left out.
    pixel_size : PixelSize
        Of both.

    Returns
    -------
    dict of int to Measurement
        By object, ascending.
    """
    # It is slow to import, and only needed here.
    from skimage.measure import regionprops_table

    brightness = pixels
    if pixels.ndim == 3:
        brightness = pixels[..., :3].mean(axis=-1)
    # Small numbers, since there is a list of all up to the largest.
    ids = np.array(sorted(one for one in label_ids(labels) if one > 0), np.int64)
    numbers = np.where(labels > 0, np.searchsorted(ids, labels, side="right"), 0)
    found = regionprops_table(
        numbers,
        brightness,
        ("label", "num_pixels", "area", "centroid", "intensity_mean"),
        spacing=(pixel_size.row, pixel_size.column),
    )
    columns = (found[name].tolist() for name in _COLUMNS)
    return {
        int(ids[number - 1]): Measurement(int(ids[number - 1]), frame, *rest)
        for number, *rest in zip(*columns, strict=True)
    }


_COLUMNS = (
    "label",
    "num_pixels",
    "area",
    "centroid-0",
    "centroid-1",
    "intensity_mean",
)
