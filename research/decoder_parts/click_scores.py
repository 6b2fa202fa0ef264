"""Scores of a decoder for simulated clicks on objects with known outlines."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.measures import boundary_f_within, boundary_iou
from tracking_parts.prompting import inmost, wrong_place

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.propagation.prior import Grid
from napari_sam_decoder.selection import MAX_FRAME_SHARE

if TYPE_CHECKING:
    from decoder_parts.compared_heads import (
        ComparedHead,
        DecodedMasks,
        EncodedPicture,
    )

__all__ = ["RADII", "ClickScores", "MaskScore", "score_clicks"]

RADII = (1.0, 2.0, 4.0)
CLICKS = 3
IMAGE_SIZE = 1024


@dataclass(frozen=True)
class MaskScore:
    """Agreement of a mask with the truth; all 0..1.

    Attributes
    ----------
    iou : float
        Of the masks.
    boundary_iou : float
        Of what is close to their boundaries.
    f : tuple of float
        Boundary F within each of `RADII`, pixels of the frame.
    """

    iou: float
    boundary_iou: float
    f: tuple[float, ...]

    @classmethod
    def of(cls, truth: np.ndarray, found: np.ndarray) -> MaskScore:
        """Compare two (Y, X) masks of bool."""
        return cls(
            mask_iou(truth, found),
            boundary_iou(truth, found),
            tuple(boundary_f_within(truth, found, RADII)),
        )


@dataclass(frozen=True)
class ClickScores:
    """Scores of a decoder for the clicks on one object.

    Attributes
    ----------
    picked : MaskScore
        After one click, of the mask that is rated best.
    best : MaskScore
        After one click, of the best mask.
    last : MaskScore
        After three clicks.
    rated : float
        Predicted IoU of the chosen mask.
    seconds : float
        From the first click to the chosen mask.
    """

    picked: MaskScore
    best: MaskScore
    last: MaskScore
    rated: float
    seconds: float


def score_clicks(
    head: ComparedHead, view: EncodedPicture, truth: np.ndarray
) -> ClickScores:
    """Click on an object, then twice on the largest error.

    Parameters
    ----------
    head : ComparedHead
        The decoder.
    view : EncodedPicture
        A frame and its embedding.
    truth : (Y, X) array of bool
        The object on it; not empty.

    Returns
    -------
    ClickScores
    """
    geometry = FrameGeometry.fit(view.embedding.frame_shape, IMAGE_SIZE)
    clicks = [(inmost(truth), True)]
    started = perf_counter()
    prompt = _prompt(clicks, geometry)
    decoded = head.decode(view, prompt, None)
    pick = _pick(decoded, geometry)
    found = head.mask(view, prompt, decoded.logits[pick])
    seconds = perf_counter() - started
    masks = [
        found if index == pick else head.mask(view, prompt, logits)
        for index, logits in enumerate(decoded.logits)
    ]
    scores = [MaskScore.of(truth, mask) for mask in masks]
    logits = decoded.logits[pick]
    for _ in range(CLICKS - 1):
        click = wrong_place(truth, found)
        if click is None:
            break
        clicks.append(click)
        prompt = _prompt(clicks, geometry)
        logits = head.decode(view, prompt, logits).logits[0]
        found = head.mask(view, prompt, logits)
    return ClickScores(
        picked=scores[pick],
        best=max(scores, key=lambda score: score.iou),
        last=MaskScore.of(truth, found),
        rated=float(decoded.ratings[pick]),
        seconds=seconds,
    )


def _pick(masks: DecodedMasks, geometry: FrameGeometry) -> int:
    """Return the best rated mask that is not the whole picture, if any is not."""
    grid = Grid.of(geometry, IMAGE_SIZE, masks.logits.shape[-1])
    rows, columns = grid.content
    shares = (masks.logits[:, :rows, :columns] > 0).mean(axis=(1, 2))
    is_scene = shares > MAX_FRAME_SHARE
    ratings = np.where(is_scene & ~is_scene.all(), -np.inf, masks.ratings)
    return int(ratings.argmax())


def _prompt(
    clicks: list[tuple[tuple[float, float], bool]], geometry: FrameGeometry
) -> ModelPrompt:
    places = np.array([place for place, _ in clicks])
    signs = np.array([int(is_object) for _, is_object in clicks])
    return ModelPrompt(geometry.to_model(places).astype(np.float32), signs)
