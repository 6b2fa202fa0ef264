"""Find the objects of a frame without being shown any: a grid of clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.interactive.proposals import Proposal
from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.model.values import BACKGROUND_LOGIT
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.selection import MAX_FRAME_SHARE, stability

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from napari_sam_decoder.interactive.frame import ShownFrame

__all__ = ["MOST_BATCHES", "search_frame"]

GRID = 32
"""Clicks along the longer side of the view."""
COARSE = 2
"""Of these every n-th along both sides comes first, the others where nothing is yet."""
BATCH = 32
"""Clicks that are decoded in one call."""
MOST_BATCHES = GRID**2 // BATCH
"""Of a square view."""
RATED_FROM = 0.5
STABLE_FROM = 0.6
"""Rating and stability from which a mask may be an object."""
SMALLEST = 8
"""Low-res pixels; what is smaller has no shape."""
SLOPE = 3
"""Low-res pixels around a mask that say where its edge is."""
SHARED_BELOW = 0.5
"""Share of the smaller of two masks from which they are of one object."""


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A mask that may be an object.

    Attributes
    ----------
    logits : (rows, columns) array of float16
        Around its pixels.
    place : (slice, slice)
        Of these in the low-res grid.
    rating : float
        0..1, expected IoU.
    score : float
        0..1, by which candidates are compared.
    """

    logits: np.ndarray
    place: tuple[slice, slice]
    rating: float
    score: float

    @classmethod
    def of(cls, logits: np.ndarray, rating: float, score: float) -> _Candidate:
        """Crop low-res logits to the object and the slope of its edge."""
        rows, columns = extent(logits > 0) or (slice(0), slice(0))
        place = (
            slice(max(rows.start - SLOPE, 0), min(rows.stop + SLOPE, len(logits))),
            slice(
                max(columns.start - SLOPE, 0),
                min(columns.stop + SLOPE, logits.shape[1]),
            ),
        )
        return cls(logits[place].astype(np.float16), place, rating, score)

    @property
    def mask(self) -> np.ndarray:
        """Which of the pixels are the object's."""
        inside: np.ndarray = self.logits > 0
        return inside

    def unpacked(self, side: int) -> np.ndarray:
        """Return (side, side) low-res logits."""
        logits = np.full((side, side), BACKGROUND_LOGIT, np.float32)
        logits[self.place] = self.logits
        return logits


def search_frame(
    frame: ShownFrame, occupied: np.ndarray | None = None
) -> Generator[None, None, list[Proposal]]:
    """Find objects by clicks on a grid.

    Of all masks that the decoder offers, the best rated and most stable ones are taken,
    as long as they share less than half of the smaller one with those taken before.

    Parameters
    ----------
    frame : ShownFrame
        Where to look.
    occupied : (Y, X) array of bool, optional
        Objects that are known already. Nothing is looked for there.

    Yields
    ------
    None
        After each batch of clicks.

    Returns
    -------
    list of Proposal
        Masks that do not overlap, the surest first.
    """
    known = None
    if occupied is not None:
        size = frame.decoder.mask_size
        known = mask_logits(occupied, frame.geometry, size) > 0
    found: list[_Candidate] = []
    for points in _rounds(frame):
        taken = _claimed(_choose(found, frame, known), frame, known)
        open_points = [one for one in points if not _is_inside(one, taken, frame)]
        for start in range(0, len(open_points), BATCH):
            found += _decode(frame, open_points[start : start + BATCH])
            yield
    return _drawn(frame, _choose(found, frame, known), occupied)


def _rounds(frame: ShownFrame) -> Iterator[list[tuple[float, float]]]:
    """Yield the coarse clicks, then the others."""
    step = max(frame.shape) / GRID
    numbers = [np.arange(int(length / step + 0.5)) for length in frame.shape]
    rows, columns = np.meshgrid(*numbers, indexing="ij")
    is_coarse = (rows % COARSE == COARSE // 2) & (columns % COARSE == COARSE // 2)
    for chosen in (is_coarse, ~is_coarse):
        places = np.column_stack([rows[chosen], columns[chosen]]) * step + step / 2
        limited = np.minimum(places, np.subtract(frame.shape, 1))
        yield [(float(row), float(column)) for row, column in limited]


def _decode(
    frame: ShownFrame, points: Sequence[tuple[float, float]]
) -> Iterator[_Candidate]:
    """Decode clicks; yield what may be an object."""
    prompts = [frame.geometry.to_prompt(np.array([one]), [True]) for one in points]
    decoded = frame.decoder.decode(frame.embedding, prompts, [None] * len(prompts))
    ratings = frame.rate(decoded).clip(0, 1)
    rows, columns = _content(frame)
    for logits, rated in zip(decoded.low_res_logits, ratings, strict=True):
        for mask, rating in zip(logits[1:, :rows, :columns], rated[1:], strict=True):
            steady, area = stability(mask), np.count_nonzero(mask > 0)
            is_size = SMALLEST <= area <= MAX_FRAME_SHARE * mask.size
            if is_size and rating >= RATED_FROM and steady >= STABLE_FROM:
                yield _Candidate.of(mask, float(rating), float(rating * steady))


def _content(frame: ShownFrame) -> tuple[int, int]:
    """Low-res rows and columns that show the frame."""
    unit = max(frame.geometry.model_shape) / frame.decoder.mask_size
    rows, columns = (int(np.ceil(one / unit)) for one in frame.geometry.model_shape)
    return rows, columns


def _choose(
    found: Sequence[_Candidate], frame: ShownFrame, known: np.ndarray | None
) -> list[_Candidate]:
    """Choose those that hardly overlap, the best first."""
    size = frame.decoder.mask_size
    # 0 is nothing, 1 what is known, and so on.
    owners = np.zeros((size, size), np.int32)
    if known is not None:
        owners[known] = 1
    chosen: list[_Candidate] = []
    # What is known may be of any size: the candidate's own area counts there.
    areas: list[float] = [np.inf]
    for one in sorted(found, key=lambda candidate: -candidate.score):
        below = owners[one.place][one.mask]
        shared = np.bincount(below, minlength=len(areas) + 1)[1:]
        if (shared < SHARED_BELOW * np.minimum(areas, below.size)).all():
            chosen.append(one)
            areas.append(below.size)
            part = owners[one.place]
            part[one.mask & (part == 0)] = len(areas)
    return chosen


def _claimed(
    chosen: Sequence[_Candidate], frame: ShownFrame, known: np.ndarray | None
) -> np.ndarray:
    size = frame.decoder.mask_size
    claimed = np.zeros((size, size), bool) if known is None else known.copy()
    for one in chosen:
        claimed[one.place] |= one.mask
    return claimed


def _is_inside(
    point: tuple[float, float], claimed: np.ndarray, frame: ShownFrame
) -> bool:
    unit = max(frame.shape) / len(claimed)
    row, column = (min(int(value / unit), len(claimed) - 1) for value in point)
    return bool(claimed[row, column])


def _drawn(
    frame: ShownFrame, chosen: Sequence[_Candidate], occupied: np.ndarray | None
) -> list[Proposal]:
    """Draw masks in the frame; where two meet, the surer one is in front."""
    taken = np.zeros(frame.shape, bool) if occupied is None else occupied.copy()
    drawn = []
    for one in chosen:
        whole = frame.draw(one.unpacked(frame.decoder.mask_size)).mask(frame.shape)
        mask = whole & ~taken
        if np.count_nonzero(mask) > SHARED_BELOW * np.count_nonzero(whole):
            taken |= mask
            drawn.append(Proposal(mask, one.rating))
    return drawn
