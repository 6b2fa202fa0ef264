"""Reading movies and prompts from files, writing labels and reports."""

from __future__ import annotations

from napari_sam_decoder.formats.label_sink import LabelSink
from napari_sam_decoder.formats.labels_file import open_labels, read_provenance
from napari_sam_decoder.formats.readers import open_movie
from napari_sam_decoder.formats.source import MovieSource
from napari_sam_decoder.formats.tables import (
    PointsTable,
    is_blank,
    parse_label,
    read_points,
)
from napari_sam_decoder.formats.target import require_target

__all__ = [
    "LabelSink",
    "MovieSource",
    "PointsTable",
    "is_blank",
    "open_labels",
    "open_movie",
    "parse_label",
    "read_points",
    "read_provenance",
    "require_target",
]
