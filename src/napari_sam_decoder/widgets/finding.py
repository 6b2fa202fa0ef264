"""Finds the objects of a frame in the background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from napari_sam_decoder.interactive.search import MOST_BATCHES
from napari_sam_decoder.widgets.label_work import LabelWork
from napari_sam_decoder.widgets.runs import ProgressEstimate

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import numpy as np

    from napari_sam_decoder.propagation import FoundObject
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.movie_state import MovieState

__all__ = ["ObjectSearch"]


@dataclass(eq=False)
class ObjectSearch(LabelWork):
    """Looks for objects that nobody has shown.

    Attributes
    ----------
    session : Session
        Opened for the movie.
    frame : int
        Where to look.
    occupied : (Y, X) array of bool
        Where objects are already.
    on_found : callable
        Takes the search and the objects, in the GUI thread.
    """

    session: Session
    frame: int
    occupied: np.ndarray
    on_found: Callable[[ObjectSearch, list[FoundObject]], None]

    under_way: ClassVar[str] = "a frame is being searched for objects"
    title: ClassVar[str] = "looking for objects"

    def __post_init__(self) -> None:
        self.progress = ProgressEstimate(MOST_BATCHES)

    def steps(self) -> Generator[list[FoundObject] | None]:
        """Search step by step; the objects come last."""
        yield from self.session.search_objects(self.frame, self.occupied)

    def finish(self, state: MovieState, result: Any) -> None:
        """Hand the objects on."""
        del state
        self.on_found(self, result)
