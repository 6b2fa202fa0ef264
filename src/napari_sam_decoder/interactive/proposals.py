"""First masks of an object: what a click, scribble, box or lasso may mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.draw import polygon2mask

from napari_sam_decoder.interactive.actions import Shown
from napari_sam_decoder.interactive.clues import Clues
from napari_sam_decoder.interactive.focus import SMALLEST_SIDE, Focus
from napari_sam_decoder.interactive.refiner import refine
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.transforms import extent
from napari_sam_decoder.selection import MAX_FRAME_SHARE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam_decoder.interactive.actions import Action
    from napari_sam_decoder.interactive.frame import ShownFrame
    from napari_sam_decoder.model.values import MaskCandidates
    from napari_sam_decoder.prompts import Prompt

__all__ = ["HYPOTHESES", "Proposal", "Proposals", "propose", "region_of"]

HYPOTHESES = 3
"""Masks that are offered for a click."""

MARGIN = 1.5
"""Side of a window, in units of the object's side."""
MARGINS_OF_BOX = (1.4, 1.6)
SHARES_OF_FRAME = (0.15, 0.35, 0.8)
"""Sides of further windows around a click, in units of the frame's shorter side: the
decoder may recognise nothing, or the wrong things."""
SAME_SCALE = 1.22
SAME_PLACE = 0.15
"""Windows of which neither side nor place differ by more give the same mask."""
ALIKE = 0.85
"""IoU of masks that are not worth offering both."""
COST_OF_CUT = 2.0
"""How much a mask's rating falls with the share of its window's rim that it covers: the
object is larger than the window."""
HANDICAP = 0.2
"""What refined masks lose in rating against the decoder's own ones: where the decoder
recognises an object, it knows what the object is; the refiner does not."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """A mask that may be what was meant.

    Attributes
    ----------
    mask : (Y, X) array of bool
    rating : float
        0..1, expected IoU.
    """

    mask: np.ndarray
    rating: float


@dataclass(frozen=True, eq=False)
class Proposals:
    """First masks of an object.

    Attributes
    ----------
    hypotheses : tuple of Proposal
        Numbers 1, 2 and 3, from the smallest to the largest.
    best : Proposal
        What is taken unless the user picks a hypothesis; for an outline it is none of
        them.
    """

    hypotheses: tuple[Proposal, ...]
    best: Proposal

    def taken(self, number: int | None) -> Proposal:
        """Return the hypothesis of a number, or the best one."""
        return self.best if number is None else self.hypotheses[number - 1]


def propose(
    frame: ShownFrame,
    prompt: Prompt,
    first: Action | None,
    others: np.ndarray | None = None,
) -> Proposals:
    """Propose masks for what shows an object first.

    Parameters
    ----------
    frame : ShownFrame
        On which it is.
    prompt : Prompt
        Of which the box or lasso counts.
    first : Action, optional
        A click or scribble, if there is no outline.
    others : (Y, X) array of bool, optional
        Other objects.

    Returns
    -------
    Proposals
    """
    decoded = frame.decode_first(prompt, first)
    if first is None:
        best, *own = _of_outline(frame, prompt, decoded, others)
    else:
        best, *rest = _of_action(frame, first, decoded, others)
        own = [best, *rest]
    by_area = sorted(own, key=lambda one: np.count_nonzero(one.mask))
    return Proposals(tuple(by_area), best)


def region_of(prompt: Prompt, frame_shape: tuple[int, int]) -> np.ndarray | None:
    """(Y, X) bool: the inside of a prompt's box or lasso; None without either."""
    if prompt.lasso is not None:
        inside: np.ndarray = polygon2mask(frame_shape, np.asarray(prompt.lasso))
        return inside
    if prompt.box is None:
        return None
    region = np.zeros(frame_shape, bool)
    row0, column0, row1, column1 = (max(round(value), 0) for value in prompt.box)
    region[row0 : max(row1, row0 + 1), column0 : max(column1, column0 + 1)] = True
    return region


