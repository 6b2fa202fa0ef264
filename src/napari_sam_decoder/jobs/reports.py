"""Reports: the verdict on each object on each frame, as a table and in sentences."""

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

__all__ = ["Report", "frame_ranges", "summarise"]

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


class Report:
    """Verdict, confidence and area of each object on each frame.

    Attributes
    ----------
    results : dict of object id to dict of frame to ObjectResult
    areas : dict of object id to dict of frame to int
        In pixels.
    """

    def __init__(self) -> None:
        self.results: dict[int, dict[int, ObjectResult]] = defaultdict(dict)
        self.areas: dict[int, dict[int, int]] = defaultdict(dict)

    def __repr__(self) -> str:
        frames = {frame for results in self.results.values() for frame in results}
        return f"Report({len(self.results)} objects on {len(frames)} frames)"

    def add(self, result: FrameResult) -> None:
        """Add a frame. A later result for the same frame replaces it."""
        for object_id, found in result.judged.items():
            self.results[object_id][result.frame] = found
            area = np.count_nonzero(result.labels == object_id)
            self.areas[object_id][result.frame] = int(area)

    def confidence(self, object_id: int) -> np.ndarray:
        """(T,) confidence in an object, in the order of its frames."""
        frames = self.results[object_id]
        return np.array([frames[frame].confidence for frame in sorted(frames)])

    def frames_with(self, object_id: int, verdict: Verdict) -> list[int]:
        """Frames on which an object has this verdict, ascending."""
        results = self.results[object_id]
        return sorted(f for f, result in results.items() if result.verdict is verdict)

    def conflicts(self, object_id: int) -> dict[str, list[int]]:
        """Frames on which another object is in the way, by the reason in words."""
        found: dict[str, list[int]] = defaultdict(list)
        for frame, result in sorted(self.results[object_id].items()):
            if result.reason is not None and result.reason.is_conflict:
                found[result.why].append(frame)
        return dict(found)

    def to_csv(self) -> str:
        """Return a table with a header and one row per object and frame."""
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


def summarise(report: Report, recomputed_of: int | None = None) -> Iterable[str]:
    """Describe each object in one line, with its doubtful and absent frames.

    Where another object is the reason, the line says so.

    Parameters
    ----------
    report : Report
        Of a whole movie, or of a correction.
    recomputed_of : int, optional
        After a correction, the length of the movie. Each line then says how many of
        its frames were recomputed.

    Yields
    ------
    str
    """
    for object_id, frames in sorted(report.results.items()):
        noun = "frame" if len(frames) == 1 else "frames"
        if recomputed_of is not None:
            noun = f"of {recomputed_of} frames recomputed"
        parts = [f"object {object_id}: {len(frames)} {noun}"]
        for verdict in (Verdict.DOUBTFUL, Verdict.ABSENT):
            found = report.frames_with(object_id, verdict)
            if found:
                parts.append(f"{len(found)} {verdict.value} ({frame_ranges(found)})")
        for why, found in report.conflicts(object_id).items():
            parts.append(f"{why} ({frame_ranges(found)})")
        yield ", ".join(parts)


def frame_ranges(frames: Iterable[int]) -> str:
    """Write ascending frames in short: ``3, 7-9``."""
    runs: list[list[int]] = []
    for frame in frames:
        if runs and frame == runs[-1][-1] + 1:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs
    )
