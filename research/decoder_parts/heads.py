"""Ways to make masks of one embedding: the decoders that are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F

from napari_sam_decoder.model.prompt_encoder import tokenise
from napari_sam_decoder.model.transforms import enlarge, input_shape
from napari_sam_decoder.model.values import BACKGROUND_LOGIT
from shipped_head.asking import Asked, Window, ask, pick
from shipped_head.closer import look_closer

if TYPE_CHECKING:
    from napari_sam_decoder.model.heads import Rater, Sharpener
    from napari_sam_decoder.model.hires_decoder import HiresDecoder
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.model.values import Embedding, ModelPrompt
    from shipped_head.unet_decoder import UnetDecoder

__all__ = [
    "DrawnHead",
    "FixedHead",
    "Head",
    "Offers",
    "SamHead",
    "SlimHead",
    "View",
    "ZoomHead",
]


@dataclass(frozen=True, eq=False)
class View:
    """A frame and its embedding."""

    picture: np.ndarray
    embedding: Embedding


@dataclass(frozen=True, eq=False)
class Offers:
    """What a decoder answers to a prompt.

    Attributes
    ----------
    logits : (M, h, h) array of float32
        Logits over the square input, to be fed back.
    ratings : (M,) array of float32
        Predicted IoUs; NaN where none are predicted, and then the first one is picked.
    """

    logits: np.ndarray
    ratings: np.ndarray


class Head(Protocol):
    """A decoder to be measured."""

    def ask(
        self, view: View, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> Offers:
        """Answer a prompt: hypotheses to the first, a single mask to later ones."""

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool of one of the answers."""


class SamHead:
    """The decoder of the public checkpoints, and bilinear enlargement.

    Parameters
    ----------
    sam : Sam
        Embeds and decodes; what is in use beside its decoder does not count.
    rater : Rater, optional
        Rates hypotheses in place of it.
    """

    def __init__(self, sam: Sam, rater: Rater | None = None) -> None:
        self._sam = sam
        self._rater = rater

    def ask(
        self, view: View, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> Offers:
        """Offer three hypotheses, or the single mask where there is a previous one."""
        answer = self._sam.decode(view.embedding, [prompt], [previous])
        asked = slice(1, 4) if previous is None else slice(0, 1)
        ratings = answer.iou_predictions[0, asked]
        if previous is None and self._rater is not None:
            ratings = self._rater.rate(answer.tokens)[0]
        return Offers(answer.low_res_logits[0, asked], ratings)

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool."""
        shape = view.embedding.frame_shape
        return self._sam.enlarge(logits, shape).mask(shape)


class FixedHead(SamHead):
    """The same, but without ratings: always the same output is picked.

    Parameters
    ----------
    sam : Sam
    output : {0, 1, 2, 3}
        0 is the mask for several prompts, which is then the only one that is offered;
        else the number of a hypothesis.
    """

    def __init__(self, sam: Sam, output: int) -> None:
        super().__init__(sam)
        self._output = output

    def ask(
        self, view: View, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> Offers:
        """Offer the same masks, all but the one that is picked rated 0, and that 1."""
        if previous is not None:
            return super().ask(view, prompt, previous)
        logits = self._sam.decode(view.embedding, [prompt]).low_res_logits[0]
        offers = logits[1:] if self._output else logits[:1]
        ratings = np.zeros(len(offers), np.float32)
        ratings[max(self._output - 1, 0)] = 1
        return Offers(offers, ratings)


class ZoomHead(SamHead):
    """The same, and a second look at each mask in a picture of it alone."""

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool."""
        seen = look_closer(self._sam, view.picture, logits, prompt)
        if seen is None:
            return np.zeros(view.embedding.frame_shape, bool)
        return seen[0].mask(view.embedding.frame_shape)


class SlimHead(SamHead):
    """The same, drawn sharper.

    Parameters
    ----------
    sam : Sam
    sharpener : Sharpener
        Draws.
    rater : Rater, optional
        As for `SamHead`.
    """

    def __init__(
        self, sam: Sam, sharpener: Sharpener, rater: Rater | None = None
    ) -> None:
        super().__init__(sam, rater)
        self._sharpener = sharpener

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool."""
        found = self._sharpener.sharpen(view.picture, view.embedding, logits)
        return found.mask(view.embedding.frame_shape)


class DrawnHead:
    """A decoder that draws whole masks itself: as the document has it, or a U-Net.

    Parameters
    ----------
    sam : Sam
        Embeds frames and prompts.
    network : HiresDecoder or UnetDecoder
        Trained on top of it.
    """

    def __init__(self, sam: Sam, network: HiresDecoder | UnetDecoder) -> None:
        self._sam = sam
        self._network = network.eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def ask(
        self, view: View, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> Offers:
        """Offer all hypotheses, or what is rated best where there is a previous one."""
        tokens = tokenise(prompt)
        asked = Asked(
            _tensor(view.embedding.features),
            _tensor(tokens.positions),
            torch.from_numpy(tokens.labels)[None],
            None if previous is None else F.avg_pool2d(_tensor(previous)[None], 4),
        )
        answer = ask(self._network, self._sam.prompt_encoder, asked)
        shown = answer.draw(self._whole(view))
        size = self._sam.image_size
        drawn = torch.full((shown.shape[1], size, size), BACKGROUND_LOGIT)
        drawn[:, : shown.shape[2], : shown.shape[3]] = shown[0]
        ratings = drawn.new_full((len(drawn),), torch.nan)
        if answer.ratings is not None:
            ratings = answer.ratings[0]
        wanted = slice(None) if previous is None else pick(answer.ratings, shown)
        return Offers(drawn[wanted].numpy(), ratings[wanted].numpy())

    def mask(self, view: View, prompt: ModelPrompt, logits: np.ndarray) -> np.ndarray:
        """(Y, X) bool."""
        shape = view.embedding.frame_shape
        return enlarge(logits, shape, self._sam.image_size).mask(shape)

    def _whole(self, view: View) -> Window:
        """All cells that show something of the frame."""
        stride = self._sam.image_size // self._sam.embedding_shape[1]
        rows, columns = (
            -(-side // stride)
            for side in input_shape(view.embedding.frame_shape, self._sam.image_size)
        )
        detail = self._sam.look_closely(
            view.picture, (slice(0, rows), slice(0, columns))
        )
        return Window(torch.zeros(1, 2, dtype=torch.int64), _tensor(detail.early))


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array, np.float32))[None]
