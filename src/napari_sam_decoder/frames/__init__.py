"""Movies as sequences of RGB frames, and their geometry in the network's input.

A movie is (T, Y, X) or (Z, Y, X), a single picture (Y, X), each with an optional last
axis C for colour. Positions are (row, column), with integers at pixel centres. The
network's (x, y) exists only in `FrameGeometry`.
"""

from __future__ import annotations

from napari_sam_decoder.frames.composite import Composite
from napari_sam_decoder.frames.contrast import Contrast
from napari_sam_decoder.frames.frame_geometry import FrameGeometry
from napari_sam_decoder.frames.frame_ranges import (
    FrameSelection,
    select_frame_range,
    select_frames,
)
from napari_sam_decoder.frames.movie import ArrayLike, Movie, guess_axes
from napari_sam_decoder.frames.placed_mask import PlacedMask
from napari_sam_decoder.frames.planes import PlaneIndex, Planes
from napari_sam_decoder.frames.window import Pyramid, Window

__all__ = [
    "ArrayLike",
    "Composite",
    "Contrast",
    "FrameGeometry",
    "FrameSelection",
    "Movie",
    "PlacedMask",
    "PlaneIndex",
    "Planes",
    "Pyramid",
    "Window",
    "guess_axes",
    "select_frame_range",
    "select_frames",
]
