"""What a person sets about model, device, contrast and cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.model.catalogue import AUTO_DECODER

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ModelOptions"]


@dataclass(frozen=True)
class ModelOptions:
    """How frames become embeddings, and these become masks.

    Attributes
    ----------
    model, decoder : str or Path
        As `load_sam` takes them.
    device : str
        "auto", or a name that torch knows.
    contrast : (float, float), optional
        Intensities shown to the network as black and white; chosen from the movie
        when absent.
    cache : str, Path or None
        As in `Session`: "auto", a folder, or None for memory.
    """

    model: str | Path = "mobile_sam"
    device: str = "auto"
    contrast: tuple[float, float] | None = None
    cache: str | Path | None = "auto"
    decoder: str | Path = AUTO_DECODER
