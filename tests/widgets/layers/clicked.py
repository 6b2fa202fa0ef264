"""Points layers, and readings of them as plain values."""

from __future__ import annotations

import numpy as np


def movie(**options):
    """See an empty stack as a movie."""
    from napari.layers import Image

    from napari_sam_decoder.widgets.layers import MovieView

    return MovieView.of(Image(np.zeros((5, 12, 14)), name="cells", **options))


def clicks(*positions, name="object 1", **features):
    """Make a points layer."""
    from napari.layers import Points

    return Points(
        np.array(positions, dtype=float), name=name, features=features or None
    )


def told(reading):
    """Prompts as plain values, positions rounded."""
    return {
        (prompt.object_id, prompt.frame): (
            np.round(prompt.points, 6).tolist(),
            list(prompt.signs),
            prompt.hypothesis,
        )
        for prompt in reading.prompts
    }


def rows(reading):
    """Rows of objects as plain values."""
    return [(r.object_id, r.name, r.frames, r.count) for r in reading.objects]
