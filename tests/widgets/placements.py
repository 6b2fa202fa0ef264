"""Shapes and transforms that the tests of this folder share."""

from __future__ import annotations

import numpy as np

SHAPES = {2: (12, 14), 3: (5, 12, 14), 4: (5, 6, 12, 14)}
KINDS = ("scale", "translate", "rotate", "shear", "affine", "all")
# Number of axes, and the one to follow.
AXES = ((2, None), (3, 0), (3, 2), (4, 0), (4, 1))


def transform(kind, ndim):
    """Arguments for a layer; the same for the same kind and number of axes."""
    rng = np.random.default_rng(ndim)
    if kind == "turn":
        return {"rotate": in_plane(ndim)}
    rotation, _ = np.linalg.qr(np.eye(ndim) + rng.normal(0, 0.15, (ndim, ndim)))
    affine = np.eye(ndim + 1)
    affine[:ndim, :ndim] += rng.normal(0, 0.1, (ndim, ndim))
    affine[:ndim, ndim] = rng.normal(0, 3, ndim)
    choices = {
        "scale": np.linspace(0.3, 2.5, ndim),
        "translate": rng.normal(0, 5, ndim),
        "rotate": rotation,
        "shear": rng.normal(0, 0.1, ndim * (ndim - 1) // 2),
        "affine": affine,
    }
    return choices if kind == "all" else {kind: choices[kind]}


def in_plane(ndim):
    """Turn the last two axes by 30 degrees."""
    cosine, sine = np.cos(np.pi / 6), np.sin(np.pi / 6)
    turn = np.eye(ndim)
    turn[-2:, -2:] = [[cosine, -sine], [sine, cosine]]
    return turn


def numbered(shape, axis):
    """Pixels that hold the number of their frame."""
    if axis is None:
        return np.zeros(shape, np.uint8)
    column = np.arange(shape[axis], dtype=np.uint8)
    others = [other for other in range(len(shape)) if other != axis]
    return np.broadcast_to(np.expand_dims(column, others), shape).copy()


def image_of(pixels, kind, **options):
    """Make an image layer under a transform."""
    from napari.layers import Image

    ndim = pixels.ndim - bool(options.get("rgb"))
    return Image(pixels, name="cells", **transform(kind, ndim), **options)


def viewer_of(view, *layers):
    """Make a viewer that slices along the axes that a movie is sliced along."""
    from napari.components import ViewerModel

    viewer = ViewerModel()
    for layer in (view.layer, *layers):
        viewer.add_layer(layer)
    viewer.dims.order = (*view.sliced_axes, *view.frame_axes)
    return viewer


def shown_value(viewer, layer, world):
    """Return what napari shows of a layer at a position, as the status bar does."""
    return layer.get_value(
        world,
        view_direction=None,
        dims_displayed=list(viewer.dims.displayed),
        world=True,
    )
