"""Many objects on many frames, drawn rather than computed, and kept like a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.propagation import FrameResult, ObjectResult, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["Crowd", "add_crowd"]

DOUBTFUL_SHARE = 0.05


class Crowd:
    """Discs in rows and columns that sway.

    Parameters
    ----------
    objects : int
        Their ids start at 1.
    shape : (int, int, int)
        Frames, rows and columns of the movie.
    """

    def __init__(self, objects: int, shape: tuple[int, int, int]) -> None:
        self.ids = range(1, 1 + objects)
        self._length, *self._side = shape
        self._across = int(np.ceil(np.sqrt(objects)))
        self._pitch = min(self._side) // self._across
        radius = self._pitch // 4
        grid = np.arange(-radius, radius + 1)
        self._disc = np.argwhere(np.hypot(*np.meshgrid(grid, grid)) <= radius) - radius

    def first_frame(self, object_id: int) -> int:
        """Where an object is clicked."""
        return (object_id - 1) * self._length // len(self.ids)

    def middle(self, object_id: int, frame: int) -> tuple[int, int]:
        """(row, column) of an object on a frame."""
        row, column = divmod(object_id - 1, self._across)
        sway = np.array([np.sin(frame / 30), np.cos(frame / 30)]) * self._pitch / 8
        place = (np.array([row, column]) + 0.5) * self._pitch + sway
        return int(place[0]), int(place[1])

    def results(self) -> Iterator[FrameResult]:
        """Draw what a run would have found, frame by frame."""
        rng = np.random.default_rng(0)
        for frame in range(self._length):
            labels = np.zeros(self._side, np.uint16)
            for one in self.ids:
                rows, columns = (self._disc + self.middle(one, frame)).T
                labels[rows, columns] = one
            figures = zip(self.ids, rng.uniform(size=(len(self.ids), 2)), strict=True)
            yield FrameResult(
                frame, labels, {one: _judged(one, *f) for one, f in figures}
            )


def _judged(object_id: int, luck: float, quality: float) -> ObjectResult:
    is_doubtful = luck < DOUBTFUL_SHARE
    return ObjectResult(
        object_id,
        Verdict.DOUBTFUL if is_doubtful else Verdict.SURE,
        temporal_iou=0.8 + 0.2 * quality,
        confidence=0.5 * quality if is_doubtful else 0.7 + 0.3 * quality,
        reason=Reason.UNSURE if is_doubtful else None,
        mask_area=500,
    )


def add_crowd(bench: Workbench, crowd: Crowd, patience: float) -> None:
    """Click the objects of a crowd on many frames, and run them through the movie.

    Parameters
    ----------
    bench : Workbench
        On the movie.
    crowd : Crowd
        Of its shape.
    patience : float
        Seconds.
    """
    # Not on the frame that is shown, so that nothing need be decoded.
    bench.show_frame(1)
    for one in crowd.ids:
        made = bench.new_object()
        frame = crowd.first_frame(one)
        bench.add_points((frame, *crowd.middle(one, frame)), made.object_id)
    bench.embed()
    bench.wait(patience, until=lambda: bench.controller.state.session is not None)
    bench.stop_embedding()
    session = bench.controller.state.session
    # All else is done by the window as always: labels, history, journal and docks.
    session.propagate = lambda *_, **__: crowd.results()
    bench.propagate()
    bench.wait(patience)
    del session.propagate
