"""What goes wrong with files, see `napari_sam_decoder.failures`."""

from __future__ import annotations

from napari_sam_decoder.failures import first_line, reading, writing

__all__ = ["first_line", "reading", "writing"]
