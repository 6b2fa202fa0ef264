"""The intensities shown as black and white, fixed once for a whole movie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.validation import as_finite_array

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Contrast"]

LARGE = 1e290
ROBUST_PERCENTILES = (0.1, 99.9)

SOFT_TISSUE = (-100.0, 200.0)
"""A window for organs in computed tomography, in Hounsfield units."""

LUNG = -700.0
"""In Hounsfield units; air and lung are below, everything else well above."""

TISSUE_SHARE = 0.1


@dataclass(frozen=True)
class Contrast:
    """The intensities shown as black and white, the same for a whole movie.

    Attributes
    ----------
    low, high : float
        In the movie's own units; ``low`` maps to 0 and ``high`` to 255.
    """

    low: float
    high: float

    @classmethod
    def of(cls, limits: Sequence[float]) -> Contrast:
        """Validate limits set by a user.

        Parameters
        ----------
        limits : sequence of two floats
            Low and high, finite, low below high.

        Raises
        ------
        OptionError
            If the limits are invalid.
        """
        found = as_finite_array(limits, "contrast limits", OptionError)
        if found.shape != (2,) or found[0] >= found[1]:
            shown = ", ".join(f"{value:g}" for value in found.ravel()[:5])
            raise OptionError(
                f"contrast limits must be two finite numbers, low < high, not {shown}"
            )
        return cls(float(found[0]), float(found[1]))

    @classmethod
    def measure(cls, sample: np.ndarray) -> Contrast:
        """Choose robust limits for a sample of finite intensities, one at least.

        Percentiles, except for computed tomography: there it is the window of soft
        tissue, since between the limits for air and bone all tissue looks the same.
        """
        if _is_tomography(sample):
            return cls(*SOFT_TISSUE)
        low, high = np.percentile(sample, ROBUST_PERCENTILES)
        if low == high:
            # A few bright pixels on an empty background, which percentiles miss.
            low, high = sample.min(), sample.max()
        return cls(float(low), float(high))

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Map intensities to uint8; NaN becomes black, infinities the limits."""
        if pixels.dtype.kind in "ui" and pixels.dtype.itemsize <= 2:
            # A lookup table, since there are fewer values than pixels.
            pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
            codes = pixels.view(f"u{pixels.dtype.itemsize}")
            shades: np.ndarray = np.take(_shades(self, pixels.dtype.str), codes)
            return shades
        return self._stretched(pixels)

    def _stretched(self, pixels: np.ndarray) -> np.ndarray:
        values = np.nan_to_num(
            pixels.astype(_working_dtype(pixels.dtype)),
            nan=self.low,
            posinf=self.high,
            neginf=self.low,
        )
        if self.high <= self.low:
            return np.where(values > self.high, 255, 0).astype(np.uint8)
        # Clipping first keeps huge values from overflowing in the subtraction.
        values = np.clip(values, self.low, self.high)
        low, high = self.low, self.high
        power = _power_for(low, high)
        if power:
            values, low, high = (np.ldexp(one, power) for one in (values, low, high))
        scaled: np.ndarray = (values - low) * (255.0 / (high - low))
        stretched: np.ndarray = np.rint(scaled).astype(np.uint8)
        return stretched


def _is_tomography(sample: np.ndarray) -> bool:
    """Whether intensities look like Hounsfield units.

    There air is far below zero, tissue near zero, and bone, far above, is rare. In
    other signed images, such as differences, both sides are alike.
    """
    darkest, brightest = np.percentile(sample, (2, 98))
    if not (darkest <= LUNG and 0 < brightest <= -darkest / 2):
        return False
    low, high = SOFT_TISSUE
    is_tissue = (sample >= low) & (sample <= high)
    return bool(is_tissue.mean() >= TISSUE_SHARE)


@lru_cache(maxsize=4)
def _shades(contrast: Contrast, dtype: str) -> np.ndarray:
    """Lookup table from the bits of a small integer type to shades."""
    size = np.dtype(dtype).itemsize
    codes = np.arange(256**size).astype(f"{dtype[0]}u{size}")
    return contrast._stretched(codes.view(dtype))


def _power_for(low: float, high: float) -> int:
    """Power of two by which to scale values near the limits of floats."""
    if max(-low, high) > LARGE:
        return -64
    return 512 if high - low < 1 / LARGE else 0


def _working_dtype(dtype: np.dtype) -> type[np.floating]:
    """Float32 where it holds every value exactly, for speed."""
    return np.float32 if dtype.itemsize <= 2 else np.float64
