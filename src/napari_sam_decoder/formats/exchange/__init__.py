"""Labels in the formats of other programs.

Each format is a function that writes a `LabelMovie` frame by frame, and yields each
when it is done. Files and folders appear whole or not at all.
"""

from __future__ import annotations

from napari_sam_decoder.formats.exchange.export import (
    EXPORT_FORMATS,
    ExportFormat,
    export_format,
)
from napari_sam_decoder.formats.exchange.label_movie import LabelMovie, checked_scale
from napari_sam_decoder.formats.exchange.label_reading import read_label_movie
from napari_sam_decoder.formats.exchange.tracklets import Places
from napari_sam_decoder.formats.exchange.tracks import TrackTable, track_table

__all__ = [
    "EXPORT_FORMATS",
    "ExportFormat",
    "LabelMovie",
    "Places",
    "TrackTable",
    "checked_scale",
    "export_format",
    "read_label_movie",
    "track_table",
]
