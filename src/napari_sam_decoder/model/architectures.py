"""The architectures of SAM's shape, as spec sheets, and how their parts meet."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import CheckpointError
from napari_sam_decoder.model.mask_decoder import MaskDecoder
from napari_sam_decoder.model.prompt_encoder import PromptEncoder
from napari_sam_decoder.model.sam import Sam
from napari_sam_decoder.model.tiny_vit import TinyViT, TinyViTConfig
from napari_sam_decoder.model.transformer import TransformerConfig, TwoWayTransformer
from napari_sam_decoder.model.vit import ViT, ViTConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ARCHITECTURES", "assemble_sam", "build_sam"]

ARCHITECTURES: Mapping[str, TinyViTConfig | ViTConfig] = MappingProxyType(
    {
        "vit_t": TinyViTConfig(),
        "vit_b": ViTConfig(width=768, depth=12, heads=12, global_blocks=(2, 5, 8, 11)),
        "vit_l": ViTConfig(
            width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23)
        ),
        "vit_h": ViTConfig(
            width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31)
        ),
    }
)
"""Spec sheet of the image encoder by architecture; all else is the same for all."""


def build_sam(architecture: str, *, identity: str) -> Sam:
    """Build a public architecture with fresh weights.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURES`.
    identity : str
        Tells these weights from all others.

    Returns
    -------
    Sam
        On torch's default device; under ``torch.device("meta")`` it costs no memory.

    Raises
    ------
    CheckpointError
        If there is no such architecture.
    """
    try:
        config = ARCHITECTURES[architecture]
    except KeyError:
        raise CheckpointError(
            f"There is no architecture {architecture!r}; choose one of "
            f"{', '.join(ARCHITECTURES)}."
        ) from None
    encoder = TinyViT(config) if isinstance(config, TinyViTConfig) else ViT(config)
    return assemble_sam(encoder, identity=identity)


def assemble_sam(image_encoder: TinyViT | ViT, *, identity: str) -> Sam:
    """Put SAM's prompt encoder and mask decoder behind an image encoder.

    Parameters
    ----------
    image_encoder : TinyViT or ViT
        Gives embeddings of 256 channels.
    identity : str
        Tells these weights from all others.

    Returns
    -------
    Sam
        With fresh weights outside the image encoder.
    """
    return Sam(
        image_encoder,
        PromptEncoder(image_encoder.image_size, image_encoder.grid),
        MaskDecoder(TwoWayTransformer(TransformerConfig())),
        identity=identity,
    )
