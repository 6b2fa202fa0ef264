"""A Labels layer read in the background while results for it are on their way."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.widgets.layers.targets import check_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from napari.layers import Labels

    from napari_sam_decoder.propagation import FrameResult
    from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = ["LabelsDraft"]


class LabelsDraft:
    """The labels of a movie as they will be once all results have been written.

    Only the GUI thread writes to a layer. Until it has, a result is kept here, so that
    whoever computes the next one finds it.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        Of the movie's shape; it is only read, also if its data are replaced meanwhile.
    """

    def __init__(self, view: MovieView, layer: Labels) -> None:
        self._view = view
        self._layer = layer
        self._coming: dict[int, np.ndarray] = {}
        self._guard = Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, Y, X) of the movie."""
        return len(self._view), *self._view.frame_shape

    @property
    def dtype(self) -> Any:
        """Type of one pixel of the layer."""
        return self._layer.data.dtype

    def __getitem__(self, frame: int) -> np.ndarray:
        """Read the labels of one frame: (Y, X), not to be changed.

        Raises
        ------
        LabelsError
            If the layer has got data of another shape meanwhile.
        """
        with self._guard:
            coming = self._coming.get(frame)
        if coming is not None:
            return coming
        check_shape(self._view, self._layer)
        return np.asarray(self._layer.data[self._view.index(frame)])

    def follow(self, results: Iterable[FrameResult]) -> Iterator[FrameResult]:
        """Keep each result before the next one is asked for.

        Parameters
        ----------
        results : iterable of FrameResult
            Their labels hold all objects, as `Session.correct` gives them.

        Yields
        ------
        FrameResult
            The same.
        """
        for result in results:
            with self._guard:
                self._coming[result.frame] = result.labels
            yield result

    def settle(self, result: FrameResult) -> None:
        """Read the frame from the layer again, unless a later result is on its way."""
        with self._guard:
            if self._coming.get(result.frame) is result.labels:
                del self._coming[result.frame]
