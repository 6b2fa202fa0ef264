"""Whole jobs from files to files, as the command line offers them.

The one for the demonstration is in `napari_sam_decoder.jobs.demo`: it draws pictures,
and what that needs takes a while to import.
"""

from __future__ import annotations

from napari_sam_decoder.jobs.correct import CorrectJob, CorrectReport, correct_file
from napari_sam_decoder.jobs.embed import embed_file
from napari_sam_decoder.jobs.inputs import MaskFile, MovieOptions
from napari_sam_decoder.jobs.outputs import Progress, silently
from napari_sam_decoder.jobs.reports import ObjectHistory, summarise
from napari_sam_decoder.jobs.segment import SegmentJob, segment_file

__all__ = [
    "CorrectJob",
    "CorrectReport",
    "MaskFile",
    "MovieOptions",
    "ObjectHistory",
    "Progress",
    "SegmentJob",
    "correct_file",
    "embed_file",
    "segment_file",
    "silently",
    "summarise",
]
