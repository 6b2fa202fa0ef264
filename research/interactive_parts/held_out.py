"""IoU of SAM's own iteration, click after click, on embedded pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.prompting import inmost, outline, wrong_place

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.values import Embedding, ModelPrompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

__all__ = ["ACTIONS", "HeldOut", "read_objects", "score_actions"]

ACTIONS = 5
FEWEST_PIXELS = 60
_HYPOTHESES = slice(1, None)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """An object on an embedded picture.

    Attributes
    ----------
    embedding : Embedding
        Of the picture.
    truth : (Y, X) array of bool
        The object.
    """

    embedding: Embedding
    truth: np.ndarray


def read_objects(path: Path, most: int) -> Iterator[HeldOut]:
    """Read a picture and choose objects of at least 60 pixels, always the same ones.

    Parameters
    ----------
    path : Path
        A file of `embed_pictures`.
    most : int
        Number of objects, at most.

    Yields
    ------
    HeldOut
        With the same embedding.
    """
    with np.load(path) as content:
        labels, features = content["labels"], content["features"]
    embedding = Embedding(features, (labels.shape[0], labels.shape[1]))
    ids, sizes = np.unique(labels[labels > 0], return_counts=True)
    large = np.random.default_rng(0).permutation(ids[sizes >= FEWEST_PIXELS])
    for one in large[:most]:
        yield HeldOut(embedding, labels == one)


def score_actions(sam: Sam, shown: HeldOut, box_first: bool) -> list[float]:
    """Show an object by a click or box, then click on the largest error each time.

    Parameters
    ----------
    sam : Sam
        With the decoder to be measured.
    shown : HeldOut
        The object.
    box_first : bool
        Whether to begin with its box.

    Returns
    -------
    list of float
        IoU after each of five actions, 0..1. After the first, of the best mask by the
        truth: of three for a click, of four for a box. Later of the best by the
        network's rating, with all prompts and the last logits.
    """
    truth = shown.truth
    box = outline(truth) if box_first else None
    clicks = [] if box_first else [(inmost(truth), True)]
    offers = slice(None) if box_first else _HYPOTHESES
    found = sam.decode(shown.embedding, [_prompt(sam, truth.shape, clicks, box)])
    masks = found.low_res_logits[0, offers]
    ious = [mask_iou(truth, mask > 0) for mask in sam.upscale(masks, truth.shape)]
    logits, reached = masks[int(np.argmax(ious))], [max(ious)]
    while len(reached) < ACTIONS:
        click = wrong_place(truth, sam.upscale(logits[None], truth.shape)[0] > 0)
        if click is None:
            return reached + reached[-1:] * (ACTIONS - len(reached))
        clicks.append(click)
        prompt = _prompt(sam, truth.shape, clicks, box)
        found = sam.decode(shown.embedding, [prompt], [logits])
        logits = found.low_res_logits[0, found.iou_predictions[0].argmax()]
        reached.append(mask_iou(truth, sam.upscale(logits[None], truth.shape)[0] > 0))
    return reached


def _prompt(
    sam: Sam,
    shape: tuple[int, ...],
    clicks: list[tuple[tuple[float, float], bool]],
    box: tuple[float, float, float, float] | None,
) -> ModelPrompt:
    geometry = FrameGeometry.fit((shape[0], shape[1]), sam.image_size)
    places = np.array([place for place, _ in clicks]).reshape(-1, 2)
    corners = None if box is None else geometry.to_model(np.reshape(box, (2, 2)))
    return ModelPrompt(
        geometry.to_model(places).astype(np.float32),
        np.array([int(is_object) for _, is_object in clicks], int),
        None if corners is None else corners.ravel().astype(np.float32),
    )
