"""How each object fares from frame to frame, as arrays to be drawn."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam_decoder.project.changes import EntryChange
from napari_sam_decoder.project.prompt_log import CORRECTION
from napari_sam_decoder.propagation import Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from napari_sam_decoder.project.frame_records import FrameRecord, FrameRecords
    from napari_sam_decoder.project.history import History, Step

__all__ = ["CellState", "LastRun", "Timeline", "Timelines"]


class CellState(IntEnum):
    """What is known of an object on a frame; the larger, the more it matters."""

    UNKNOWN = 0
    ABSENT = 1
    UNRATED = 2
    SURE = 3
    FIXED = 4
    DOUBTFUL = 5


_STATES = {
    Verdict.PROMPTED: CellState.FIXED,
    Verdict.SURE: CellState.SURE,
    Verdict.DOUBTFUL: CellState.DOUBTFUL,
    Verdict.ABSENT: CellState.ABSENT,
}


@dataclass(frozen=True, eq=False)
class Timeline:
    """One object on all T frames of a movie.

    Attributes
    ----------
    states : (T,) array of uint8
        `CellState`. An object is unrated where the labels hold it but no run has said
        anything, for example in labels from elsewhere.
    confidence : (T,) array of float32
        0..1; NaN where it is not known.
    overlap : (T,) array of float32
        0..1, temporal IoU; NaN where it is not known.
    area : (T,) array of float32
        In pixels, before overlaps with other objects were resolved; NaN where it is not
        known.
    is_changed : (T,) array of bool
        Whether the last run or correction has changed what was known.
    """

    states: np.ndarray
    confidence: np.ndarray
    overlap: np.ndarray
    area: np.ndarray
    is_changed: np.ndarray

    @classmethod
    def empty(cls, length: int) -> Self:
        """Make the timeline of an object of which nothing is known."""
        unknown = np.full(length, np.nan, np.float32)
        return cls(
            np.zeros(length, np.uint8),
            unknown,
            unknown.copy(),
            unknown.copy(),
            np.zeros(length, bool),
        )

    def put(self, frame: int, record: FrameRecord, *, is_fixed: bool = False) -> None:
        """Take what is known of a frame.

        Parameters
        ----------
        frame : int
            0 <= frame < T.
        record : FrameRecord
            Of the object on it.
        is_fixed : bool, default False
            Whether a person has fixed it, so that it is doubted only if another object
            is in the way.
        """
        found = record.result
        state = CellState.UNRATED if record.has_pixels else CellState.UNKNOWN
        confidence = overlap = area = np.nan
        if found is not None:
            state = CellState.DOUBTFUL if found.is_doubtful else _STATES[found.verdict]
            confidence = found.confidence
        if found is not None and record.has_pixels:
            overlap, area = found.temporal_iou, found.mask_area or np.nan
        if is_fixed and state != CellState.DOUBTFUL:
            state = CellState.FIXED
        self.states[frame] = state
        self.confidence[frame] = confidence
        self.overlap[frame] = overlap
        self.area[frame] = area

    def within(self, frames: slice) -> Self:
        """Return the part of the timeline on some frames, which changes with it."""
        parts = (getattr(self, field.name)[frames] for field in fields(self))
        return type(self)(*parts)

    def narrowed(self, width: int) -> np.ndarray:
        """Choose the frame that matters most for each of so many columns.

        Parameters
        ----------
        width : int
            1 <= width.

        Returns
        -------
        (width,) array of int
            With more columns than frames, a frame has several.
        """
        length = len(self.states)
        if width >= length:
            columns: np.ndarray = np.arange(width) * length // width
            return columns
        starts = np.arange(width) * length // width
        # What has changed is told from what has not where they matter equally.
        weight = 2 * self.states.astype(np.int64) + self.is_changed
        ranked = weight * length - np.arange(length)
        best = np.maximum.reduceat(ranked, starts)
        found: np.ndarray = -best % length
        return found


class Timelines:
    """The timelines of all objects, kept up to date until it is closed.

    Parameters
    ----------
    records : FrameRecords
        What is known of each frame; listened to.
    length : int
        Frames of the movie.
    """

    def __init__(self, records: FrameRecords, length: int) -> None:
        self._records = records
        self._length = length
        self._lines: dict[int, Timeline] = {}
        self._fixed: dict[int, set[int]] = {}
        self._outdated: set[int] = set()
        for object_id in records.object_ids:
            for frame, record in records.of_object(object_id):
                self._follow(object_id, frame, record)
        records.subscribe(self._follow)

    def close(self) -> None:
        """Follow the records no more."""
        self._records.unsubscribe(self._follow)

    def of(self, object_id: int) -> Timeline:
        """Return the timeline of an object, which changes with the records."""
        if object_id not in self._lines:
            self._lines[object_id] = Timeline.empty(self._length)
        return self._lines[object_id]

    def fix(self, fixed: Mapping[int, Collection[int]]) -> None:
        """Show frames as fixed, whatever a run has found there before.

        Parameters
        ----------
        fixed : mapping of int to collection of int
            By object, all that there are now.
        """
        earlier, self._fixed = self._fixed, {key: {*fixed[key]} for key in fixed}
        for object_id in {*self._fixed, *earlier}:
            now, before = (one.get(object_id, set()) for one in (self._fixed, earlier))
            for frame in now ^ before:
                self._follow(object_id, frame, self._records.at(object_id, frame))

    def mark_changed(self, keys: Collection[tuple[int, int]], *, anew: bool) -> None:
        """Mark what the last run has changed.

        Parameters
        ----------
        keys : collection of (object id, frame)
            Frames beyond the movie are left out.
        anew : bool
            Whether nothing else stays marked.
        """
        for object_id, line in self._lines.items() if anew else ():
            if line.is_changed.any():
                line.is_changed[:] = False
                self._outdated.add(object_id)
        for object_id, frame in keys:
            if 0 <= frame < self._length:
                self.of(object_id).is_changed[frame] = True
                self._outdated.add(object_id)

    def take_outdated(self) -> set[int]:
        """Return the objects whose timelines have changed since this was last asked."""
        outdated, self._outdated = self._outdated, set()
        return outdated

    def _follow(self, object_id: int, frame: int, record: FrameRecord) -> None:
        if 0 <= frame < self._length:
            is_fixed = frame in self._fixed.get(object_id, ())
            self.of(object_id).put(frame, record, is_fixed=is_fixed)
            self._outdated.add(object_id)


class LastRun:
    """Tells what the last run or correction has changed, as it goes on.

    What was not known before is new, not changed: else all of a first run would be.

    Parameters
    ----------
    history : History
        Of the movie.
    scope : tuple of int
        Of the frames of one cut in its document.
    """

    def __init__(self, history: History, scope: tuple[int, ...]) -> None:
        self._history = history
        self._scope = scope
        self._step: Step | None = None
        self._seen = 0
        self._before: dict[tuple[int, int], Any] = {}

    def follow(self) -> tuple[set[tuple[int, int]], bool]:
        """Return what has changed since this was last asked.

        Returns
        -------
        keys : set of (object id, frame)
        is_another : bool
            Whether the last run is another one than before, perhaps none.
        """
        last = next(
            (one for one in reversed(self._history.done) if one.kind in _RUNS), None
        )
        is_another = last is not self._step
        if is_another:
            self._step, self._seen, self._before = last, 0, {}
        return set(self._new_keys()), is_another

    def _new_keys(self) -> Iterator[tuple[int, int]]:
        parts = [] if self._step is None else self._step.parts[self._seen :]
        self._seen += len(parts)
        for part in parts:
            for change in part:
                if not isinstance(change, EntryChange):
                    continue
                if (change.table, change.scope) == ("frames", self._scope):
                    # A run may reach a frame twice.
                    before = self._before.setdefault(change.key, change.before)
                    if before is not None:
                        yield change.key


_RUNS = ("run", CORRECTION)
