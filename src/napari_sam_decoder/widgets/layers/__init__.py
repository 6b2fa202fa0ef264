"""The only translators between napari's layers and our values; they need no Qt.

Positions in a movie are (frame, row, column) in data pixels of its image layer. World
coordinates are those of the viewer; of more axes than a layer has, the last ones are
its own.
"""

from __future__ import annotations

from napari_sam_decoder.widgets.layers.axes import AxisChoice, axis_choices
from napari_sam_decoder.widgets.layers.clicking import (
    aim_points,
    forget_pick,
    new_points_layer,
    next_object,
    pick_hypothesis,
    remove_object_points,
    renumber_points,
    set_sign,
    sign_of_next,
)
from napari_sam_decoder.widgets.layers.draft import LabelsDraft
from napari_sam_decoder.widgets.layers.guarded_labels import GuardedLabels, Written
from napari_sam_decoder.widgets.layers.label_snapshot import Place
from napari_sam_decoder.widgets.layers.limits import (
    Limits,
    is_automatic,
    shown_limits,
)
from napari_sam_decoder.widgets.layers.points import (
    ObjectPoints,
    PointsReading,
    name_frames,
    read_points_layers,
    unused_notices,
)
from napari_sam_decoder.widgets.layers.preview import preview_layer, show_preview
from napari_sam_decoder.widgets.layers.sliders import (
    covering_layer,
    go_to_frame,
    show_frames,
    slider_point,
)
from napari_sam_decoder.widgets.layers.targets import (
    Edit,
    LabelsContents,
    PackedEdit,
    check_shape,
    check_target,
    frames_with,
    ids_in,
    new_labels_layer,
    survey_labels,
)
from napari_sam_decoder.widgets.layers.tether import PLACING, Tether
from napari_sam_decoder.widgets.layers.transforms import WorldMap
from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = [
    "PLACING",
    "AxisChoice",
    "Edit",
    "GuardedLabels",
    "LabelsContents",
    "LabelsDraft",
    "Limits",
    "MovieView",
    "ObjectPoints",
    "PackedEdit",
    "Place",
    "PointsReading",
    "Tether",
    "WorldMap",
    "Written",
    "aim_points",
    "axis_choices",
    "check_shape",
    "check_target",
    "covering_layer",
    "forget_pick",
    "frames_with",
    "go_to_frame",
    "ids_in",
    "is_automatic",
    "name_frames",
    "new_labels_layer",
    "new_points_layer",
    "next_object",
    "pick_hypothesis",
    "preview_layer",
    "read_points_layers",
    "remove_object_points",
    "renumber_points",
    "set_sign",
    "show_frames",
    "show_preview",
    "shown_limits",
    "sign_of_next",
    "slider_point",
    "survey_labels",
    "unused_notices",
]
