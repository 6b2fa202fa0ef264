"""SAM as one object: encode a frame once, then decode prompts on it.

Kirillov et al., "Segment Anything", ICCV 2023.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam_decoder.errors import DecodingError, PromptError
from napari_sam_decoder.model.geometry import input_shape
from napari_sam_decoder.model.preprocessing import prepare_frame
from napari_sam_decoder.model.prompt_tokens import PromptTokens, batches, tokenise
from napari_sam_decoder.model.values import Embedding, MaskCandidates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.model.prompt_encoder import PromptEncoder
    from napari_sam_decoder.model.tiny_vit import TinyViT
    from napari_sam_decoder.model.values import ModelPrompt
    from napari_sam_decoder.model.vit import ViT

__all__ = ["Sam"]

_MASKS = 4
_MASK_PIXELS_PER_CELL = 4

# Each prompt adds some 40 MB of memory, and larger batches are no faster on a CPU.
_LARGEST_BATCH = 8


class Sam(nn.Module):
    """Image encoder, prompt encoder and mask decoder, ready for use.

    All methods are stateless and may be called from several threads.

    Parameters
    ----------
    image_encoder : TinyViT or ViT
        Gives the embedding of a frame.
    prompt_encoder : PromptEncoder
        Embeds points, boxes and previous masks.
    mask_decoder : nn.Module
        Gives logits and predicted IoUs, as `MaskDecoder` does.
    identity : str
        Tells these weights from all others; results are cached under it.
    """

    def __init__(
        self,
        image_encoder: TinyViT | ViT,
        prompt_encoder: PromptEncoder,
        mask_decoder: nn.Module,
        *,
        identity: str,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self._identity = identity
        self.eval()

    @property
    def identity(self) -> str:
        """Architecture, SHA-256 of the weights file and number type."""
        return self._identity

    @property
    def image_size(self) -> int:
        """Side of the square network input in pixels, 1024 for public checkpoints."""
        return self.image_encoder.image_size

    @property
    def mask_size(self) -> int:
        """Side of the low-resolution logits in pixels, a quarter of `image_size`."""
        return _MASK_PIXELS_PER_CELL * self.prompt_encoder.grid

    @property
    def embedding_shape(self) -> tuple[int, int, int]:
        """(channels, rows, columns) of an embedding's features."""
        grid = self.prompt_encoder.grid
        return self.prompt_encoder.width, grid, grid

    @property
    def device(self) -> torch.device:
        """Where the weights are and the work is done."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Number type of the weights and of the work."""
        return next(self.parameters()).dtype

    @torch.inference_mode()
    def encode(self, frame: np.ndarray) -> Embedding:
        """Embed one frame; the slow step, needed once per frame.

        Parameters
        ----------
        frame : (Y, X, 3) array of uint8
            RGB pixels.

        Returns
        -------
        Embedding
            Features as float32, of shape `embedding_shape`.

        Raises
        ------
        MovieError
            If the frame is empty or not RGB uint8.
        DecodingError
            If the network fails, for instance for want of memory.
        """
        pixels = prepare_frame(frame, self.image_size)
        with _failure_explained("embed a frame", self.device):
            image = pixels.to(
                self.device, self.dtype, memory_format=torch.channels_last
            )
            features = self.image_encoder(image)[0]
            return Embedding(_to_numpy(features), (frame.shape[0], frame.shape[1]))

    @torch.inference_mode()
    def decode(
        self,
        embedding: Embedding,
        prompts: Sequence[ModelPrompt],
        previous_logits: Sequence[np.ndarray | None] | None = None,
    ) -> MaskCandidates:
        """Offer masks for each of several prompts on one frame.

        Parameters
        ----------
        embedding : Embedding
            What `encode` returned for the frame.
        prompts : sequence of ModelPrompt
            One per object, B in all, each with a point or a box.
        previous_logits : sequence of ((h, w) array or None), optional
            Per prompt, low-resolution logits of an earlier call on the same object,
            which the decoder refines; h = w = `mask_size`.

        Returns
        -------
        MaskCandidates
            Four masks and four predicted IoUs per prompt, in the prompts' order.

        Raises
        ------
        PromptError
            If a prompt has neither point nor box, or an array does not fit.
        DecodingError
            If the embedding is another model's, or the network fails.

        Notes
        -----
        Prompts run together where they have equally many tokens. The result for a
        prompt does not depend on which others are asked for with it.
        """
        features = self._checked_features(embedding)
        masks = self._checked_masks(previous_logits, len(prompts))
        tokens = [tokenise(prompt) for prompt in prompts]
        size = self.mask_size
        logits = np.empty((len(prompts), _MASKS, size, size), np.float32)
        quality = np.empty((len(prompts), _MASKS), np.float32)
        with _failure_explained("decode prompts", self.device):
            image = self._to_tensor(features)
            positions = self.prompt_encoder.grid_positions()
            for batch in batches(tokens, _LARGEST_BATCH):
                dense = image + self._dense([masks[index] for index in batch])
                sparse = self._sparse([tokens[index] for index in batch])
                answers = self.mask_decoder(dense, positions, sparse)
                logits[batch], quality[batch] = map(_to_numpy, answers)
        return MaskCandidates(logits, quality)

    @torch.inference_mode()
    def upscale(
        self, low_res_logits: np.ndarray, frame_shape: tuple[int, int]
    ) -> np.ndarray:
        """Bring low-resolution logits to the pixels of the frame.

        Parameters
        ----------
        low_res_logits : (N, h, w) array
            Logits over the padded square input, as `decode` gives them.
        frame_shape : tuple of int
            (Y, X) of the frame.

        Returns
        -------
        (N, Y, X) array of float32
            Logits; above 0 is object.

        Raises
        ------
        DecodingError
            If memory does not suffice.
        """
        rows, columns = input_shape(frame_shape, self.image_size)
        square = (self.image_size, self.image_size)
        with _failure_explained("enlarge masks", self.device):
            logits = _bilinear(self._to_tensor(low_res_logits)[:, None], square)
            fitted = _bilinear(logits[:, :, :rows, :columns], frame_shape)
            return _to_numpy(fitted[:, 0])

    def _sparse(self, tokens: list[PromptTokens]) -> Tensor:
        positions = self._to_tensor(np.stack([item.positions for item in tokens]))
        labels = np.stack([item.labels for item in tokens])
        return self.prompt_encoder.embed_tokens(
            positions, torch.from_numpy(labels).to(self.device)
        )

    def _dense(self, masks: list[np.ndarray | None]) -> Tensor:
        """(B, C, grid, grid), each prompt with its own mask or the vector for none."""
        nothing = self.prompt_encoder.embed_no_mask()
        dense = nothing.repeat(len(masks), 1, *self.embedding_shape[1:])
        given = [index for index, mask in enumerate(masks) if mask is not None]
        if given:
            stacked = np.stack([mask for mask in masks if mask is not None])
            logits = self._to_tensor(stacked)[:, None]
            dense[given] = self.prompt_encoder.embed_masks(logits)
        return dense

    def _to_tensor(self, array: np.ndarray) -> Tensor:
        # A copy, since torch warns of arrays that may not be written to.
        numbers = np.array(array, dtype=np.float32, order="C")
        return torch.from_numpy(numbers).to(self.device, self.dtype)

    def _checked_features(self, embedding: Embedding) -> np.ndarray:
        if embedding.features.shape != self.embedding_shape:
            raise DecodingError(
                f"An embedding of shape {embedding.features.shape} is not this "
                f"model's, whose shape is {self.embedding_shape}; embed the frame "
                "again with this model."
            )
        return embedding.features

    def _checked_masks(
        self, masks: Sequence[np.ndarray | None] | None, count: int
    ) -> Sequence[np.ndarray | None]:
        if masks is None:
            return [None] * count
        if len(masks) != count:
            raise PromptError(
                f"{len(masks)} previous masks do not fit {count} prompts; give one "
                "per prompt, None where there is none."
            )
        size = (self.mask_size, self.mask_size)
        wrong = {mask.shape for mask in masks if mask is not None} - {size}
        if wrong:
            raise PromptError(
                f"Previous logits of shape {wrong.pop()} do not fit; hand on the "
                f"low-resolution logits of shape {size} that this model returned."
            )
        return masks


def _bilinear(images: Tensor, size: tuple[int, int]) -> Tensor:
    if images.shape[2:] == size:
        return images
    return F.interpolate(images, size, mode="bilinear", align_corners=False)


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().contiguous().numpy()


@contextmanager
def _failure_explained(task: str, device: torch.device) -> Iterator[None]:
    """Torch reports everything as RuntimeError, even want of memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise DecodingError(
            f"The network could not {task} on {device}: {error}. Use fewer objects at "
            "a time, a frame with shorter sides, a smaller model, or another device "
            "such as 'cpu'."
        ) from error
