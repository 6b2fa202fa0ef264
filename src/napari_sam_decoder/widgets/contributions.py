"""What the package adds to napari's menus: reader and writer, and sample movies."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.axes import axis_letters
from napari_sam_decoder.errors import FormatError, LabelsError, ProjectError
from napari_sam_decoder.formats import LabelSink, read_all_labels
from napari_sam_decoder.labels import label_dtype, without_objects
from napari_sam_decoder.samples import load_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "BACKGROUND",
    "get_labels_reader",
    "get_project_reader",
    "make_cells",
    "make_pictures",
    "save_project_as",
    "write_labels",
]

BACKGROUND = "background objects"
"""In the metadata of a Labels layer: ids that are not part of the result."""
PLACEMENT = {"scale": 1.0, "translate": 0.0}
"""What of a layer's placement is stored, and its value for a new first axis."""
USUAL_AXES = {3: "TYX", 4: "TZYX", 5: "TCZYX"}
"""Of layers whose axes have no clear names."""
MOST_AXES = max(USUAL_AXES)
AXES = r"(?!.*(.).*\1)[TCZ]{1,3}YX"
"""Axes that labels in a file may have."""


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
        on, with the provenance in its metadata, and with the names of its axes, the
        scale and the translation that the attributes of the array give. It raises
        `FormatError` if the array is corrupt.
    """
    if isinstance(path, list):
        return None
    attributes = _read_attributes(Path(path))
    return None if attributes is None else partial(_read_layer, attributes)


def get_project_reader(
    path: str | list[str],
) -> Callable[[str], list[tuple[None]]] | None:
    """Choose the reader for a project, which goes on with it in the dock.

    Parameters
    ----------
    path : str or list of str
        Of a file that the manifest knows by its ending.

    Returns
    -------
    callable or None
        None for several files, since one project at a time can be opened. The callable
        gives no layer itself: the dock opens the movie and the labels, once napari is
        done with reading.
    """
    return None if isinstance(path, list) else _open_project


def _open_project(path: str) -> list[tuple[None]]:
    import napari
    from qtpy.QtCore import QTimer

    from napari_sam_decoder.widgets.dock import open_project_in_dock

    viewer = napari.current_viewer()
    if viewer is None:
        raise ProjectError(
            f"{path} is opened in a window: drop it on one, or use "
            "'napari-sam-decoder open'"
        )
    QTimer.singleShot(0, partial(open_project_in_dock, viewer, Path(path)))
    return [(None,)]


def save_project_as() -> None:
    """Ask where to copy the project of the current movie to, and copy it."""
    import napari

    from napari_sam_decoder.widgets.dock import save_project_of

    viewer = napari.current_viewer()
    if viewer is not None:
        save_project_of(viewer)


def _read_layer(
    attributes: dict[str, Any], path: str
) -> list[tuple[Any, dict[str, Any], str]]:
    options = {
        "name": Path(path).stem,
        "axis_labels": tuple(attributes["axes"].lower()),
        **{name: attributes.get(name) for name in PLACEMENT},
        "metadata": {"provenance": attributes["provenance"]},
    }
    return [(read_all_labels(path), options, "labels")]


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
            and re.fullmatch(AXES, attributes["axes"])
            and isinstance(attributes["provenance"], dict)
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return attributes if is_ours else None


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a Labels layer as a zarr array, as the command ``segment`` writes it.

    The file appears whole or not at all, and replaces only labels of this plugin.
    Background objects are left out.

    Parameters
    ----------
    path : str
        Ends in ``.zarr``.
    data : (T, Y, X), (Z, Y, X) or (Y, X) array-like of int
        The largest level, if there are several; or up to five axes, the last two of
        which are rows and columns. A single frame gets a first axis.
    attributes : dict
        Of the layer. ``scale``, ``translate``, ``axis_labels`` and the ``provenance``
        in ``metadata`` are stored.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    FormatError
        If something else has this name, or the disk cannot be written.
    LabelsError
        If the layer has other axes, or its ids are not from 0 to 4294967295.
    """
    labels = data[0] if attributes.get("multiscale") else data
    background = (attributes.get("metadata") or {}).get(BACKGROUND, ())
    if not 2 <= labels.ndim <= MOST_AXES:
        raise LabelsError(
            f"labels of shape {tuple(labels.shape)} cannot be saved as {path}; save up "
            f"to {MOST_AXES} axes, or choose a name that ends in .tif"
        )
    if labels.ndim == 2:
        labels = labels[None]
    _require_free(Path(path))
    dtype = label_dtype(_highest_id(labels))
    axes, placement = (
        _axes(attributes, labels.ndim),
        _placement(attributes, labels.ndim),
    )
    with LabelSink(path, labels.shape, dtype, axes, placement) as sink:
        for frame, place in enumerate(np.ndindex(labels.shape[:-2])):
            plane = without_objects(np.asarray(labels[place]), background)
            sink.write(frame, plane)
        sink.finish(_provenance(attributes))
    return [path]


def _require_free(path: Path) -> None:
    if path.exists() and _read_attributes(path) is None:
        raise FormatError(
            f"{path} exists and is not a labels file of SAM decoder, so it is not "
            "replaced; choose another name"
        )


def _highest_id(labels: Any) -> int:
    highest = 0
    for index in range(len(labels)):
        frame = np.asarray(labels[index])
        lowest, highest = int(frame.min()), max(highest, int(frame.max()))
        if lowest < 0:
            raise LabelsError(
                f"the labels hold {lowest}, which is not an object id; use 0 for the "
                "background and 1 or more for objects"
            )
    return highest


def _axes(attributes: Mapping[str, Any], ndim: int) -> str:
    """Letters of the axes by their names, as far as these are clear."""
    names = tuple(attributes.get("axis_labels") or ())
    letters = axis_letters(names) if len(names) == ndim else None
    if letters and re.fullmatch(AXES, letters):
        return letters
    is_depth = ndim == 3 and str((*names, "t")[0]).lower() == "z"
    return "ZYX" if is_depth else USUAL_AXES[ndim]


def _placement(attributes: Mapping[str, Any], ndim: int) -> dict[str, list[float]]:
    """Scale and translation of the layer, with a value for an added first axis."""
    found = {}
    for name, default in PLACEMENT.items():
        values = [float(value) for value in attributes.get(name, ())]
        found[name] = [default] * (ndim - len(values)) + values
    return found


def _provenance(attributes: Mapping[str, Any]) -> dict[str, Any]:
    noted = (attributes.get("metadata") or {}).get("provenance")
    return noted if isinstance(noted, dict) else {}


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
