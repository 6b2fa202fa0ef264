"""What the decoder offers for one prompt, before anything is carried on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.propagation.seeds import answer_prompt

if TYPE_CHECKING:
    import numpy as np

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.scene import Scene

__all__ = ["Hypothesis", "Preview", "preview"]

_HYPOTHESES = slice(1, 4)


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One of the masks that SAM offers for a prompt.

    Attributes
    ----------
    number : {1, 2, 3} or 0
        What to give as `Prompt.hypothesis` to pick it; 0 for the decoder's joint
        answer to several points or a box, which cannot be picked.
    mask : (Y, X) array of bool
    iou_prediction : float
        0..1, how well it is expected to fit the object: of the answers to a single
        click by the `Rater` in use, if there is one, else by SAM's decoder.
    """

    number: int
    mask: np.ndarray
    iou_prediction: float


@dataclass(frozen=True, eq=False)
class Preview:
    """What a prompt gives on its own frame.

    Attributes
    ----------
    prompt : Prompt
    hypotheses : tuple of Hypothesis
        Numbers 1, 2 and 3; none for what the user has painted.
    chosen : Hypothesis
        What propagation starts from: the prompt's own hypothesis, or else the one
        that is best by itself. One of ``hypotheses``, or number 0.
    """

    prompt: Prompt
    hypotheses: tuple[Hypothesis, ...]
    chosen: Hypothesis


def preview(scene: Scene, prompt: Prompt, *, sharpen_all: bool = True) -> Preview:
    """Decode one prompt on its frame.

    Parameters
    ----------
    scene : Scene
        Where the embedding comes from, and the decoder.
    prompt : Prompt
        Within the movie.
    sharpen_all : bool
        Whether a sharpener, where there is one, draws all masks, or but the chosen
        one, and the others are enlarged: sharpening takes longer than all else.

    Returns
    -------
    Preview
    """
    if prompt.mask is not None and prompt.is_settled:
        return Preview(prompt, (), Hypothesis(0, prompt.mask.to_array(), 1.0))
    embedding = scene.embedding(prompt.frame)
    logits, ratings, choice = answer_prompt(scene, embedding, prompt)
    shape = scene.geometry.frame_shape

    def drawn(index: int) -> np.ndarray:
        if sharpen_all or index == choice.index:
            return scene.draw(prompt.frame, logits[index]).mask(shape)
        return scene.decoder.enlarge(logits[index], shape).mask(shape)

    masks = scene.objects.each(drawn, range(len(logits)))
    offers = tuple(
        Hypothesis(number, mask, float(rating))
        for number, (mask, rating) in enumerate(
            zip(masks, ratings.clip(0, 1), strict=True)
        )
    )
    return Preview(prompt, offers[_HYPOTHESES], offers[choice.index])
