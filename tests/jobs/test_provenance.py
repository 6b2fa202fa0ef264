from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder import Prompt, Scribble, Session, Settings
from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.formats import LabelSink
from napari_sam_decoder.jobs.inputs import MovieOptions
from napari_sam_decoder.jobs.provenance import Provenance, record_provenance

MASK = np.eye(5, 7, dtype=bool)
PROMPTS = (
    Prompt(1, 0, [(1.5, 2)], [False], box=(0, 0, 3, 3), hypothesis=2),
    Prompt(1, 2, mask=MASK),
    Prompt(4, 1, mask=np.zeros_like(MASK)),
    Prompt(
        5,
        1,
        [(1, 2)],
        lasso=[(0, 0), (0, 5), (4, 2.5)],
        scribbles=[Scribble(MASK), Scribble(~MASK, is_positive=False, after=1)],
    ),
)


@pytest.fixture(params=["labels.tif", "labels.zarr"])
def note(request, tmp_path):
    """Write empty labels with a provenance and return their path."""

    def write(provenance):
        path = tmp_path / request.param
        with LabelSink(path, (3, 5, 7), np.uint8) as sink:
            sink.finish(provenance)
        return path

    return write


def test_what_is_described_is_read_back(note, tiny_sam, tmp_path):
    settings = Settings(doubtful_below=0.7, patience=2)
    movie = np.zeros((3, 5, 7), np.uint8)
    options = MovieOptions(tmp_path / "movie.tif", channel="GFP", series=1)
    with Session(movie, model=tiny_sam, settings=settings) as session:
        noted = record_provenance(session, options, range(1, 3), PROMPTS)
    assert noted["movie"] == "movie.tif"
    assert (noted["channel"], noted["series"]) == ("GFP", 1)
    assert noted["frames"] == [1, 3]
    origin = Provenance.read(note(noted))
    assert tuple(origin.prompts) == PROMPTS
    assert origin.settings == settings


@pytest.mark.parametrize(
    ("noted", "contrast"), [([-50, 200], (-50, 200)), ([0, 0], None), (None, None)]
)
def test_the_contrast_is_read_back(note, noted, contrast):
    assert Provenance.read(note({"contrast": noted})).contrast == contrast


def test_a_contrast_that_is_none_names_the_remedy(note):
    with pytest.raises(LabelsError, match="cannot be read"):
        Provenance.read(note({"contrast": ["black"]}))


def test_labels_of_other_programs_say_nothing(note):
    origin = Provenance.read(note({}))
    assert not len(origin.prompts)
    assert origin.settings == Settings()


def test_settings_of_other_versions_are_left_out(note):
    noted = {"settings": {"patience": 3, "courage": 0.5}}
    assert Provenance.read(note(noted)).settings == Settings(patience=3)


def test_notes_from_before_there_were_masks_are_read(note):
    entry = {"object_id": 1, "frame": 0, "points": [[1, 2]], "labels": [True]}
    origin = Provenance.read(note({"prompts": [entry]}))
    assert tuple(origin.prompts) == (Prompt(1, 0, [(1, 2)]),)


@pytest.mark.parametrize(
    "noted",
    [
        {"prompts": 3},
        {"prompts": ["one"]},
        {"prompts": [{"object_id": 1}]},
        {"prompts": [{"object_id": 1, "frame": 0, "colour": "red"}]},
        {"prompts": [{"object_id": 0, "frame": 0, "points": [[1, 2]]}]},
        {"prompts": [{"object_id": 1, "frame": 0, "mask": {"shape": [5, 7]}}]},
        {
            "prompts": [
                {"object_id": 1, "frame": 0, "mask": {"shape": [5, 7], "runs": [3, 4]}}
            ]
        },
        {"contrast": [0, 10**400]},
        {"settings": 3},
        {"settings": {"patience": "long"}},
        {"settings": {"patience": -1}},
    ],
)
def test_what_cannot_be_read_names_the_remedy(note, noted):
    with pytest.raises(LabelsError, match="with --prompts"):
        Provenance.read(note(noted))


def test_other_formats_are_refused(tmp_path):
    with pytest.raises(FormatError, match=r"ends in \.zarr"):
        Provenance.read(tmp_path / "labels.npy")
