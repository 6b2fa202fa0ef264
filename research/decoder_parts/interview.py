"""Ask a decoder for an object as a person would who knows its true outline."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.measures import boundary_f_within, boundary_iou
from tracking_parts.pointing import inmost, wrong_place

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.values import ModelPrompt
from napari_sam_decoder.propagation.prior import Grid
from napari_sam_decoder.selection import choose_by_quality

if TYPE_CHECKING:
    from decoder_parts.heads import Head, Offers, View

__all__ = ["RADII", "Answer", "Score", "interview"]

RADII = (1.0, 2.0, 4.0)
CLICKS = 3
IMAGE_SIZE = 1024


@dataclass(frozen=True)
class Score:
    """How good a mask is; all 0..1.

    Attributes
    ----------
    iou : float
    boundary_iou : float
    f : tuple of float
        Boundary F within each of `RADII`, pixels of the frame.
    """

    iou: float
    boundary_iou: float
    f: tuple[float, ...]

    @classmethod
    def of(cls, truth: np.ndarray, found: np.ndarray) -> Score:
        """Compare two (Y, X) masks."""
        return cls(
            mask_iou(truth, found),
            boundary_iou(truth, found),
            tuple(boundary_f_within(truth, found, RADII)),
        )


@dataclass(frozen=True)
class Answer:
    """What a decoder made of the clicks on one object.

    Attributes
    ----------
    picked : Score
        After one click, of the mask that the program picks, see `choose_by_quality`.
    best : Score
        After one click, of the best mask.
    last : Score
        After three clicks.
    rated : float
        Predicted IoU of the picked mask.
    seconds : float
        From the first click to the picked mask.
    """

    picked: Score
    best: Score
    last: Score
    rated: float
    seconds: float


def interview(head: Head, view: View, truth: np.ndarray) -> Answer:
    """Click on an object, and twice on what is most wrong.

    Parameters
    ----------
    head : Head
        Who is asked.
    view : View
        A frame.
    truth : (Y, X) array of bool
        The object on it; not empty.
    """
    geometry = FrameGeometry.fit(view.embedding.frame_shape, IMAGE_SIZE)
    clicks = [(inmost(truth), True)]
    started = perf_counter()
    prompt = _prompt(clicks, geometry)
    offers = head.ask(view, prompt, None)
    pick = _pick(offers, geometry)
    found = head.mask(view, prompt, offers.logits[pick])
    seconds = perf_counter() - started
    masks = [
        found if index == pick else head.mask(view, prompt, logits)
        for index, logits in enumerate(offers.logits)
    ]
    scores = [Score.of(truth, mask) for mask in masks]
    logits = offers.logits[pick]
    for _ in range(CLICKS - 1):
        click = wrong_place(truth, found)
        if click is None:
            break
        clicks.append(click)
        prompt = _prompt(clicks, geometry)
        logits = head.ask(view, prompt, logits).logits[0]
        found = head.mask(view, prompt, logits)
    return Answer(
        picked=scores[pick],
        best=max(scores, key=lambda score: score.iou),
        last=Score.of(truth, found),
        rated=float(offers.ratings[pick]),
        seconds=seconds,
    )


def _pick(offers: Offers, geometry: FrameGeometry) -> int:
    """As the program does; the first one where nothing is rated."""
    grid = Grid.of(geometry, IMAGE_SIZE, offers.logits.shape[-1])
    every = range(len(offers.logits))
    return choose_by_quality(offers.logits, offers.ratings, every, grid.content).index


def _prompt(
    clicks: list[tuple[tuple[float, float], bool]], geometry: FrameGeometry
) -> ModelPrompt:
    places = np.array([place for place, _ in clicks])
    signs = np.array([int(is_object) for _, is_object in clicks])
    return ModelPrompt(geometry.to_model(places).astype(np.float32), signs)
