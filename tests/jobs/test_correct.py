from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam_decoder import Prompt, PromptSet
from napari_sam_decoder.formats import LabelSink, open_labels, read_provenance
from napari_sam_decoder.jobs import CorrectJob, MovieOptions, correct_file, no_progress

SHAPE = (6, 48, 64)


@pytest.fixture
def labels(tmp_path):
    """Labels of nothing."""
    with LabelSink(tmp_path / "labels.zarr", SHAPE, np.uint16) as sink:
        sink.finish({})
    return tmp_path / "labels.zarr"


@pytest.fixture
def job(labels, short_sample, tmp_path):
    """Two objects painted side by side on frame 2."""
    np.save(tmp_path / "movie.npy", short_sample.frames)
    movie = MovieOptions(tmp_path / "movie.npy", axes="TYX", cache=None, start=1)
    left, right = np.zeros((2, *SHAPE[1:]), bool)
    left[10:30, 11:20] = right[10:30, 20:31] = True
    prompts = PromptSet([Prompt(1, 2, mask=left), Prompt(2, 2, mask=right)])
    return CorrectJob(movie, labels, prompts)


def test_each_correction_sees_those_before_it(job, tiny_sam):
    correct_file(job, tiny_sam, no_progress)
    frame = open_labels(job.labels)[2]
    for prompt in job.corrections:
        np.testing.assert_array_equal(frame == prompt.object_id, prompt.mask.to_array())


def test_the_report_tells_the_cost(job, tiny_sam):
    result = correct_file(job, tiny_sam, no_progress)
    assert result.frames == 6
    assert result.known_prompts == 0
    assert all(min(frames) >= 1 for frames in result.report.results.values())
    again = correct_file(job, tiny_sam, no_progress)
    assert again.known_prompts == 2


def test_progress_promises_at_least_the_steps_that_come(job, tiny_sam):
    seen = []

    def progress(steps, *, total, what):
        for step in steps:
            seen.append((total, what))
            yield step

    correct_file(job, tiny_sam, progress)
    assert set(seen) == {(10, "correcting")}
    assert 2 <= len(seen) <= 10


@pytest.mark.parametrize(
    ("asked", "used"), [(None, [7.0, 93.0]), ((5, 99), [5.0, 99.0])]
)
def test_the_contrast_is_that_of_the_labels_unless_said_otherwise(
    job, labels, tiny_sam, asked, used
):
    with LabelSink(labels, SHAPE, np.uint16) as sink:
        sink.finish({"contrast": [7, 93]})
    movie = replace(job.movie, contrast=asked)
    correct_file(replace(job, movie=movie), tiny_sam, no_progress)
    assert read_provenance(labels)["contrast"] == used
