"""What the numbers in a page of a TIFF file stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from napari_sam_decoder.errors import FormatError

__all__ = ["Photometry"]

_IS_WHITE = 0
_IS_INK = 5


@dataclass(frozen=True)
class Photometry:
    """How the numbers of a file are to be read.

    Attributes
    ----------
    is_imagej : bool
        Whether ImageJ wrote it: its lookup tables, inverted ones too, are for looking
        at only, and its numbers stand for themselves.
    are_ids : bool
        Whether they are ids of objects rather than intensities.
    """

    GREY: ClassVar = (0, 1)
    PALETTE: ClassVar = 3

    is_imagej: bool
    are_ids: bool

    def makes_colours(self, page: Any) -> bool:
        """Whether the numbers of a page are looked up in its palette."""
        is_plain = self.is_imagej or self.are_ids
        return page.photometric == self.PALETTE and not is_plain

    def apply(self, pixels: np.ndarray, page: Any) -> np.ndarray:
        """Turn the numbers of a page into what they stand for.

        Parameters
        ----------
        pixels : array
            As they are stored.
        page : tifffile.TiffPage
            Its tags count.

        Returns
        -------
        array
            With a last axis of red, green and blue, uint8, if `makes_colours`; else
            of the same shape and type, where 0 is black.

        Raises
        ------
        FormatError
            If the colours are those of ink.
        """
        if page.photometric == _IS_INK:
            raise FormatError("its colours are CMYK; convert it to RGB")
        if self.makes_colours(page):
            return _looked_up(pixels, np.asarray(page.colormap))
        if page.photometric == _IS_WHITE and not self.is_imagej:
            return self._inverted(pixels, int(page.bitspersample))
        return pixels

    def _inverted(self, pixels: np.ndarray, bits: int) -> np.ndarray:
        """Make 0 black; but ids of more than one bit that are no mask stay."""
        if pixels.dtype.kind == "b":
            return ~pixels
        white = 2**bits - 1
        if pixels.dtype.kind != "u":
            return pixels
        if self.are_ids and bits > 1 and not _is_mask(pixels, white):
            return pixels
        inverted: np.ndarray = pixels.dtype.type(white) - pixels
        return inverted


def _is_mask(pixels: np.ndarray, white: int) -> bool:
    """Whether pixels are black and white; black ones alone may be without any id."""
    is_high = pixels == white
    return bool(is_high.any() and (is_high | (pixels == 0)).all())


def _looked_up(pixels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    # Some programs write 8 bits where the format wants 16.
    shift = 8 if palette.max() > 255 else 0
    colours: np.ndarray = (palette >> shift).astype(np.uint8).T[pixels]
    return colours
