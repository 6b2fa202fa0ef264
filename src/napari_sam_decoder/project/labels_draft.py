"""Labels as they will be once all results are written."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.project.guarded_labels import read_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np

    from napari_sam_decoder.project.cut import Cut
    from napari_sam_decoder.project.guarded_labels import LabelsHolder
    from napari_sam_decoder.propagation import FrameResult

__all__ = ["LabelsDraft"]


class LabelsDraft:
    """The labels of a movie as they will be once all results are written.

    Results are written elsewhere, later. Until then, a result is kept here for the
    computation of the next one.

    Parameters
    ----------
    cut : Cut
        The movie.
    holder : LabelsHolder
        Of the movie's shape; it is only read, also if its data are replaced meanwhile.
    """

    def __init__(self, cut: Cut, holder: LabelsHolder) -> None:
        self._cut = cut
        self._holder = holder
        self._waiting: dict[int, np.ndarray] = {}
        self._guard = Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, Y, X) of the movie."""
        return len(self._cut), *self._cut.frame_shape

    @property
    def dtype(self) -> Any:
        """Type of one pixel of the labels."""
        return self._holder.data.dtype

    def __getitem__(self, frame: int) -> np.ndarray:
        """Read the labels of one frame: (Y, X), not to be changed.

        Raises
        ------
        LabelsError
            If the labels have another shape by now.
        """
        with self._guard:
            waiting = self._waiting.get(frame)
        if waiting is not None:
            return waiting
        shape = tuple(int(length) for length in self._holder.data.shape)
        if shape != self._cut.spatial_shape:
            raise LabelsError(
                f"labels of shape {shape} do not fit the movie of shape "
                f"{self._cut.spatial_shape}; choose labels of that shape or a new layer"
            )
        return read_labels(self._holder, self._cut.index(frame))

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
                self._waiting[result.frame] = result.labels
            yield result

    def mark_written(self, result: FrameResult) -> None:
        """Read the frame from the labels again, unless a later result is waiting."""
        with self._guard:
            if self._waiting.get(result.frame) is result.labels:
                del self._waiting[result.frame]
