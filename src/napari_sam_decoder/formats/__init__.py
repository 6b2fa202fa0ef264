"""Reading movies and prompts from files, writing labels and reports."""

from __future__ import annotations

from napari_sam_decoder.formats.label_sink import LabelSink
from napari_sam_decoder.formats.labels_file import open_labels, read_provenance
from napari_sam_decoder.formats.readers import open_movie
from napari_sam_decoder.formats.source import MovieSource
from napari_sam_decoder.formats.tables import PointsTable, read_points
from napari_sam_decoder.formats.target import require_target

__all__ = [
    "LabelSink",
    "MovieSource",
    "PointsTable",
    "open_labels",
    "open_movie",
    "read_points",
    "read_provenance",
    "require_target",
]
