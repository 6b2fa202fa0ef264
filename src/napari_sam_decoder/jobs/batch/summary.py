"""What a record keeps of a result: figures of each object, and small pictures."""

from __future__ import annotations

import base64
import io
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from skimage.segmentation import expand_labels

from napari_sam_decoder.formats import figures
from napari_sam_decoder.jobs.batch.records import ObjectSummary, Picture
from napari_sam_decoder.propagation import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from napari_sam_decoder.frames import ArrayLike, Movie
    from napari_sam_decoder.jobs.reports import Report
    from napari_sam_decoder.propagation import ObjectResult

__all__ = ["count_doubtful", "draw_pictures", "summarise_objects"]

LONGEST_CURVE = 240
PICTURE_WIDTH = 420
_QUALITY = 80
_WORST_FIRST = (Verdict.ABSENT, Verdict.DOUBTFUL, Verdict.SURE, Verdict.PROMPTED)


def summarise_objects(reports: Iterable[Report]) -> tuple[ObjectSummary, ...]:
    """Summarise each object of one or several reports, by id.

    Frames at several positions come one position after the other.
    """
    by_time: dict[int, list[ObjectResult]] = {}
    for report in reports:
        for object_id, results in report.results.items():
            ordered = (results[frame] for frame in sorted(results))
            by_time.setdefault(object_id, []).extend(ordered)
    return tuple(_summary(*one) for one in sorted(by_time.items()))


def count_doubtful(report: Report) -> int:
    """Count how often an object is doubtful."""
    every = (one for results in report.results.values() for one in results.values())
    return sum(one.verdict is Verdict.DOUBTFUL for one in every)


def draw_pictures(
    report: Report, movie: Movie, labels: ArrayLike, frames: range, position: str = ""
) -> tuple[Picture, ...]:
    """Draw the first, the middle and the last frame, and the least sure one.

    Parameters
    ----------
    report : Report
        Says which frame that is.
    movie : Movie
        What is drawn.
    labels : (T, Y, X) array-like of int
        Of the whole movie.
    frames : range
        The frames that were segmented.
    position : str
        Where the movie is in its file, if that has more axes.
    """
    where = f"{position}, " if position else ""
    captions = {
        frames[0]: "first",
        frames[len(frames) // 2]: "middle",
        frames[-1]: "last",
    }
    worst = _least_sure_frame(report)
    if worst is not None:
        captions[worst] = "least sure"
    return tuple(
        _picture(
            frame, f"{where}{caption}", movie.rgb(frame), np.asarray(labels[frame])
        )
        for frame, caption in sorted(captions.items())
    )


def _summary(object_id: int, by_time: list[ObjectResult]) -> ObjectSummary:
    present = [one.confidence for one in by_time if one.verdict is not Verdict.ABSENT]
    stretches = list(_stretches(by_time))
    return ObjectSummary(
        object_id=object_id,
        frames=len(by_time),
        doubtful=sum(one.verdict is Verdict.DOUBTFUL for one in by_time),
        absent=sum(one.verdict is Verdict.ABSENT for one in by_time),
        mean_confidence=round(float(np.mean(present)), 4) if present else None,
        lowest_confidence=round(float(min(present)), 4) if present else None,
        curve=tuple(
            round(float(min(one.confidence for one in part)), 3) for part in stretches
        ),
        verdicts="".join(_worst(part).value[0] for part in stretches),
    )


def _stretches(results: list[ObjectResult]) -> Iterator[list[ObjectResult]]:
    count = min(len(results), LONGEST_CURVE)
    ends = np.linspace(0, len(results), count + 1).round().astype(int)
    for start, stop in pairwise(ends):
        yield results[start:stop]


def _worst(results: list[ObjectResult]) -> Verdict:
    verdicts = {one.verdict for one in results}
    return next(verdict for verdict in _WORST_FIRST if verdict in verdicts)


def _least_sure_frame(report: Report) -> int | None:
    """The frame with the most doubtful objects, of these the one of least confidence.

    None where nothing is doubtful.
    """
    doubts: dict[int, list[float]] = {}
    for results in report.results.values():
        for frame, one in results.items():
            if one.verdict is Verdict.DOUBTFUL:
                doubts.setdefault(frame, []).append(one.confidence)
    return min(doubts, key=lambda f: (-len(doubts[f]), min(doubts[f]), f), default=None)


def _picture(frame: int, caption: str, rgb: np.ndarray, labels: np.ndarray) -> Picture:
    """Outlines are drawn last, so that they are as thin and sharp as the picture."""
    height, width = labels.shape
    share = min(1.0, PICTURE_WIDTH / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    small = Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS)
    rows = np.minimum((np.arange(size[1]) + 0.5) / share, height - 1).astype(int)
    columns = np.minimum((np.arange(size[0]) + 0.5) / share, width - 1).astype(int)
    shown = labels[np.ix_(rows, columns)]
    # Pages show pictures smaller than they are: a line of one pixel would be faint.
    drawn = figures.draw_outlines(np.asarray(small), expand_labels(shown))
    drawn = figures.draw_outlines(drawn, shown)
    file = io.BytesIO()
    Image.fromarray(drawn).save(file, "WEBP", quality=_QUALITY)
    return Picture(
        frame, caption, *size, webp=base64.b64encode(file.getvalue()).decode("ascii")
    )
