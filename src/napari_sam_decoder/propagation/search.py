"""Find the objects of a frame by themselves, in a large one through windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.frames import PlacedMask, Window
from napari_sam_decoder.interactive import search_frame
from napari_sam_decoder.prompts import PaintedMask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.interactive import Proposal
    from napari_sam_decoder.propagation.views import Views

__all__ = ["FoundObject", "search_objects"]


@dataclass(frozen=True, eq=False)
class FoundObject:
    """An object that was found without being shown.

    Attributes
    ----------
    placed : PlacedMask
        The mask, where it is in the frame.
    frame_shape : (rows, columns)
    rating : float
        0..1, expected IoU.
    """

    placed: PlacedMask
    frame_shape: tuple[int, int]
    rating: float

    @property
    def mask(self) -> np.ndarray:
        """(Y, X) array of bool over the whole frame, not to be changed."""
        return self.placed.seen_in(Window.of_frame(self.frame_shape))

    @property
    def painted(self) -> PaintedMask:
        """The mask as one that was painted, for a `Prompt`."""
        return PaintedMask.placed(self.placed, self.frame_shape)


def search_objects(
    views: Views, frame: int, occupied: np.ndarray | None = None
) -> Iterator[list[FoundObject] | None]:
    """Find objects on a frame.

    The whole frame is searched. If what is found there is small in a large frame, it is
    searched again through windows in which such objects are well seen.

    Parameters
    ----------
    views : Views
        Have the frames and the decoder.
    frame : int
        Where to look.
    occupied : (Y, X) array of bool, optional
        Objects that are known already.

    Yields
    ------
    list of FoundObject or None
        None after each batch of clicks. At last the objects, whose masks overlap
        neither each other nor what is occupied, the surest first.
    """
    shape = views.frame_shape
    taken = np.zeros(shape, bool) if occupied is None else np.array(occupied, bool)
    found = yield from search_frame(views.whole.shown(frame), taken)
    windows = _nearer_windows(views, found)
    if not windows:
        windows, inside = [views.pyramid.whole], found
    objects = []
    for window in windows:
        if window != views.pyramid.whole:
            shown = views.at(window).shown(frame)
            inside = yield from search_frame(shown, taken[window.place])
        for one in inside:
            placed = PlacedMask(one.mask, window)
            box = placed.extent
            # A neighbour sees all of what reaches out of a window.
            if box is not None and not views.pyramid.is_cut(box, window):
                cropped = PlacedMask(placed.inside, box)
                taken[box.place] |= cropped.pixels
                objects.append(FoundObject(cropped, shape, one.rating))
    yield sorted(objects, key=lambda one: -one.rating)


def _nearer_windows(views: Views, found: Sequence[Proposal]) -> list[Window]:
    """List the windows in which objects of the usual size are well seen."""
    boxes = [box for one in found if (box := Window.around(one.mask)) is not None]
    if not boxes or not views.pyramid.sides:
        return []
    usual = sorted(boxes, key=lambda box: box.side)[len(boxes) // 2]
    window = views.pyramid.window_for(usual)
    if window == views.pyramid.whole:
        return []
    return list(views.pyramid.windows(window.side))
