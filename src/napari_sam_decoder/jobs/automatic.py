"""Prompts of objects that are found without being shown."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.interactive.search import MOST_BATCHES
from napari_sam_decoder.prompts import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_decoder.frames import ArrayLike
    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.session import Session

__all__ = ["found_prompts", "highest_id", "require_search_frames"]


def require_search_frames(asked: Iterable[int], frames: range) -> None:
    """Refuse to search frames that are not segmented.

    Raises
    ------
    OptionError
        Which names them.
    """
    missing = [frame for frame in asked if frame not in frames]
    if missing:
        raise OptionError(
            f"objects cannot be looked for on frame {', '.join(map(str, missing))}: "
            f"frames {frames.start} to {frames.stop - 1} are segmented; choose from "
            "these with --auto (in Python auto=)"
        )


def highest_id(labels: ArrayLike) -> int:
    """Return the highest object id in labels; 0 without any."""
    return max(int(np.max(labels[frame])) for frame in range(labels.shape[0]))


def found_prompts(
    session: Session, frame: int, occupied: np.ndarray, above: int, progress: Progress
) -> list[Prompt]:
    """Find the objects on a frame that are not known yet.

    Parameters
    ----------
    session : Session
        Has the movie.
    frame : int
        Where to look.
    occupied : (Y, X) array of bool
        Where objects are already.
    above : int
        New objects get the next higher ids.
    progress : Progress
        Gets one step per batch of clicks.

    Returns
    -------
    list of Prompt
        Painted masks, with the surest first.
    """
    steps = session.search_objects(frame, occupied)
    what = f"looking for objects on frame {frame}"
    *_, found = progress(steps, total=MOST_BATCHES + 1, what=what)
    ids = count(above + 1)
    return [Prompt(next(ids), frame, mask=one.painted) for one in found or ()]
