"""What became of each object on each frame, for tables and for reading."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.propagation import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari_sam_decoder.propagation import FrameResult, ObjectResult

__all__ = ["ObjectHistory", "frame_ranges", "summarise"]

COLUMNS = (
    "object_id",
    "frame",
    "verdict",
    "confidence",
    "iou_prediction",
    "stability",
    "memory_agreement",
    "temporal_iou",
    "area_change",
    "likeness",
    "area",
    "reason",
    "rival",
)


class ObjectHistory:
    """Collects final results without their pixels.

    Attributes
    ----------
    results : dict of object id to dict of frame to ObjectResult
    areas : dict of object id to dict of frame to int
        In pixels.
    """

    def __init__(self) -> None:
        self.results: dict[int, dict[int, ObjectResult]] = defaultdict(dict)
        self.areas: dict[int, dict[int, int]] = defaultdict(dict)

    def note(self, result: FrameResult) -> None:
        """Take down a frame; a later result for it replaces the earlier one."""
        for object_id, seen in result.judged.items():
            self.results[object_id][result.frame] = seen
            area = np.count_nonzero(result.labels == object_id)
            self.areas[object_id][result.frame] = int(area)

    def confidence(self, object_id: int) -> np.ndarray:
        """(T,) confidence of an object in the order of its frames."""
        frames = self.results[object_id]
        return np.array([frames[frame].confidence for frame in sorted(frames)])

    def frames_with(self, object_id: int, verdict: Verdict) -> list[int]:
        """Frames on which an object got a verdict, ascending."""
        results = self.results[object_id]
        return sorted(f for f, result in results.items() if result.verdict is verdict)

    def conflicts(self, object_id: int) -> dict[str, list[int]]:
        """Frames on which other objects are in the way, ascending, by what is said."""
        found: dict[str, list[int]] = defaultdict(list)
        for frame, result in sorted(self.results[object_id].items()):
            if result.reason is not None and result.reason.is_conflict:
                found[result.why].append(frame)
        return dict(found)

    def as_csv(self) -> str:
        """One row per object and frame, with a header."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        for object_id, frames in sorted(self.results.items()):
            writer.writerows(
                self._row(object_id, frame, frames[frame]) for frame in sorted(frames)
            )
        return table.getvalue()

    def _row(self, object_id: int, frame: int, result: ObjectResult) -> list[object]:
        parts = (
            result.confidence,
            result.iou_prediction,
            result.stability,
            result.memory_agreement,
            result.temporal_iou,
            result.area_change,
            result.likeness,
        )
        numbers = [f"{part:.4f}" for part in parts]
        area = self.areas[object_id][frame]
        why = [result.reason or "", "" if result.rival is None else result.rival]
        return [object_id, frame, result.verdict.value, *numbers, area, *why]


def summarise(history: ObjectHistory, computed_of: int | None = None) -> Iterable[str]:
    """Describe each object in one line, doubtful and absent frames by number.

    Where another object is the reason, that is said too.

    Parameters
    ----------
    history : ObjectHistory
        Of a whole movie, or of a correction.
    computed_of : int, optional
        After a correction, how many frames the movie has, so that each line tells how
        few of them were computed anew.

    Yields
    ------
    str
    """
    for object_id, frames in sorted(history.results.items()):
        noun = "frame" if len(frames) == 1 else "frames"
        if computed_of is not None:
            noun = f"of {computed_of} frames computed anew"
        parts = [f"object {object_id}: {len(frames)} {noun}"]
        for verdict in (Verdict.DOUBTFUL, Verdict.ABSENT):
            found = history.frames_with(object_id, verdict)
            if found:
                parts.append(f"{len(found)} {verdict.value} ({frame_ranges(found)})")
        for why, found in history.conflicts(object_id).items():
            parts.append(f"{why} ({frame_ranges(found)})")
        yield ", ".join(parts)


def frame_ranges(frames: Iterable[int]) -> str:
    """Write ascending frames as people do: ``3, 7-9``."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][-1] + 1:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs
    )
