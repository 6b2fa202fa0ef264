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
    camera_of,
    covering_layer,
    go_to_frame,
    show_frames,
    slider_point,
    view_position,
    zoom_on,
)
from napari_sam_decoder.widgets.layers.labels_layers import (
    check_shape,
    check_target,
    frames_with,
    ids_in,
    labels_layer,
    new_labels_layer,
    scan_labels,
)
from napari_sam_decoder.widgets.layers.movie_view import (
    AxisChoice,
    Limits,
    MovieView,
    axis_choices,
    finest_pixels,
    is_automatic,
    shown_limits,
)
from napari_sam_decoder.widgets.layers.outlines import (
    OUTLINE_NAME,
    Outline,
    new_outline_layer,
    show_outline,
)
from napari_sam_decoder.widgets.layers.paint_strokes import (
    StrokeListener,
    after_strokes,
    before_strokes,
    places_of,
)
from napari_sam_decoder.widgets.layers.prompt_layers import (
    BOXES_NAME,
    MARKER_PIXELS,
    POINTS_NAME,
    LayerRows,
    PromptLayer,
    deselect_drawn,
    fit_to_screen,
    is_mere_click,
    new_boxes_layer,
    new_points_layer,
    next_sign,
    note_sides,
    rows_of,
    selected_objects,
    set_next,
    show_rows,
    tidy,
)

__all__ = [
    "BOXES_NAME",
    "MARKER_PIXELS",
    "OUTLINE_NAME",
    "PLACEMENT_EVENTS",
    "POINTS_NAME",
    "AxisChoice",
    "LayerRows",
    "Limits",
    "MovieView",
    "Outline",
    "PlacementSync",
    "PromptLayer",
    "StrokeListener",
    "WorldMap",
    "after_strokes",
    "axis_choices",
    "before_strokes",
    "camera_of",
    "check_shape",
    "check_target",
    "covering_layer",
    "deselect_drawn",
    "finest_pixels",
    "fit_to_screen",
    "frames_with",
    "go_to_frame",
    "ids_in",
    "is_automatic",
    "is_mere_click",
    "labels_layer",
    "new_boxes_layer",
    "new_labels_layer",
    "new_outline_layer",
    "new_points_layer",
    "next_sign",
    "note_sides",
    "places_of",
    "rows_of",
    "scan_labels",
    "selected_objects",
    "set_next",
    "show_frames",
    "show_outline",
    "show_rows",
    "shown_limits",
    "slider_point",
    "tidy",
    "view_position",
    "zoom_on",
]