def _of_action(
    frame: ShownFrame,
    action: Action,
    decoded: MaskCandidates,
    others: np.ndarray | None,
) -> tuple[Proposal, ...]:
    logits, ratings = decoded.low_res_logits[0], frame.rate(decoded)[0]
    drawn = [frame.draw(logits[number]).mask(frame.shape) for number in (1, 2, 3)]
    clues = Clues(
        frame.picture,
        np.zeros(frame.shape, bool),
        Shown([action]),
        action,
        together=logits,
        others=others,
    )
    windows = _distinct(_windows(frame, action, drawn))
    found = [
        Proposal(
            _with_action(one.drawn_into(clues.mask), action),
            _within(one.rating - HANDICAP - COST_OF_CUT * one.share_of_rim),
        )
        for one in refine(frame.refiner, clues, windows)
    ]
    found += [
        Proposal(_and_action(mask, action), _within(float(rating)))
        for mask, rating in zip(drawn, ratings[1:], strict=True)
        if 0 < mask.mean() <= MAX_FRAME_SHARE
    ]
    return _most_different(found)


def _of_outline(
    frame: ShownFrame,
    prompt: Prompt,
    decoded: MaskCandidates,
    others: np.ndarray | None,
) -> tuple[Proposal, ...]:
    logits, ratings = decoded.low_res_logits[0], decoded.iou_predictions[0]
    clues = Clues(
        frame.picture,
        np.zeros(frame.shape, bool),
        Shown([]),
        together=logits,
        region=region_of(prompt, frame.shape),
        others=others,
    )
    box = prompt.outer_box or (0, 0, 0, 0)
    windows = [Focus.around_box(box, margin, frame.shape) for margin in MARGINS_OF_BOX]
    refined = refine(frame.refiner, clues, windows)
    total = np.zeros(frame.shape, np.float32)
    for one in refined:
        total[one.focus.place] += one.focus.enlarge(one.logits)
    best = Proposal(total > 0, _within(min(one.rating for one in refined)))
    own = [
        Proposal(
            frame.draw(logits[number]).mask(frame.shape),
            min(_within(float(ratings[number])), best.rating),
        )
        for number in np.argsort(-ratings)[:HYPOTHESES]
    ]
    return (best, *own)


def _windows(
    frame: ShownFrame, action: Action, drawn: Sequence[np.ndarray]
) -> Iterator[Focus]:
    """Windows around what the decoder proposes, and of several sizes."""
    for mask in drawn:
        if 0 < mask.mean() <= MAX_FRAME_SHARE:
            yield Focus.around_mask(mask, MARGIN)
    first, last = action.pixels.min(axis=0), action.pixels.max(axis=0)
    middle = tuple(((first + last) / 2).tolist())
    extent = float((last - first).max())
    for share in SHARES_OF_FRAME:
        side = max(share * min(frame.shape), MARGIN * extent, SMALLEST_SIDE)
        yield Focus.around((middle[0], middle[1]), side, frame.shape)


def _distinct(windows: Iterable[Focus]) -> list[Focus]:
    kept: list[Focus] = []
    for one in windows:
        if not any(_is_alike(one, other) for other in kept):
            kept.append(one)
    return kept


def _is_alike(one: Focus, other: Focus) -> bool:
    larger, smaller = max(one.side, other.side), min(one.side, other.side)
    shift = np.hypot(
        one.row - other.row + (one.side - other.side) / 2,
        one.column - other.column + (one.side - other.side) / 2,
    )
    return larger < SAME_SCALE * smaller and shift < SAME_PLACE * smaller


def _and_action(mask: np.ndarray, action: Action) -> np.ndarray:
    """Return a mask that agrees: the decoder may leave out what was shown."""
    agreeing = mask.copy()
    action.write(agreeing)
    return agreeing


def _with_action(mask: np.ndarray, action: Action) -> np.ndarray:
    """Keep the parts of a mask that were shown."""
    mask = _and_action(mask, action)
    place = extent(mask) or (slice(0), slice(0))
    parts, count = ndimage.label(mask[place])
    if count > 1:
        shown = action.pixels - [side.start for side in place]
        mask[place] = np.isin(parts, np.unique(parts[tuple(shown.T)]))
    return mask


def _most_different(found: list[Proposal]) -> tuple[Proposal, ...]:
    """Return the best three, without masks that are nearly the same."""
    found = sorted(found, key=lambda one: -one.rating)
    chosen: list[Proposal] = []
    for one in found:
        if all(mask_iou(one.mask, other.mask) < ALIKE for other in chosen):
            chosen.append(one)
    rest = [one for one in found if not any(one is other for other in chosen)]
    best = [*chosen, *rest, *found, *found][:HYPOTHESES]
    return tuple(sorted(best, key=lambda one: -one.rating))


def _within(rating: float) -> float:
    return min(max(rating, 0.0), 1.0)
