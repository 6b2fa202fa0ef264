"""The only translators between napari's layers and our values; they need no Qt.

Positions in a movie are (frame, row, column) in data pixels of its image layer. World
coordinates are those of the viewer; of more axes than a layer has, the last ones are
its own.
"""

from __future__ import annotations

from napari_sam_decoder.widgets.layers.coordinates import (
    PLACEMENT_EVENTS,
    PlacementSync,
    WorldMap,
    covering_layer,
    go_to_frame,
    show_frames,
    slider_point,
)
from napari_sam_decoder.widgets.layers.labels_layers import (
    LabelsContents,
    check_shape,
    check_target,
    frames_with,
    ids_in,
    new_labels_layer,
    scan_labels,
)
from napari_sam_decoder.widgets.layers.movie_view import (
    AxisChoice,
    Limits,
    MovieView,
    axis_choices,
    is_automatic,
    shown_limits,
)
from napari_sam_decoder.widgets.layers.paint_strokes import (
    StrokeListener,
    after_strokes,
    before_strokes,
    places_of,
)
from napari_sam_decoder.widgets.layers.points_layers import (
    clear_next_hypothesis,
    new_points_layer,
    next_object_id,
    next_sign,
    pick_hypothesis,
    remove_object_points,
    renumber_points,
    set_next_object,
    set_sign,
)
from napari_sam_decoder.widgets.layers.points_reading import (
    ObjectPoints,
    PointsReading,
    name_frames,
    read_points_layers,
    unused_notices,
)

__all__ = [
    "PLACEMENT_EVENTS",
    "AxisChoice",
    "LabelsContents",
    "Limits",
    "MovieView",
    "ObjectPoints",
    "PlacementSync",
    "PointsReading",
    "StrokeListener",
    "WorldMap",
    "after_strokes",
    "axis_choices",
    "before_strokes",
    "check_shape",
    "check_target",
    "clear_next_hypothesis",
    "covering_layer",
    "frames_with",
    "go_to_frame",
    "ids_in",
    "is_automatic",
    "name_frames",
    "new_labels_layer",
    "new_points_layer",
    "next_object_id",
    "next_sign",
    "pick_hypothesis",
    "places_of",
    "read_points_layers",
    "remove_object_points",
    "renumber_points",
    "scan_labels",
    "set_next_object",
    "set_sign",
    "show_frames",
    "shown_limits",
    "slider_point",
    "unused_notices",
]
