"""Segment all movies of a folder: what is missing, and only that."""

from __future__ import annotations

from napari_sam_decoder.jobs.batch.cluster import (
    connect,
    local_workers,
    run_batch_on,
)
from napari_sam_decoder.jobs.batch.job import BatchJob
from napari_sam_decoder.jobs.batch.outcomes import (
    BatchResult,
    MovieOutcome,
    MovieStatus,
)
from napari_sam_decoder.jobs.batch.records import MovieRecord, ObjectSummary, Picture
from napari_sam_decoder.jobs.batch.run import run_batch

__all__ = [
    "BatchJob",
    "BatchResult",
    "MovieOutcome",
    "MovieRecord",
    "MovieStatus",
    "ObjectSummary",
    "Picture",
    "connect",
    "local_workers",
    "run_batch",
    "run_batch_on",
]
