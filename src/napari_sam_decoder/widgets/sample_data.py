"""The generated movies as napari's sample data."""

from __future__ import annotations

from typing import Any

from napari_sam_decoder.samples import load_sample

__all__ = ["make_cells", "make_pictures"]


def make_cells() -> list[tuple[Any, dict[str, Any], str]]:
    """Generate the movie of crawling cells.

    Returns
    -------
    list of (data, attributes, layer type)
        One image of shape (60, 512, 512), dtype uint8.
    """
    return _image_layer("cells")


def make_pictures() -> list[tuple[Any, dict[str, Any], str]]:
    """Generate the movie of moving pictures.

    Returns
    -------
    list of (data, attributes, layer type)
        One colour image of shape (40, 480, 640, 3), dtype uint8.
    """
    return _image_layer("pictures")


def _image_layer(name: str) -> list[tuple[Any, dict[str, Any], str]]:
    movie = load_sample(name)
    attributes = {
        "name": name,
        "rgb": movie.frames.ndim == 4,
        "axis_labels": ("t", "y", "x"),
        "metadata": {"description": movie.description, "credit": movie.credit},
    }
    return [(movie.frames, attributes, "image")]
