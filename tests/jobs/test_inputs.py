from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam_decoder import MaskFile, MovieOptions, PromptSet, SegmentJob, TrainJob
from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.jobs import (
    ConvertJob,
    CorrectJob,
    JoinJob,
    ReplayJob,
    convert_labels,
    correct_each,
    correct_file,
    embed_file,
    join_labels,
    replay_project,
    segment_each,
    segment_file,
)
from napari_sam_decoder.jobs.batch import BatchJob, run_batch
from napari_sam_decoder.jobs.train import train

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


MASK = Path("mask.png")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SegmentJob("m.tif", PromptSet(), "o.tif"), "movie= must be a MovieO"),
        (lambda: SegmentJob(MOVIE, [], "o.tif"), "prompts= must be a PromptSet"),
        (lambda: SegmentJob(MOVIE, PromptSet(), "o.tif", sources="p.csv"), "sources="),
        (lambda: SegmentJob(MOVIE, PromptSet(), "o.tif", masks=[MASK]), "a MaskFile"),
        (lambda: SegmentJob(MOVIE, PromptSet(), "o.tif", objects=2), "objects= must"),
        (lambda: SegmentJob(MOVIE, PromptSet(), "o.tif", settings=None), "settings="),
        (lambda: CorrectJob(MOVIE, "l.tif", 3), "corrections= must be a PromptSet"),
        (lambda: CorrectJob(MOVIE, "l.tif", PromptSet(), painted=[3]), "painted="),
        (lambda: BatchJob("movies", "o"), "movies= must be a MovieOptions"),
        (lambda: TrainJob(MOVIE, "l.tif", "d.safetensors", fixed=3), "fixed= must be"),
        (lambda: TrainJob(MOVIE, "l.tif", "d.safetensors", fixed=[0.5]), "fixed= must"),
        (lambda: ConvertJob("l.tif", "o.csv", scale=3), "scale= takes a number"),
        (lambda: ConvertJob("l.tif", "o.csv", scale="abc"), "scale= must be finite"),
        (lambda: ConvertJob("l.tif", "o.csv", unit=3), "unit= must be a str"),
        (lambda: JoinJob("l.tif", "o.tif"), "parts= must be several"),
        (lambda: ReplayJob("p.samproject", "o.tif", movie="m.tif"), "movie= must be"),
    ],
)
def test_a_job_names_the_field_that_is_something_else(make, message):
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (segment_file, "SegmentJob"),
        (segment_each, "SegmentJob"),
        (correct_file, "CorrectJob"),
        (correct_each, "CorrectJob"),
        (convert_labels, "ConvertJob"),
        (join_labels, "JoinJob"),
        (replay_project, "ReplayJob"),
        (train, "TrainJob"),
        (run_batch, "BatchJob"),
        (embed_file, "MovieOptions"),
    ],
)
@pytest.mark.parametrize("job", ["movie.tif", 3, None])
def test_what_is_no_job_is_refused(start, kind, job):
    with pytest.raises(OptionError, match=f"a job must be a {kind}, not"):
        start(job)


def test_lists_are_as_good_as_tuples():
    job = SegmentJob(MOVIE, PromptSet(), "o.tif", masks=[MaskFile(MASK)], auto=[0, 4])
    assert job.masks == (MaskFile(MASK),)
    assert job.auto == (0, 4)


@pytest.mark.parametrize("unit", ["um", "µm", "micron", "micrometer", " Micrometre"])
def test_a_unit_has_one_spelling(unit):
    assert ConvertJob("l.tif", "o.csv", unit=unit).unit == "micrometer"


def test_a_unit_that_no_format_knows_is_refused():
    with pytest.raises(OptionError, match=r"no unit 'foo'; use one of .*micrometer"):
        ConvertJob("l.tif", "o.ome.tif", unit="foo")
