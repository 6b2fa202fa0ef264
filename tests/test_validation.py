"""What every part of the public API takes for a number, a flag or a path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam_decoder import Movie, Settings, load_sample, validation
from napari_sam_decoder.errors import (
    FormatError,
    MovieError,
    OptionError,
    SamDecoderError,
)
from napari_sam_decoder.formats import (
    open_labels,
    open_movie,
    read_points_table,
    read_provenance,
)
from napari_sam_decoder.jobs import MaskFile, MovieOptions
from napari_sam_decoder.training.loop import Schedule
from napari_sam_decoder.weights.registry import load_sam


def arguments_place(value):
    return validation.as_expanded_path(value, "it", FormatError)


@pytest.mark.parametrize(
    "value", [3, np.int8(3), np.uint64(3), np.array(3), torch.tensor(3)]
)
def test_whole_numbers(value):
    found = validation.as_integer(value, "it", OptionError)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize(
    "value",
    [
        *(3.0, np.float32(3), "3", None, np.nan, [3], np.array([3, 4])),
        *(True, np.True_, np.array(True), torch.tensor(True)),
    ],
)
def test_what_is_no_whole_number(value):
    with pytest.raises(OptionError, match="it must be a whole number, not"):
        validation.as_integer(value, "it", OptionError)


def test_text():
    assert validation.as_text(np.array(["one"])[0], "a name", OptionError) == "one"
    with pytest.raises(OptionError, match="a name must be text, not 5"):
        validation.as_text(5, "a name", OptionError)


@pytest.mark.parametrize("digits", [40, 5000])
def test_numbers_too_large_to_be_shown_are_refused(digits):
    for take in (validation.as_integer, validation.as_finite_number):
        with pytest.raises(OptionError, match="too large"):
            take(10**digits, "it", OptionError)


@pytest.mark.parametrize("value", [0.5, 1, np.float16(0.5), torch.tensor(0.5)])
def test_finite_numbers(value):
    found = validation.as_finite_number(value, "it", OptionError)
    assert (found, type(found)) == (float(value), float)


@pytest.mark.parametrize(
    "value", [np.nan, -np.inf, "1", None, True, 1j, [0.5], [[1], [2, 3]]]
)
def test_what_is_no_finite_number(value):
    with pytest.raises(OptionError, match="it must"):
        validation.as_finite_number(value, "it", OptionError)


def test_a_number_that_is_still_being_trained_is_refused():
    with pytest.raises(OptionError, match="it must form one array"):
        validation.as_finite_array(torch.ones(2, requires_grad=True), "it", OptionError)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Settings(stabilise=np.nan),
        lambda: Settings(stabilise=True),
        lambda: Settings(doubtful_below="0.6"),
        lambda: Settings(unlike_below=None),
        lambda: Settings(patience=1.5),
        lambda: Settings(patience=np.nan),
        lambda: Settings(patience=True),
        lambda: load_sam(5),
        lambda: load_sam(decoder=None),
        lambda: load_sam(device=1.5),
        lambda: load_sam(precision=16),
        lambda: load_sample(5),
        lambda: load_sample(seed=1.5),
        lambda: Schedule(steps=1.5),
        lambda: Schedule(steps=0),
        lambda: Schedule(steps=5, rate=np.nan),
        lambda: Schedule(steps=5, rate=-1.0),
        lambda: Schedule(steps=5, seed=-1),
        lambda: Schedule(steps=5, save_every=0),
    ],
)
def test_options_that_are_no_such_numbers_are_refused(call):
    with pytest.raises(OptionError):
        call()


@pytest.mark.parametrize(
    "frames", [{"start": 0.5}, {"start": True}, {"stop": 2.0}, {"start": -1}]
)
def test_frames_of_a_job_are_whole_numbers(tmp_path, frames):
    np.save(tmp_path / "movie.npy", np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(OptionError):
        MovieOptions(tmp_path / "movie.npy", **frames).read()


def test_the_frame_of_a_mask_is_a_whole_number(tmp_path):
    np.save(tmp_path / "mask.npy", np.ones((8, 8), np.uint8))
    with pytest.raises(OptionError, match=r"the frame of .*mask\.npy must be a whole"):
        MaskFile(Path(tmp_path / "mask.npy"), 1.5).prompts(4)


@pytest.mark.parametrize("value", [None, 3, b"name", "", ["name"], np.zeros(3)])
@pytest.mark.parametrize(
    "take",
    [open_movie, read_points_table, open_labels, read_provenance, arguments_place],
)
def test_what_is_no_path(take, value):
    with pytest.raises(SamDecoderError, match="must be a name or a path, not"):
        take(value)


@pytest.mark.parametrize("take", [open_movie, read_points_table, open_labels])
def test_a_home_of_nobody(take):
    with pytest.raises(FormatError, match="names the home of an unknown user"):
        take("~nobody-of-this-name/it.tif")


def test_an_open_file_is_no_array(tmp_path):
    np.save(tmp_path / "movie.npy", np.zeros((2, 3, 4)))
    with (
        (tmp_path / "movie.npy").open("rb") as file,
        pytest.raises(MovieError, match="convert the movie"),
    ):
        Movie(file)
