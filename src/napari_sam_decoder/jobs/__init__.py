"""Whole jobs from files to files, as the command line offers them."""

from __future__ import annotations

from napari_sam_decoder.jobs.correct import CorrectJob, CorrectReport, correct_file
from napari_sam_decoder.jobs.demo import DemoFiles, DemoReport, run_demo
from napari_sam_decoder.jobs.embed import embed_file
from napari_sam_decoder.jobs.history import ObjectHistory, summarise
from napari_sam_decoder.jobs.masks import MaskFile
from napari_sam_decoder.jobs.movie import MovieOptions
from napari_sam_decoder.jobs.progress import Progress, silently
from napari_sam_decoder.jobs.segment import SegmentJob, segment_file

__all__ = [
    "CorrectJob",
    "CorrectReport",
    "DemoFiles",
    "DemoReport",
    "MaskFile",
    "MovieOptions",
    "ObjectHistory",
    "Progress",
    "SegmentJob",
    "correct_file",
    "embed_file",
    "run_demo",
    "segment_file",
    "silently",
    "summarise",
]
