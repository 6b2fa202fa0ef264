from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam_decoder import MaskFile, MovieOptions, PromptSet, SegmentJob, TrainJob
from napari_sam_decoder.errors import OptionError

MOVIE = MovieOptions("movie.tif")


def test_files_may_be_given_as_text():
    assert MOVIE.path == MaskFile(Path("movie.tif")).path == Path("movie.tif")
    job = SegmentJob(MOVIE, PromptSet(), "labels.tif", report="~/report.csv")
    assert job.output == Path("labels.tif")
    assert job.report == Path.home() / "report.csv"
    assert TrainJob(MOVIE, "labels.tif", "mine.safetensors").folder.parent == Path()


@pytest.mark.parametrize("path", [3, None, "", b"labels.tif", ["labels.tif"]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(OptionError, match="output="):
        SegmentJob(MOVIE, PromptSet(), path)


@pytest.mark.parametrize("each", [3, 0.5, object()])
def test_axes_that_are_no_axes_are_refused(each):
    with pytest.raises(OptionError, match="each= takes the letters of axes"):
        MovieOptions("movie.tif", each=each)


def test_a_job_shows_no_pixels():
    job = SegmentJob(MOVIE, PromptSet(), "labels.tif")
    assert "MovieOptions" in repr(job)
    assert len(repr(job)) < 1200
