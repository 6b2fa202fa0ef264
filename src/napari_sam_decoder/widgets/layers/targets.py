"""Labels layers as the place where results are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_sam_decoder.errors import LabelsError
from napari_sam_decoder.labels import label_dtype, merge_labels
from napari_sam_decoder.model.geometry import extent
from napari_sam_decoder.widgets.layers.transforms import WorldMap, placement

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = ["check_target", "foreign_ids", "new_labels_layer", "write_frame"]


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
        What is odd about the layer but does no harm.

    Raises
    ------
    LabelsError
        If it is multiscale, of another shape, cannot be written to, or its type cannot
        hold the ids.
    """
    _check_shape(view, layer)
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


def write_frame(
    view: MovieView,
    layer: Labels,
    frame: int,
    new: np.ndarray,
    object_ids: Collection[int],
    *,
    replace: bool,
) -> bool:
    """Merge the labels of one frame into a layer that `check_target` has passed.

    The layer is not refreshed.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Labels
        Its data are changed in place.
    frame : int
        0 <= frame < len(view).
    new : (Y, X) array of int
        Labels of this run, holding only ``object_ids`` and 0.
    object_ids : collection of int
        The objects of this run: what they had on the frame is given up.
    replace : bool
        Whether new pixels overwrite those of other objects.

    Returns
    -------
    bool
        Whether any pixel has changed.

    Raises
    ------
    LabelsError
        If ``new`` has another shape than the frames.
    """
    index = view.index(frame)
    labels = np.asarray(layer.data[index])
    if labels.shape != new.shape:
        raise LabelsError(
            f"labels of shape {new.shape} do not fit the frames of '{layer.name}' of "
            f"shape {labels.shape}; choose a new labels layer"
        )
    # Merging leaves alone what is the same already, which is most of a picture.
    window = extent(labels != new)
    if window is None:
        return False
    after = merge_labels(labels[window], new[window], object_ids, replace=replace)
    if np.array_equal(labels[window], after):
        return False
    place = list(index)
    for axis, part in zip(view.frame_axes, window, strict=True):
        place[axis] = part
    layer.data[tuple(place)] = after
    return True


def foreign_ids(data: Any) -> frozenset[int]:
    """List the ids in labels, reading one plane of the first axis at a time.

    Parameters
    ----------
    data : array-like of int
        Numpy, zarr or anything else that is read by indexing, with two axes or more.

    Returns
    -------
    frozenset of int
        Without 0.
    """
    is_picture = len(data.shape) == 2
    parts = [slice(None)] if is_picture else range(data.shape[0])
    ids: set[int] = set()
    for part in parts:
        ids |= _ids_in(np.asarray(data[part]))
    return frozenset(ids - {0})


def _ids_in(labels: np.ndarray) -> set[int]:
    """Ids of one plane; only where a run of equal pixels starts is there a new one."""
    flat = labels.ravel()
    if flat.size == 0:
        return set()
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return {int(flat[0]), *np.unique(flat[starts]).tolist()}


def _check_shape(view: MovieView, layer: Labels) -> None:
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
