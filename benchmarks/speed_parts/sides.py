"""The program itself and its peers, by the same two questions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from napari_sam_decoder import load_sam
from speed_parts.eager_peer import EagerPeer
from speed_parts.onnx_peer import OnnxPeer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from speed_parts.scene import Scene

__all__ = ["OURS", "Ours", "Side", "side"]

OURS = "ours"


class Side(Protocol):
    """Something that encodes and decodes."""

    @property
    def name(self) -> str:
        """As it is called in the report."""

    def encoding(self, scene: Scene, /) -> Callable[[], object]:
        """Make a call that embeds the frame."""

    def decoding(self, scene: Scene, count: int, /) -> Callable[[], object]:
        """Make a call that answers the first `count` prompts."""


class Ours:
    """The public methods of `Sam`, on the CPU."""

    name = OURS

    def __init__(self, sam: Sam) -> None:
        self.sam = sam

    def encoding(self, scene: Scene) -> Callable[[], object]:
        """All of `encode`: the frame is resized and the result copied, too."""
        return lambda: self.sam.encode(scene.frame)

    def decoding(self, scene: Scene, count: int) -> Callable[[], object]:
        """All of `decode`, each time as on a frame without previous prompts."""
        prompts = scene.prompts[:count]
        return lambda: self.sam.decode(replace(scene.embedding), prompts)


def side(name: str, graphs: Path, precision: str) -> Side:
    """Load one side by its name.

    Parameters
    ----------
    name : str
        Its `Side.name`.
    graphs : Path
        A folder that `export` has filled.
    precision : str
        Of ours; peers compute in float32.
    """
    if name == OnnxPeer.name:
        return OnnxPeer(graphs)
    if name == EagerPeer.name:
        return EagerPeer()
    return Ours(load_sam(device="cpu", precision=precision))
