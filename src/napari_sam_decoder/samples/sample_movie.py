"""Sample movies: frames, ground truth, and the clicks of a user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BACK_IN_VIEW", "SampleClick", "SampleMovie", "place_clicks"]

# A user waits for an object to be well inside the frame before clicking again.
BACK_IN_VIEW = 0.8


@dataclass(frozen=True)
class SampleClick:
    """One click on an object.

    Attributes
    ----------
    object_id : int
        The object's value in the truth, from 1.
    frame : int
    position : tuple of float
        (row, column), integers at pixel centres.
    """

    object_id: int
    frame: int
    position: tuple[float, float]


@dataclass(frozen=True, eq=False)
class SampleMovie:
    """A movie whose objects are known at every pixel.

    Attributes
    ----------
    name : str
    frames : (T, Y, X) or (T, Y, X, 3) array of uint8
    truth : (T, Y, X) array of uint16
        Object ids, 0 for background.
    clicks : tuple of SampleClick
        By object, then by frame: one per object on the first frame, and one each time
        an object returns.
    description : str
        What the movie shows.
    credit : str
        Sources of its images and their licences.
    """

    name: str
    frames: np.ndarray
    truth: np.ndarray
    clicks: tuple[SampleClick, ...]
    description: str
    credit: str

    def __repr__(self) -> str:
        return (
            f"SampleMovie({self.name!r}, {self.frames.shape}, {self.truth.max()} "
            f"objects, {len(self.clicks)} clicks)"
        )


def place_clicks(truth: np.ndarray, whole_areas: np.ndarray) -> tuple[SampleClick, ...]:
    """Click on each object when it first appears and each time it returns.

    Parameters
    ----------
    truth : (T, Y, X) array of uint16
        Object ids, 0 for the background.
    whole_areas : (T, N) array of float
        Pixels that objects 1 to N would cover if the frame had no border.

    Returns
    -------
    tuple of SampleClick
        Each at the object's innermost point: the pixel farthest from its outline and
        from the border of the frame.
    """
    return tuple(
        SampleClick(object_id, frame, _most_interior(truth[frame] == object_id))
        for object_id in range(1, whole_areas.shape[1] + 1)
        for frame in _click_frames(truth == object_id, whole_areas[:, object_id - 1])
    )


def _click_frames(seen: np.ndarray, whole_area: np.ndarray) -> Iterator[int]:
    areas = np.count_nonzero(seen, axis=(1, 2))
    is_away = True
    for frame, area in enumerate(areas):
        if is_away and area > 0 and area >= BACK_IN_VIEW * whole_area[frame]:
            yield frame
            is_away = False
        is_away = is_away or area == 0


def _most_interior(mask: np.ndarray) -> tuple[float, float]:
    # The margin makes the border of the frame count as the object's outline.
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return float(row), float(column)
