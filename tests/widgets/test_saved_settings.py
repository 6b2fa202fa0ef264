from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from napari_sam_decoder import Settings
from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.saved_settings import (
    DockSettings,
    read_settings,
    settings_of,
    settings_values,
    write_settings,
)

UNUSUAL = DockSettings(
    ModelOptions(
        model=Path("some/weights.pt"),
        device="cuda:1",
        contrast=(1.5, 200.0),
        cache=Path("somewhere/embeddings.zarr"),
        decoder=Path("some/mine.safetensors"),
        precision="bfloat16",
    ),
    Settings(0.7, 0.2, -0.1, 9, 0.5),
    only_current=True,
    replace=True,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "settings.json"


@pytest.mark.parametrize(
    "settings",
    [
        DockSettings(),
        DockSettings(ModelOptions("medsam", cache=None, decoder="sharp")),
        UNUSUAL,
    ],
)
def test_settings_are_read_as_they_were_written(path, settings):
    write_settings(path, settings)
    assert read_settings(path) == settings


def changed(**changes):
    """The usual settings as JSON, with changes at "section__name"."""
    values = {
        "model": {
            "model": "mobile_sam",
            "device": "auto",
            "contrast": None,
            "cache": "auto",
            "decoder": "auto",
            "precision": "auto",
        },
        "propagation": dict(vars(Settings())),
        "only_current": False,
        "replace": False,
    }
    for place, value in changes.items():
        *section, name = place.split("__")
        (values[section[0]] if section else values)[name] = value
    return json.dumps(values)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expecting value"),
        ("[1, 2]", "no object"),
        ("{}", "missing or unknown: model, only_current"),
        (changed(model="mobile_sam"), "no object"),
        (changed(colour="red"), "missing or unknown: colour"),
        (changed(model__speed=3), "missing or unknown: speed"),
        (changed(model__model=7), "model must be a text, not 7"),
        (changed(model__device=""), "device must be a text"),
        (changed(model__precision="float8"), "there is no precision 'float8'"),
        (changed(model__cache=False), "cache must be a text"),
        (changed(model__contrast=[3, 1]), "low < high"),
        (changed(model__contrast="high"), "contrast"),
        (changed(propagation__stabilise=2), "stabilise must lie in 0..1"),
        (changed(propagation__patience="long"), "patience must be a whole number"),
        (changed(replace="no"), "replace"),
        (changed(model__contrast=[0, float("nan")]), "contrast"),
    ],
)
def test_a_file_that_holds_anything_else_is_refused(path, text, told):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError) as caught:
        read_settings(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert "choose a file that 'Save settings…' has written" in str(caught.value)


def test_the_usual_settings_are_read_from_plain_json(path):
    path.write_text(changed(), encoding="utf-8")
    assert read_settings(path) == DockSettings()


def test_bytes_that_are_no_text_are_refused(path):
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="cannot be read as settings"):
        read_settings(path)


def test_a_file_that_is_not_there_is_refused(path):
    with pytest.raises(FormatError, match="choose a file"):
        read_settings(path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FormatError, match="choose another folder"):
        write_settings(tmp_path / "none" / "settings.json", DockSettings())


def test_settings_that_cannot_be_written_leave_the_old_ones(path, monkeypatch):
    write_settings(path, UNUSUAL)

    def fail(*_, **__):
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(FormatError, match="disk is full"):
        write_settings(path, DockSettings())
    assert os.listdir(path.parent) == [path.name]
    assert read_settings(path) == UNUSUAL


def test_what_belongs_to_one_movie_or_run_is_not_kept_for_another():
    kept = UNUSUAL.for_another_movie()
    assert (kept.model.contrast, kept.model.cache) == (None, "auto")
    assert (kept.only_current, kept.replace) == (False, False)
    assert kept.propagation == UNUSUAL.propagation
    assert kept.model.model == UNUSUAL.model.model


def test_what_an_earlier_version_has_saved_is_read():
    values = settings_values(DockSettings())
    del values["propagation"]["smallest_window"]
    assert settings_of(values) == DockSettings()
