"""A label movie with a division, a gap and a name, for the tests of the formats."""

import numpy as np

from napari_sam_decoder.formats import LabelMovie

LABELS = np.zeros((6, 40, 60), np.uint16)
for frame in range(6):
    LABELS[frame, 5:12, 5 + frame : 15 + frame] = 1
    LABELS[frame, 2:4, 50:58] = 0 if frame == 2 else 7
LABELS[:3, 20:30, 20:30] = 2
LABELS[3:, 20:24, 20:30] = 3
LABELS[3:, 26:30, 20:30] = 4
PROVENANCE = {"movie": "cells.tif", "prompts": []}


def label_movie(labels=LABELS, **more):
    options = {
        "scale": (3.0, 0.5, 0.25),
        "unit": "micrometer",
        "names": {1: "the first"},
        "parents": {3: 2, 4: 2},
        "provenance": PROVENANCE,
        **more,
    }
    return LabelMovie(labels, **options)


def written(write, movie, path):
    """Write a movie to the end; return the frames that were reported."""
    return list(write(movie, path))
