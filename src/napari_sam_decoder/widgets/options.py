"""What a person sets about model, device, contrast and cache."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam_decoder.model.catalogue import AUTO_DECODER

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

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

    def for_another_movie(self) -> Self:
        """Keep what does not belong to one movie: neither contrast nor cache folder."""
        cache = self.cache if self.cache is None else "auto"
        return replace(self, contrast=None, cache=cache)
