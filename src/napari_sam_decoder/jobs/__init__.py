"""Jobs from files to files, as the commands run them.

`train`, `run_demo` and `run_batch` are in modules of their own, which take longer to
import.
"""

from __future__ import annotations

from napari_sam_decoder.jobs.convert import ConvertJob, convert_labels
from napari_sam_decoder.jobs.correct import (
    CorrectJob,
    CorrectResult,
    correct_each,
    correct_file,
)
from napari_sam_decoder.jobs.embed import embed_file
from napari_sam_decoder.jobs.inputs import MaskFile, MovieOptions, ScribbleFile
from napari_sam_decoder.jobs.join import JoinJob, join_labels
from napari_sam_decoder.jobs.outputs import Progress, no_progress
from napari_sam_decoder.jobs.positions import segment_each
from napari_sam_decoder.jobs.project_work import stored_model
from napari_sam_decoder.jobs.provenance import Provenance
from napari_sam_decoder.jobs.recompute import FrameDifference
from napari_sam_decoder.jobs.replay import (
    ModelLoader,
    ReplayJob,
    ReplayResult,
    movie_as_read,
    project_movie,
    replay_project,
)
from napari_sam_decoder.jobs.reports import Report, summarise
from napari_sam_decoder.jobs.segment import SegmentJob, segment_file
from napari_sam_decoder.jobs.training_frames import TrainingFrames
from napari_sam_decoder.jobs.whole_movie import WholeMovie, whole_movie

__all__ = [
    "ConvertJob",
    "CorrectJob",
    "CorrectResult",
    "FrameDifference",
    "JoinJob",
    "MaskFile",
    "ModelLoader",
    "MovieOptions",
    "Progress",
    "Provenance",
    "ReplayJob",
    "ReplayResult",
    "Report",
    "ScribbleFile",
    "SegmentJob",
    "TrainingFrames",
    "WholeMovie",
    "convert_labels",
    "correct_each",
    "correct_file",
    "embed_file",
    "join_labels",
    "movie_as_read",
    "no_progress",
    "project_movie",
    "replay_project",
    "segment_each",
    "segment_file",
    "stored_model",
    "summarise",
    "whole_movie",
]
