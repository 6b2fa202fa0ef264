"""Draw the picture of the start page from what the demo leaves behind.

    napari-sam-decoder demo --headless --out demo-out
    python docs/draw_overlay.py demo-out

The argument is the demo's folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from napari_sam_decoder import Movie
from napari_sam_decoder.formats import figures
from napari_sam_decoder.jobs.demo import DemoFiles

TARGET = Path(__file__).parent / "images" / "cells_overlay.png"
FRAMES = (0, 20, 50)
TINT = 0.4


def main() -> None:
    """Put a few frames with the outlines that were found side by side."""
    files = DemoFiles(Path(sys.argv[1]))
    movie = Movie(tifffile.imread(files.movie), axes="TYX")
    labels = tifffile.imread(files.labels)
    drawn = [tint(movie.rgb(frame), labels[frame]) for frame in FRAMES]
    captions = [f"frame {frame}" for frame in FRAMES]
    sheet = figures.contact_sheet(drawn, captions, columns=len(FRAMES))
    Image.fromarray(sheet).save(TARGET, optimize=True)


def tint(rgb: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Colour each object and its outline, which alone would be too thin to see."""
    tinted = rgb.astype(float)
    for object_id in np.unique(labels[labels > 0]):
        colour = np.array(figures.colour_of(int(object_id)), float)
        inside = labels == object_id
        tinted[inside] = (1 - TINT) * tinted[inside] + TINT * colour
    return figures.draw_outlines(tinted.astype(np.uint8), labels)


if __name__ == "__main__":
    main()
