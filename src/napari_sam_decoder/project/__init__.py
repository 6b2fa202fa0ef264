"""What was done on one movie: kept, undone and redone, and continued another day."""

from __future__ import annotations

from napari_sam_decoder.project.object_record import ObjectRecord
from napari_sam_decoder.project.prompt_rows import PointRow, ShapeRow

__all__ = ["ObjectRecord", "PointRow", "ShapeRow"]
