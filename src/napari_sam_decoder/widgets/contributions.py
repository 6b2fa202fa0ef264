"""What the package adds to napari's menus: a reader and sample movies."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.formats import open_labels
from napari_sam_decoder.samples import load_sample

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["get_labels_reader", "make_cells", "make_pictures"]


def get_labels_reader(
    path: str | list[str],
) -> Callable[[str], list[tuple[Any, dict[str, Any], str]]] | None:
    """Choose the reader for a folder, where it holds our labels.

    napari's own reader would show them as an image, without their provenance. napari
    offers readers of folders for every folder, so this looks at one small file only.

    Parameters
    ----------
    path : str or list of str
        Several paths are a stack of pictures to napari, and none of ours.

    Returns
    -------
    callable or None
        None unless the folder ends in ``.zarr`` and is an array such as `LabelSink`
        writes. The callable gives one Labels layer, in memory so that it can be painted
        on, with the provenance in its metadata, and the scale if the attributes of the
        array name one. It raises `FormatError` if the array is damaged.
    """
    if isinstance(path, list):
        return None
    attributes = _read_attributes(Path(path))
    return None if attributes is None else partial(_read_layer, attributes)


def _read_layer(
    attributes: dict[str, Any], path: str
) -> list[tuple[Any, dict[str, Any], str]]:
    options = {
        "name": Path(path).stem,
        "scale": attributes.get("scale"),
        "metadata": {"provenance": attributes["provenance"]},
    }
    return [(open_labels(path)[:], options, "labels")]


def _read_attributes(path: Path) -> dict[str, Any] | None:
    """Return the attributes of an array of ours, without the import of zarr.

    That would be felt at the first folder of any kind that a user opens.
    """
    if path.suffix.lower() != ".zarr":
        return None
    try:
        node = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
        attributes = node["attributes"]
        is_ours = (
            node["node_type"] == "array"
            and attributes["axes"] in ("TYX", "ZYX")
            and isinstance(attributes["provenance"], dict)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return attributes if is_ours else None


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
