"""Points layers for clicking: the object and the sign of points, and picks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points

from napari_sam_decoder.formats import parse_label
from napari_sam_decoder.widgets.layers.coordinates import placement
from napari_sam_decoder.widgets.layers.points_reading import (
    HYPOTHESIS,
    LABEL,
    OBJECT_ID,
    PointFeatures,
    as_object_id,
    is_on_frame,
)

if TYPE_CHECKING:
    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = [
    "clear_next_hypothesis",
    "new_points_layer",
    "next_object_id",
    "next_sign",
    "pick_hypothesis",
    "remove_object_points",
    "renumber_points",
    "set_next_object",
    "set_sign",
]

POSITIVE, NEGATIVE = "positive", "negative"
BORDER_COLOURS = ("white", "black")
BORDER_WIDTH = 0.25
RELATIVE_SIZE = 0.015


def new_points_layer(
    view: MovieView, object_id: int, colour: np.ndarray, name: str | None = None
) -> Points:
    """Make an empty points layer whose clicks are prompts for one object.

    Parameters
    ----------
    view : MovieView
        The movie to click on; the layer lies where its image lies.
    object_id : int
        1 or more.
    colour : (4,) array of float
        RGBA of the points, 0 to 1.
    name : str, optional
        "object" and its id by default.

    Returns
    -------
    napari.layers.Points
        With the features ``label``, ``object_id`` and ``hypothesis``. Positive points
        have a white border, negative ones a black one.
    """
    ndim = len(view.spatial_shape)
    return Points(
        np.empty((0, ndim)),
        name=name or f"object {object_id}",
        features={
            LABEL: np.array([], dtype=str),
            OBJECT_ID: np.array([], dtype=np.int64),
            HYPOTHESIS: np.array([], dtype=np.int64),
        },
        feature_defaults={LABEL: POSITIVE, OBJECT_ID: object_id, HYPOTHESIS: 0},
        face_color=np.asarray(colour, dtype=float)[np.newaxis],
        border_color=LABEL,
        # In the order in which labels appear, of which the default is the first.
        border_color_cycle=list(BORDER_COLOURS),
        border_width=BORDER_WIDTH,
        size=max(1.0, RELATIVE_SIZE * max(view.frame_shape)),
        **placement(view.layer),
    )


def renumber_points(
    layer: Points, old_id: int, new_id: int, colour: np.ndarray
) -> None:
    """Give the points of an object another id, if they name one.

    Parameters
    ----------
    layer : napari.layers.Points
        Points without the feature ``object_id`` stay as they are.
    old_id, new_id : int
        Of the object.
    colour : (4,) array of float
        RGBA of its points from now on, 0 to 1.
    """
    if OBJECT_ID not in layer.features:
        return
    ids = np.array([as_object_id(one) for one in layer.features[OBJECT_ID]])
    is_meant = ids == old_id
    is_next = next_object_id(layer) == old_id
    if is_meant.any():
        column = layer.features[OBJECT_ID].copy()
        column[is_meant] = new_id
        _set_column(layer, OBJECT_ID, column, layer.feature_defaults[OBJECT_ID].iloc[0])
        colours = np.array(layer.face_color)
        colours[is_meant] = colour
        layer.face_color = colours
    if is_next:
        set_next_object(layer, new_id, colour)


def set_next_object(layer: Points, object_id: int, colour: np.ndarray) -> None:
    """Let the next points belong to an object, if points name theirs.

    Parameters
    ----------
    layer : napari.layers.Points
        Without the feature ``object_id`` all its points are one object.
    object_id : int
        1 or more.
    colour : (4,) array of float
        RGBA of its points, 0 to 1.
    """
    if OBJECT_ID not in layer.features:
        return
    if next_object_id(layer) != object_id:
        # The colour of what is selected would change with that of the next point.
        layer.selected_data = set()
        _set_default(layer, OBJECT_ID, object_id)
        layer.current_face_color = np.asarray(colour, dtype=float)


def next_object_id(layer: Points) -> int | None:
    """Return the object that the next point names; None if it names none."""
    if OBJECT_ID not in layer.feature_defaults:
        return None
    return as_object_id(layer.feature_defaults[OBJECT_ID].iloc[0])


def remove_object_points(layer: Points, object_id: int, own_id: int) -> bool:
    """Remove the points of an object, and return whether any others are left.

    Parameters
    ----------
    layer : napari.layers.Points
        With features as `read_points_layers` reads them.
    object_id : int
        Whose points go.
    own_id : int
        The object of points that name none.
    """
    ids = PointFeatures.of(layer, own_id).object_ids
    meant = {place for place, one in enumerate(ids) if one == object_id}
    if meant:
        layer.selected_data = meant
        layer.remove_selected()
    return len(meant) < len(ids)


def set_sign(layer: Points, is_positive: bool) -> None:
    """Make the points that are added from now on positive or negative.

    Points that are there, selected or not, stay as they are.

    Parameters
    ----------
    layer : napari.layers.Points
        Without the feature ``label``, it is added: its points are positive so far.
    is_positive : bool
        True for points on the object, False for points beside it.
    """
    if LABEL not in layer.features:
        so_far = np.full(len(layer.data), POSITIVE, dtype=object)
        _set_column(layer, LABEL, so_far, POSITIVE)
    column = layer.features[LABEL]
    label = _spelled(column, is_positive)
    if hasattr(column, "cat") and label not in column.cat.categories:
        # napari would store a blank in place of an unknown category.
        widened = column.cat.add_categories([label])
        _set_column(layer, LABEL, widened, layer.feature_defaults[LABEL].iloc[0])
    _set_default(layer, LABEL, label)


def next_sign(layer: Points) -> bool:
    """Whether the point that is added next is positive.

    A label that is not understood counts as negative.
    """
    if LABEL not in layer.feature_defaults:
        return True
    return bool(parse_label(layer.feature_defaults[LABEL].iloc[0]))


def pick_hypothesis(
    view: MovieView,
    layer: Points,
    object_id: int,
    frame: int,
    own_id: int,
    number: int | None,
) -> None:
    """Write the picked hypothesis into the points of an object on a frame.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Points
        Its feature ``hypothesis`` is added if it has none.
    object_id, frame : int
        Whose points are changed.
    own_id : int
        The object of points that name none.
    number : {1, 2, 3} or None
        None to choose automatically again.
    """
    is_chosen = is_on_frame(view, layer, own_id, (object_id, frame))
    if not is_chosen.any():
        return
    picks = (
        layer.features[HYPOTHESIS].tolist()
        if HYPOTHESIS in layer.features
        else [0] * len(layer.data)
    )
    for row in np.flatnonzero(is_chosen):
        picks[row] = number or 0
    _set_column(layer, HYPOTHESIS, picks, 0)


def clear_next_hypothesis(layer: Points) -> None:
    """Let the next point pick no hypothesis.

    napari gives a new point the features of the point that was selected last, but a
    pick is meant for the frame of that point alone.
    """
    if HYPOTHESIS in layer.feature_defaults:
        _set_default(layer, HYPOTHESIS, 0)


def _spelled(column: Any, is_positive: bool) -> Any:
    """Spell a sign in the way of a column, so that its type stays."""
    values = column.cat.categories if hasattr(column, "cat") else column
    if values.dtype.kind == "b":
        return is_positive
    if values.dtype.kind in "iuf":
        return int(is_positive)
    return POSITIVE if is_positive else NEGATIVE


def _set_column(layer: Points, name: str, values: Any, default: Any) -> None:
    """Replace or add a feature; napari would forget the defaults of the others."""
    defaults = layer.feature_defaults.assign(**{name: [default]})
    layer.features = layer.features.assign(**{name: values})
    layer.feature_defaults = defaults


def _set_default(layer: Points, name: str, value: Any) -> None:
    if layer.feature_defaults[name].iloc[0] == value:
        # Setting it draws the layer again.
        return
    layer.feature_defaults = layer.feature_defaults.assign(**{name: [value]})
