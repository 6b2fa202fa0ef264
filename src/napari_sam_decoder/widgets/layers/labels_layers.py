"""Labels layers: what they hold, and which ones results may go to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.labels import label_dtype, label_ids
from napari_sam_decoder.project import LabelsContents
from napari_sam_decoder.widgets.layers.coordinates import WorldMap, placement

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from napari_sam_decoder.project import PlanePosition
    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = [
    "check_shape",
    "check_target",
    "frames_with",
    "ids_in",
    "labels_layer",
    "new_labels_layer",
    "scan_labels",
]


def new_labels_layer(view: MovieView, name: str, highest_id: int = 1) -> Labels:
    """Make an empty labels layer that lies on the image of a movie.

    Parameters
    ----------
    view : MovieView
        The movie.
    name : str
        What the layer list shows.
    highest_id : int
        The largest object id that will be written.

    Returns
    -------
    napari.layers.Labels
        uint16, or uint32 where an id needs it, of the whole image, also where a movie
        is only one cut of it.
    """
    labels = np.zeros(view.spatial_shape, dtype=label_dtype(highest_id))
    return labels_layer(view, name, labels)


def labels_layer(view: MovieView, name: str, labels: np.ndarray) -> Labels:
    """Make a layer of labels that lies on the image of a movie.

    Parameters
    ----------
    view : MovieView
        The movie.
    name : str
        What the layer list shows.
    labels : array of int
        Of the shape of the whole image, without colours; not copied.
    """
    return Labels(labels, name=name, **placement(view.layer))


def check_target(view: MovieView, layer: Labels, highest_id: int) -> tuple[str, ...]:
    """Refuse a labels layer that the labels of a movie cannot be written into.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        Where results are to go.
    highest_id : int
        The largest object id that will be written.

    Returns
    -------
    tuple of str
        What is unusual about the layer but does no harm.

    Raises
    ------
    LabelsError
        If it is multiscale, of another shape, cannot be written to, or its type cannot
        hold the ids.
    """
    check_shape(view, layer)
    if not _is_writable(layer.data):
        raise LabelsError(
            f"the labels of '{layer.name}' cannot be written to; choose a new labels "
            "layer, or load them into memory first"
        )
    dtype = np.dtype(layer.data.dtype)
    if highest_id > np.iinfo(dtype).max:
        raise LabelsError(
            f"'{layer.name}' holds {dtype} and cannot hold object id {highest_id}; "
            "choose a smaller id or a new labels layer, or convert it to uint32"
        )
    if WorldMap.of(layer).is_close(WorldMap.of(view.layer)):
        return ()
    notice = (
        f"'{layer.name}' lies elsewhere than '{view.layer.name}', since their scale, "
        "translation or affine differ; pixels are matched by their index"
    )
    return (notice,)


def scan_labels(
    view: MovieView, data: Any, note: Callable[[PlanePosition, np.ndarray], None]
) -> Generator[LabelsContents | None]:
    """List the objects in labels, and pass on every plane.

    Parameters
    ----------
    view : MovieView
        The movie, which is cut along the same axes.
    data : array-like of int
        Of the movie's shape; read one plane of the first axis at a time.
    note : callable
        Called with the position of each plane along the sliced axes, and its (Y, X)
        labels. Not called if planes would have to be gathered from many parts.

    Yields
    ------
    LabelsContents or None
        None after each plane, so that it can be stopped there; what was found comes
        last.
    """
    ids: set[int] = set()
    frames: defaultdict[int, set[int]] = defaultdict(set)
    for part, labels in _parts(data):
        ids |= label_ids(labels)
        for place, plane in _planes(view, part, labels):
            note(place, plane)
        for frame, found in _ids_by_frame(view, part, labels):
            for object_id in found - {0}:
                frames[object_id].add(frame)
        yield None
    by_object = {object_id: frozenset(found) for object_id, found in frames.items()}
    yield LabelsContents(frozenset(ids - {0}), by_object)


def ids_in(data: Any) -> Generator[frozenset[int] | None]:
    """List the ids in labels, as `scan_labels` does, but without a movie.

    Parameters
    ----------
    data : array-like of int
        Numpy, zarr or anything else that is read by indexing, with two axes or more.
    """
    ids: set[int] = set()
    for _, labels in _parts(data):
        ids |= label_ids(labels)
        yield None
    yield frozenset(ids - {0})


def frames_with(
    view: MovieView, data: Any, object_id: int, start: int = 0
) -> Generator[tuple[MovieView, int] | None]:
    """Find the frames on which labels hold an object, on all cuts of the image.

    Parameters
    ----------
    view : MovieView
        The movie; every other cut along the same axes is searched too.
    data : array-like of int
        Of the movie's shape.
    object_id : int
        1 or more.
    start : int
        The first frame that is searched.

    Yields
    ------
    (MovieView, int) or None
        A cut and a frame on it; None after each frame without the object.
    """
    axes = [axis for axis, _ in view.fixed]
    for places in np.ndindex(*(data.shape[axis] for axis in axes)):
        cut = replace(view, fixed=tuple(zip(axes, places, strict=True)))
        for frame in range(start, len(cut)):
            is_there = bool((np.asarray(data[cut.index(frame)]) == object_id).any())
            yield (cut, frame) if is_there else None


def _parts(data: Any) -> Iterator[tuple[int | None, np.ndarray]]:
    """Read planes along the first axis; a picture is one part without a number."""
    if len(data.shape) == 2:
        yield None, np.asarray(data[:])
    else:
        for part in range(data.shape[0]):
            yield part, np.asarray(data[part])


def _planes(
    view: MovieView, part: int | None, labels: np.ndarray
) -> Iterator[tuple[PlanePosition, np.ndarray]]:
    if part is None:
        yield (), labels
    elif 0 in view.sliced_axes:
        inner = [axis - 1 for axis in view.sliced_axes if axis > 0]
        planes = np.moveaxis(labels, inner, range(len(inner)))
        for place in np.ndindex(*planes.shape[: len(inner)]):
            yield (part, *place), planes[place]


def _ids_by_frame(
    view: MovieView, part: int | None, labels: np.ndarray
) -> Iterator[tuple[int, set[int]]]:
    if part is None:
        yield 0, label_ids(labels)
        return
    for frame in (part,) if view.axis == 0 else range(len(view)):
        first, *rest = view.index(frame)
        if isinstance(first, slice) or first == part:
            yield frame, label_ids(labels[tuple(rest)])


def check_shape(view: MovieView, layer: Labels) -> None:
    """Refuse a labels layer that has another shape than a movie.

    Raises
    ------
    LabelsError
        If it is multiscale or of another shape.
    """
    if layer.multiscale:
        raise LabelsError(
            f"'{layer.name}' is multiscale, and only one of its levels would be "
            "written; choose a new labels layer"
        )
    shape = tuple(int(length) for length in layer.data.shape)
    if shape != view.spatial_shape:
        raise LabelsError(
            f"'{layer.name}' of shape {shape} does not fit '{view.layer.name}' of "
            f"shape {view.spatial_shape}; choose labels of that shape or a new layer"
        )


def _is_writable(data: Any) -> bool:
    if isinstance(data, np.ndarray):
        return bool(data.flags.writeable)
    # Writing to a dask array changes its graph and keeps every version in memory.
    graph = getattr(data, "__dask_graph__", None)
    is_lazy = graph is not None and graph() is not None
    is_read_only = bool(getattr(data, "read_only", False))
    return hasattr(data, "__setitem__") and not (is_lazy or is_read_only)
