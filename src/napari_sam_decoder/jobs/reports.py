"""Reports: verdict and size of each object on each frame, as tables and sentences."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.measurements import PixelSize, measure_frame
from napari_sam_decoder.propagation import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from napari_sam_decoder.frames import Movie
    from napari_sam_decoder.measurements import Measurement
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
    "scaled_area",
    "centroid_row",
    "centroid_column",
    "mean_intensity",
    "unit",
    "reason",
    "rival",
)


class Report:
    """Verdict, confidence, area and position of each object on each frame.

    Parameters
    ----------
    movie : Movie, optional
        What brightness is measured on; without it, only areas are known.
    pixel_size : PixelSize, optional
        In which units is measured; pixels by default.

    Attributes
    ----------
    results : dict of object id to dict of frame to ObjectResult
    areas : dict of object id to dict of frame to int
        In pixels.
    measurements : dict of object id to dict of frame to Measurement
        Where an object has pixels.
    """

    def __init__(
        self, movie: Movie | None = None, pixel_size: PixelSize | None = None
    ) -> None:
        self._movie = movie
        self._pixel_size = pixel_size or PixelSize()
        self.results: dict[int, dict[int, ObjectResult]] = defaultdict(dict)
        self.areas: dict[int, dict[int, int]] = defaultdict(dict)
        self.measurements: dict[int, dict[int, Measurement]] = defaultdict(dict)

    def __repr__(self) -> str:
        frames = {frame for results in self.results.values() for frame in results}
        return f"Report({len(self.results)} objects on {len(frames)} frames)"

    def add(self, result: FrameResult) -> None:
        """Add a frame. A later result for the same frame replaces it."""
        for object_id, found in result.judged.items():
            self.results[object_id][result.frame] = found
            area = np.count_nonzero(result.labels == object_id)
            self.areas[object_id][result.frame] = int(area)
        # What is not final comes again.
        if self._movie is not None and result.is_final:
            pixels = self._movie.raw(result.frame)
            size = self._pixel_size
            measured = measure_frame(result.frame, result.labels, pixels, size)
            for object_id in result.judged:
                self.measurements[object_id].pop(result.frame, None)
                if object_id in measured:
                    self._note(measured[object_id])

    def end(self, object_id: int, start: int) -> None:
        """Forget an object from a frame on."""
        known: tuple[dict[int, Any], ...] = (
            self.results[object_id],
            self.areas[object_id],
            self.measurements[object_id],
        )
        for by_frame in known:
            for frame in [one for one in by_frame if one >= start]:
                del by_frame[frame]

    def add_measured(
        self,
        frame: int,
        results: Mapping[int, ObjectResult],
        measured: Mapping[int, Measurement],
    ) -> None:
        """Add a frame of labels, whatever made them.

        Parameters
        ----------
        frame : int
            Its number.
        results : mapping of int to ObjectResult
            What is known of objects on it.
        measured : mapping of int to Measurement
            All objects that have pixels on it.
        """
        for object_id in {*results, *measured}:
            self.areas[object_id][frame] = 0
        for object_id, found in results.items():
            self.results[object_id][frame] = found
        for one in measured.values():
            self._note(one)

    def _note(self, measured: Measurement) -> None:
        self.measurements[measured.object_id][measured.frame] = measured
        self.areas[measured.object_id][measured.frame] = measured.area

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

    def division(self, object_id: int) -> int | None:
        """Frame on which an object seems to have divided; None if it has not."""
        results = self.results[object_id]
        divided = [f for f, one in results.items() if one.reason is Reason.DIVIDED]
        return min(divided, default=None)

    def to_csv(self) -> str:
        """Return a table with a header and one row per object and frame."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        for object_id, frames in sorted(self.areas.items()):
            writer.writerows(self._row(object_id, frame) for frame in sorted(frames))
        return table.getvalue()

    def by_object(self) -> Iterator[dict[str, Any]]:
        """Yield a row per object that has pixels on any frame, by id.

        Yields
        ------
        dict of str to value
            ``index`` is the object id; the number of its frames, the first and the
            last of them, the number of doubtful ones; the means of the measurements
            over its frames, in the unit that is named, and that of the confidence where
            it is known, else NaN.
        """
        for object_id, frames in sorted(self.measurements.items()):
            if not frames:
                continue
            measured = frames.values()
            results = self.results.get(object_id, {}).values()
            sure = [found.confidence for found in results]
            yield {
                "index": object_id,
                "frames": len(frames),
                "first_frame": min(frames),
                "last_frame": max(frames),
                "doubtful_frames": sum(found.is_doubtful for found in results),
                "mean_confidence": fmean(sure) if sure else float("nan"),
                "mean_area": fmean(one.scaled_area for one in measured),
                "mean_centroid_row": fmean(one.centroid_row for one in measured),
                "mean_centroid_column": fmean(one.centroid_column for one in measured),
                "mean_intensity": fmean(one.mean_intensity for one in measured),
                "unit": self._pixel_size.unit,
            }

    def _row(self, object_id: int, frame: int) -> list[object]:
        measured = self.measurements.get(object_id, {}).get(frame)
        sizes: list[object] = [self.areas[object_id][frame], "", "", "", "", ""]
        if measured is not None:
            figures = (
                measured.scaled_area,
                measured.centroid_row,
                measured.centroid_column,
                measured.mean_intensity,
            )
            sizes[1:] = [*(f"{one:.4f}" for one in figures), self._pixel_size.unit]
        result = self.results.get(object_id, {}).get(frame)
        if result is None:
            return [object_id, frame, *[""] * 8, *sizes, "", ""]
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
        why = [result.reason or "", "" if result.rival is None else result.rival]
        return [object_id, frame, result.verdict.value, *numbers, *sizes, *why]


def summarise(report: Report, recomputed_of: int | None = None) -> Iterable[str]:
    """Describe each object in one line, with its doubtful and absent frames.

    Where another object is the reason, or the object seems to have divided, the line
    says so.

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
        divided = report.division(object_id)
        if divided is not None:
            parts.append(f"seems to have divided (frame {divided})")
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
