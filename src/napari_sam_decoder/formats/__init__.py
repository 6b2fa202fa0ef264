"""Reading movies and prompts from files, writing labels and reports."""

from __future__ import annotations

from napari_sam_decoder.formats.exchange import (
    EXPORT_FORMATS,
    ExportFormat,
    LabelMovie,
    Places,
    TrackTable,
    checked_scale,
    export_format,
    read_label_movie,
    track_table,
)
from napari_sam_decoder.formats.label_files import (
    LabelSink,
    SinkCut,
    open_labels,
    read_all_labels,
    read_provenance,
    require_target,
)
from napari_sam_decoder.formats.movie_source import (
    UNIT_SYMBOLS,
    MovieSource,
    OpenOptions,
    unit_name,
)
from napari_sam_decoder.formats.points_table import (
    MOVIE_COLUMNS,
    PointsTable,
    count_axes,
    is_blank,
    parse_label,
    read_points_by_movie,
    read_points_table,
)
from napari_sam_decoder.formats.readers import (
    is_movie,
    open_movie,
    open_with_options,
)
from napari_sam_decoder.formats.remote import as_movie_path, is_remote

__all__ = [
    "EXPORT_FORMATS",
    "MOVIE_COLUMNS",
    "UNIT_SYMBOLS",
    "ExportFormat",
    "LabelMovie",
    "LabelSink",
    "MovieSource",
    "OpenOptions",
    "Places",
    "PointsTable",
    "SinkCut",
    "TrackTable",
    "as_movie_path",
    "checked_scale",
    "count_axes",
    "export_format",
    "is_blank",
    "is_movie",
    "is_remote",
    "open_labels",
    "open_movie",
    "open_with_options",
    "parse_label",
    "read_all_labels",
    "read_label_movie",
    "read_points_by_movie",
    "read_points_table",
    "read_provenance",
    "require_target",
    "track_table",
    "unit_name",
]
