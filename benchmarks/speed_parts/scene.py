"""What encoders and decoders are asked: a frame, its embedding and some clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.model.prompt_encoder import tokenise
from napari_sam_decoder.model.transforms import prepare_frame
from napari_sam_decoder.model.values import Embedding, ModelPrompt
from speed_parts.textures import Textures

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["IMAGE_SIZE", "MOST_PROMPTS", "Scene"]

IMAGE_SIZE = 1024
EMBEDDING_SHAPE = 256, 64, 64
MOST_PROMPTS = 16


@dataclass(frozen=True, eq=False)
class Scene:
    """A frame with sixteen objects, one click on each.

    Attributes
    ----------
    frame : (Y, X, 3) array of uint8
    pixels : (1, 3, 1024, 1024) tensor
        The frame as the network wants it.
    embedding : Embedding
    prompts : list of ModelPrompt
    """

    frame: np.ndarray
    pixels: Tensor
    embedding: Embedding
    prompts: list[ModelPrompt]

    @classmethod
    def of(cls, frame_shape: tuple[int, int]) -> Scene:
        """Draw a scene; its embedding is noise, which takes as long to decode."""
        movie = Textures(1, frame_shape, MOST_PROMPTS)
        (frame,) = movie.draw()
        features = np.random.default_rng(0).standard_normal(EMBEDDING_SHAPE, np.float32)
        return cls(
            frame,
            prepare_frame(frame, IMAGE_SIZE),
            Embedding(features / 10, frame_shape),
            _clicks(movie, frame_shape),
        )

    @property
    def size(self) -> str:
        """Rows and columns of the frame, as text."""
        return "{}x{}".format(*self.frame.shape)

    @property
    def features(self) -> Tensor:
        """(1, 256, 64, 64), what the plain decoder wants."""
        return torch.from_numpy(self.embedding.features)[None]

    def tokens(self, count: int) -> tuple[Tensor, Tensor]:
        """Positions (B, 2, 2) and labels (B, 2) of the first `count` prompts."""
        tokens = [tokenise(prompt) for prompt in self.prompts[:count]]
        return (
            torch.from_numpy(np.stack([item.positions for item in tokens])),
            torch.from_numpy(np.stack([item.kinds for item in tokens])),
        )


def _clicks(movie: Textures, frame_shape: tuple[int, int]) -> list[ModelPrompt]:
    geometry = FrameGeometry.fit(frame_shape, IMAGE_SIZE)
    return [
        ModelPrompt(geometry.to_model([centre]), np.array([1]))
        for centre in movie.centres(0)
    ]
