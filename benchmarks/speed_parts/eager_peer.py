"""The peer `eager_fp32`: MobileSAM as published, on the bundled weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from napari_sam_decoder.weights.catalogue import find_row, local_path
from napari_sam_decoder.weights.checkpoints import read_checkpoint
from speed_parts.eager_decoder import EagerDecoder
from speed_parts.eager_encoder import EagerEncoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from speed_parts.scene import Scene

__all__ = ["EagerPeer"]


class EagerPeer:
    """Plain modules in float32, one kernel after the other."""

    name = "eager_fp32"

    def __init__(self) -> None:
        self.encoder, self.decoder = EagerEncoder().eval(), EagerDecoder().eval()
        # Under these names, and at one level, the entries are in the file.
        whole = nn.Module()
        whole.image_encoder = self.encoder
        whole.prompt_encoder = self.decoder.prompt_encoder
        whole.mask_decoder = self.decoder.mask_decoder
        state = read_checkpoint(local_path(find_row("mobile_sam")))
        whole.load_state_dict({name: item.float() for name, item in state.items()})

    def encoding(self, scene: Scene) -> Callable[[], object]:
        """The network alone: the frame is resized and normalised beforehand."""
        return torch.inference_mode()(lambda: self.encoder(scene.pixels))

    def decoding(self, scene: Scene, count: int) -> Callable[[], object]:
        """The first `count` prompts, on an embedding that is a tensor already."""
        positions, labels = scene.tokens(count)
        return torch.inference_mode()(
            lambda: self.decoder(scene.features, positions, labels)
        )
