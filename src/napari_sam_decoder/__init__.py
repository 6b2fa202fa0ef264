"""Segment objects through movies and volumes from a click.

Names are loaded on first use, so that importing the package costs neither torch nor
Qt.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_sam_decoder.embedding import (
        EmbeddedFrame,
    )
    from napari_sam_decoder.errors import (
        CacheCorruptError,
        CacheMismatchError,
        CheckpointError,
        ClosedError,
        DecodingError,
        DownloadError,
        FormatError,
        IncompleteFileWarning,
        LabelsError,
        MissingExtraError,
        MovieError,
        OptionError,
        ProjectError,
        PromptError,
        SamDecoderError,
    )
    from napari_sam_decoder.formats import (
        LabelSink,
        MovieSource,
        PointsTable,
        open_labels,
        open_movie,
        read_points_table,
        read_provenance,
    )
    from napari_sam_decoder.frames import (
        ArrayLike,
        Contrast,
        Movie,
        Window,
    )
    from napari_sam_decoder.jobs import (
        ConvertJob,
        CorrectJob,
        CorrectResult,
        FrameDifference,
        MaskFile,
        ModelLoader,
        MovieOptions,
        Progress,
        Provenance,
        ReplayJob,
        ReplayResult,
        Report,
        ScribbleFile,
        SegmentJob,
        TrainingFrames,
        convert_labels,
        correct_file,
        embed_file,
        no_progress,
        replay_project,
        segment_file,
        summarise,
    )
    from napari_sam_decoder.jobs.train import (
        TrainJob,
        train,
    )
    from napari_sam_decoder.measurements import Measurement, PixelSize, measure
    from napari_sam_decoder.model.sam import (
        Sam,
    )
    from napari_sam_decoder.prompts import (
        PaintedMask,
        Prompt,
        PromptSet,
        Scribble,
        prompts_from_points,
        read_points,
    )
    from napari_sam_decoder.propagation import (
        Direction,
        FrameResult,
        Hypothesis,
        Itinerary,
        Leg,
        ObjectResult,
        Preview,
        Reason,
        Settings,
        Verdict,
    )
    from napari_sam_decoder.samples import (
        SampleClick,
        SampleMovie,
        load_sample,
    )
    from napari_sam_decoder.session import (
        Session,
    )
    from napari_sam_decoder.weights.registry import (
        load_sam,
    )

# No output, unless the user of the package configures logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    "ArrayLike": "frames",
    "CacheCorruptError": "errors",
    "CacheMismatchError": "errors",
    "CheckpointError": "errors",
    "ClosedError": "errors",
    "Contrast": "frames",
    "ConvertJob": "jobs",
    "CorrectJob": "jobs",
    "CorrectResult": "jobs",
    "DecodingError": "errors",
    "Direction": "propagation",
    "DownloadError": "errors",
    "EmbeddedFrame": "embedding",
    "TrainingFrames": "jobs",
    "FormatError": "errors",
    "FrameDifference": "jobs",
    "FrameResult": "propagation",
    "Hypothesis": "propagation",
    "IncompleteFileWarning": "errors",
    "Itinerary": "propagation",
    "LabelSink": "formats",
    "LabelsError": "errors",
    "Leg": "propagation",
    "MaskFile": "jobs",
    "Measurement": "measurements",
    "MissingExtraError": "errors",
    "ModelLoader": "jobs",
    "Movie": "frames",
    "MovieError": "errors",
    "MovieOptions": "jobs",
    "MovieSource": "formats",
    "ObjectResult": "propagation",
    "OptionError": "errors",
    "PaintedMask": "prompts",
    "PixelSize": "measurements",
    "PointsTable": "formats",
    "Preview": "propagation",
    "Progress": "jobs",
    "Prompt": "prompts",
    "ProjectError": "errors",
    "PromptError": "errors",
    "PromptSet": "prompts",
    "Provenance": "jobs",
    "Reason": "propagation",
    "ReplayJob": "jobs",
    "ReplayResult": "jobs",
    "Report": "jobs",
    "Sam": "model.sam",
    "SamDecoderError": "errors",
    "SampleClick": "samples",
    "SampleMovie": "samples",
    "Scribble": "prompts",
    "ScribbleFile": "jobs",
    "SegmentJob": "jobs",
    "Session": "session",
    "Settings": "propagation",
    "TrainJob": "jobs.train",
    "Verdict": "propagation",
    "Window": "frames",
    "convert_labels": "jobs",
    "correct_file": "jobs",
    "embed_file": "jobs",
    "load_sam": "weights.registry",
    "load_sample": "samples",
    "measure": "measurements",
    "no_progress": "jobs",
    "open_labels": "formats",
    "open_movie": "formats",
    "prompts_from_points": "prompts",
    "read_points": "prompts",
    "read_points_table": "formats",
    "read_provenance": "formats",
    "replay_project": "jobs",
    "segment_file": "jobs",
    "summarise": "jobs",
    "train": "jobs.train",
}

__all__ = [
    "ArrayLike",
    "CacheCorruptError",
    "CacheMismatchError",
    "CheckpointError",
    "ClosedError",
    "Contrast",
    "ConvertJob",
    "CorrectJob",
    "CorrectResult",
    "DecodingError",
    "Direction",
    "DownloadError",
    "EmbeddedFrame",
    "FormatError",
    "FrameDifference",
    "FrameResult",
    "Hypothesis",
    "IncompleteFileWarning",
    "Itinerary",
    "LabelSink",
    "LabelsError",
    "Leg",
    "MaskFile",
    "Measurement",
    "MissingExtraError",
    "ModelLoader",
    "Movie",
    "MovieError",
    "MovieOptions",
    "MovieSource",
    "ObjectResult",
    "OptionError",
    "PaintedMask",
    "PixelSize",
    "PointsTable",
    "Preview",
    "Progress",
    "ProjectError",
    "Prompt",
    "PromptError",
    "PromptSet",
    "Provenance",
    "Reason",
    "ReplayJob",
    "ReplayResult",
    "Report",
    "Sam",
    "SamDecoderError",
    "SampleClick",
    "SampleMovie",
    "Scribble",
    "ScribbleFile",
    "SegmentJob",
    "Session",
    "Settings",
    "TrainJob",
    "TrainingFrames",
    "Verdict",
    "Window",
    "convert_labels",
    "correct_file",
    "embed_file",
    "load_sam",
    "load_sample",
    "measure",
    "no_progress",
    "open_labels",
    "open_movie",
    "prompts_from_points",
    "read_points",
    "read_points_table",
    "read_provenance",
    "replay_project",
    "segment_file",
    "summarise",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
