"""SAM as one object: encode a frame once, then decode prompts on it.

Kirillov et al., "Segment Anything", ICCV 2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from napari_sam_decoder.errors import DecodingError, PromptError
from napari_sam_decoder.model.heads import Heads
from napari_sam_decoder.model.layers import unflattened
from napari_sam_decoder.model.precision import Precision
from napari_sam_decoder.model.prompt_encoder import PromptTokens, batches, tokenise
from napari_sam_decoder.model.tiny_vit import TinyViT
from napari_sam_decoder.model.torch_errors import computing
from napari_sam_decoder.model.transforms import (
    enlarge,
    input_shape,
    prepare_frame,
    prepare_window,
    scaled,
)
from napari_sam_decoder.model.values import (
    BACKGROUND_LOGIT,
    OWN_DECODER,
    Embedding,
    EncodedWindow,
    FrameLogits,
    MaskCandidates,
)
from napari_sam_decoder.thread_pool import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.model.mask_decoder import MaskDecoder
    from napari_sam_decoder.model.prompt_encoder import PromptEncoder
    from napari_sam_decoder.model.values import ModelPrompt
    from napari_sam_decoder.model.vit import ViT

__all__ = ["Sam"]

_MASKS = 4
_MASK_PIXELS_PER_CELL = 4
_SEEN_BEYOND = 1
"""Early features in a window depend on this many cells beyond it."""

# Features of more prompts would not fit into the cache of a processor.
_LARGEST_BATCH = 4
_MAX_THREADS = 4


class Sam(nn.Module):
    """A segmentation network: image encoder, prompt encoder and mask decoder.

    All methods are stateless and may be called from several threads.

    Parameters
    ----------
    image_encoder : TinyViT or ViT
        Gives the embedding of a frame.
    prompt_encoder : PromptEncoder
        Embeds points, boxes and previous masks.
    mask_decoder : MaskDecoder
        Gives logits and predicted IoUs.
    identity : str
        Identifies these weights; embeddings are cached under it.

    Attributes
    ----------
    decoder : str
        Name of the decoder in use, and the SHA-256 of its file if it has one.
    origin : (str, str)
        Names or paths of the model and the decoder, as `load_sam` was given them; empty
        if the network was made otherwise.
    heads : Heads
        Heads in use beside the decoder; not called by the methods here.
    """

    def __init__(
        self,
        image_encoder: TinyViT | ViT,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
        *,
        identity: str,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self._identity = identity
        self.decoder = OWN_DECODER
        self.origin = ("", "")
        self.heads = Heads()
        # What all prompts on a frame share, for embeddings that are still in use.
        self._cells: WeakKeyDictionary[Embedding, Tensor] = WeakKeyDictionary()
        self._places: dict[tuple[torch.device, torch.dtype], Tensor] = {}
        self._threads = ThreadPool(_MAX_THREADS)
        self.eval()

    @property
    def identity(self) -> str:
        """Architecture, SHA-256 of the weights file and number type."""
        return self._identity

    @property
    def weights(self) -> str:
        """The identity without the number type: trained decoders fit all types."""
        name, _, last = self._identity.rpartition(" ")
        return name if last in set(Precision) else self._identity

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
        """The device of the weights."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Number type of image features; prompts are in float32."""
        return next(self.image_encoder.parameters()).dtype

    @torch.inference_mode()
    def prepare(self, frame_shape: tuple[int, int]) -> None:
        """Compute what embeddings of all frames of a shape have in common.

        Otherwise the first of them takes longer.

        Parameters
        ----------
        frame_shape : (int, int)
            (Y, X), in pixels.

        Raises
        ------
        DecodingError
            If the network fails, for instance by running out of memory.
        """
        if isinstance(self.image_encoder, TinyViT):
            shown = input_shape(frame_shape, self.image_size)
            with computing("embed a frame", self.device):
                self.image_encoder.prepare(self._image(torch.empty(1, 3, 1, 1)), shown)

    @torch.inference_mode()
    def encode(self, frame: np.ndarray) -> Embedding:
        """Embed one frame. This is the slow step, needed once per frame.

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
            If the network fails, for instance by running out of memory.
        """
        pixels = prepare_frame(frame, self.image_size)
        with computing("embed a frame", self.device):
            features = _to_numpy(self._encoded(self._image(pixels), frame)[0])
        return Embedding(features, (frame.shape[0], frame.shape[1]))

    @torch.inference_mode()
    def encode_window(
        self, frame: np.ndarray, cells: tuple[slice, slice]
    ) -> EncodedWindow:
        """Compute the early features of a window, as a `HiresDecoder` needs them.

        Parameters
        ----------
        frame : (Y, X, 3) array of uint8
            RGB pixels of the whole frame.
        cells : (slice, slice)
            Rows and columns of the grid of the embedding.

        Returns
        -------
        EncodedWindow

        Raises
        ------
        MovieError
            If the frame is empty or not RGB uint8.
        DecodingError
            If the network fails, or its encoder has no early features.

        Notes
        -----
        Only the first stage of the encoder runs, and only on the window. For the window
        of an object that is as fast as reading these features from a disk, where they
        would take twice the space of the embedding.
        """
        if not isinstance(self.image_encoder, TinyViT):
            raise DecodingError(
                "This model's encoder has no features that are fine enough for sharper "
                "masks; choose mobile_sam or another model of its architecture."
            )
        grid = self.prompt_encoder.grid
        stride = self.image_size // grid
        around = _widened(cells[0], grid), _widened(cells[1], grid)
        window = scaled(around[0], stride), scaled(around[1], stride)
        pixels = prepare_window(frame, self.image_size, window)
        down, across = (
            _moved(side, -wider.start)
            for side, wider in zip(cells, around, strict=True)
        )
        with computing("encode a part of a frame", self.device):
            seen = _to_numpy(self.image_encoder.early_features(self._image(pixels))[0])
        early = seen[
            scaled(down, _MASK_PIXELS_PER_CELL), scaled(across, _MASK_PIXELS_PER_CELL)
        ]
        shown = pixels[0, :, scaled(down, stride), scaled(across, stride)]
        return EncodedWindow(shown.numpy(), early.transpose(2, 0, 1))

    @torch.inference_mode()
    def decode(
        self,
        embedding: Embedding,
        prompts: Sequence[ModelPrompt],
        previous_logits: Sequence[np.ndarray | None] | None = None,
    ) -> MaskCandidates:
        """Decode masks for several prompts on one frame.

        Parameters
        ----------
        embedding : Embedding
            Of the frame, from `encode`.
        prompts : sequence of ModelPrompt
            One per object, B in all, each with a point or a box.
        previous_logits : sequence of ((h, w) array or None), optional
            Per prompt, low-resolution logits of an earlier call for the same object,
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
        Prompts with equally many tokens run together; the result for a prompt does not
        depend on the others. In the padding of the square input, logits are
        `BACKGROUND_LOGIT`.
        """
        self._check_features(embedding)
        masks = self._checked_masks(previous_logits, len(prompts))
        tokens = [tokenise(prompt) for prompt in prompts]
        size = self.mask_size
        logits = np.full((len(prompts), _MASKS, size, size), BACKGROUND_LOGIT, "f4")
        quality = np.empty((len(prompts), _MASKS), np.float32)
        width = self.prompt_encoder.width
        read = np.empty((len(prompts), 1 + _MASKS, width), np.float32)
        rows, columns = self._shown_cells(embedding.frame_shape)
        drawn = logits[
            ..., : _MASK_PIXELS_PER_CELL * rows, : _MASK_PIXELS_PER_CELL * columns
        ]

        @torch.inference_mode()
        def decode_batch(batch: list[int]) -> None:
            image = self._prompted(embedding, [masks[index] for index in batch])
            sparse = self._sparse([tokens[index] for index in batch])
            outputs, image = self.mask_decoder(image, self._positions(), sparse)
            grid = unflattened(image, 1, self.embedding_shape[1:])
            shown = grid[:, :rows, :columns]
            drawn[batch] = _to_numpy(self.mask_decoder.draw(outputs, shown))
            quality[batch] = _to_numpy(self.mask_decoder.rate(outputs))
            read[batch] = _to_numpy(outputs)

        with computing("decode prompts", self.device):
            self._cells_of(embedding)
            self._threads.map(
                decode_batch, batches(tokens, self._largest_batch(len(tokens)))
            )
        return MaskCandidates(logits, quality, read)

    def upscale(
        self, low_res_logits: np.ndarray, frame_shape: tuple[int, int]
    ) -> np.ndarray:
        """Enlarge low-resolution logits to the pixels of the frame.

        Parameters
        ----------
        low_res_logits : (N, h, w) array
            Logits over the padded square input, as `decode` gives them.
        frame_shape : tuple of int
            (Y, X) of the frame.

        Returns
        -------
        (N, Y, X) array of float32
            Logits; above 0 is object. Far from the object they are
            `BACKGROUND_LOGIT`.

        Raises
        ------
        DecodingError
            If there is too little memory.
        """
        with computing("enlarge masks", self.device):
            shape = (len(low_res_logits), *frame_shape)
            enlarged = np.full(shape, BACKGROUND_LOGIT, np.float32)
        for logits, target in zip(low_res_logits, enlarged, strict=True):
            found = self.enlarge(logits, frame_shape)
            target[found.place] = found.values
        return enlarged

    @torch.inference_mode()
    def enlarge(
        self, low_res_logits: np.ndarray, frame_shape: tuple[int, int]
    ) -> FrameLogits:
        """Enlarge the low-resolution logits of one object to the pixels of the frame.

        Parameters
        ----------
        low_res_logits : (h, w) array
            Logits over the padded square input, one of those that `decode` gives.
        frame_shape : tuple of int
            (Y, X) of the frame.

        Returns
        -------
        FrameLogits
            Only where interpolated logits can be above 0.

        Raises
        ------
        DecodingError
            If there is too little memory.

        Notes
        -----
        As in SAM: bilinearly to the square input and from there, without the padding,
        to the frame. Both are linear along each axis, so one matrix per axis does it.
        """
        with computing("enlarge masks", self.device):
            return enlarge(low_res_logits, frame_shape, self.image_size)

    def _encoded(self, image: Tensor, frame: np.ndarray) -> Tensor:
        encoder = self.image_encoder
        if isinstance(encoder, TinyViT):
            shown = input_shape((frame.shape[0], frame.shape[1]), self.image_size)
            features = encoder(image, shown)
        else:
            features = encoder(image)
        return cast("Tensor", features)

    def _image(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.device, self.dtype, memory_format=torch.channels_last)

    def _largest_batch(self, count: int) -> int:
        """How many prompts to decode together so that every thread has some."""
        if self.device.type != "cpu":
            return max(1, count)
        return max(1, min(_LARGEST_BATCH, -(-count // self._threads.workers)))

    def _sparse(self, tokens: list[PromptTokens]) -> Tensor:
        positions = self._to_tensor(np.stack([item.positions for item in tokens]))
        kinds = np.stack([item.kinds for item in tokens])
        return self.prompt_encoder.embed_tokens(
            positions, torch.from_numpy(kinds).to(self.device)
        )

    def _prompted(self, embedding: Embedding, masks: list[np.ndarray | None]) -> Tensor:
        """(B, cells, C), with each prompt's mask or the embedding of no mask."""
        cells = self._cells_of(embedding)
        nothing = cells + self.prompt_encoder.embed_no_mask().to(cells.dtype)
        given = [mask for mask in masks if mask is not None]
        if not given:
            return nothing.expand(len(masks), -1, -1)
        logits = self._to_tensor(np.stack(given))[:, None]
        embedded = cells + self.prompt_encoder.embed_masks(logits, cells.dtype)
        if len(given) == len(masks):
            return embedded
        rest = iter(embedded)
        return torch.stack([nothing if mask is None else next(rest) for mask in masks])

    def _cells_of(self, embedding: Embedding) -> Tensor:
        """(cells, C), cached for the next prompts on the same frame."""
        cells = self._cells.get(embedding)
        if cells is None or (cells.device, cells.dtype) != (self.device, self.dtype):
            features = _readable(embedding.features).to(self.device, self.dtype)
            cells = self._cells[embedding] = features.flatten(1).T.contiguous()
        return cells

    def _positions(self) -> Tensor:
        """(cells, C), cached: always the same, and slow to compute."""
        key = self.device, self.dtype
        if key not in self._places:
            self._places[key] = self.prompt_encoder.grid_positions().to(self.dtype)
        return self._places[key]

    def _shown_cells(self, frame_shape: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of cells that show the frame."""
        stride = self.image_size // self.prompt_encoder.grid
        rows, columns = input_shape(frame_shape, self.image_size)
        return -(-rows // stride), -(-columns // stride)

    def _to_tensor(self, array: np.ndarray) -> Tensor:
        return _readable(array.astype(np.float32, copy=False)).to(self.device)

    def _check_features(self, embedding: Embedding) -> None:
        if embedding.features.shape != self.embedding_shape:
            raise DecodingError(
                f"An embedding of shape {embedding.features.shape} is of another "
                f"model; those of this one have shape {self.embedding_shape}. "
                "Embed the frame again with this model."
            )

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


def _widened(cells: slice, count: int) -> slice:
    """Include the cells on which early features at the ends depend."""
    return slice(
        max(cells.start - _SEEN_BEYOND, 0), min(cells.stop + _SEEN_BEYOND, count)
    )


def _moved(side: slice, distance: int) -> slice:
    return slice(side.start + distance, side.stop + distance)


def _readable(array: np.ndarray) -> Tensor:
    """A tensor of an array; copied if read-only, of which torch would warn."""
    is_plain = array.flags.writeable and array.flags.c_contiguous
    return torch.from_numpy(array if is_plain else array.copy())


def _to_numpy(tensor: Tensor) -> np.ndarray:
    return tensor.float().cpu().contiguous().numpy()
