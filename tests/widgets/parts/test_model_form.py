from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from choosing import choose, current_text, texts
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.weights import catalogue
from napari_sam_decoder.weights.catalogue import MODELS
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.parts import ModelForm

pytestmark = pytest.mark.gui

BUNDLED = "mobile_sam"
OPTIONS = ModelOptions(device="cpu", cache=None)


@pytest.fixture
def layer():
    return Image(np.zeros((2, 4, 5)), contrast_limits=(3, 90), name="movie")


@pytest.fixture
def form(shown, layer):
    form = shown(ModelForm())
    form.show_state(OPTIONS, layer)
    return form


@pytest.fixture
def requested(form, layer, heard):
    """What was requested, and is shown as if it had been granted."""
    requests = heard(form.requested)
    form.requested.connect(lambda options: form.show_state(options, layer))
    return requests


@pytest.fixture
def chosen(form, layer, heard):
    """Models that were chosen, and are shown as if they were used since."""
    models = heard(form.model_chosen)
    form.model_chosen.connect(
        lambda model: form.show_state(replace(form.options, model=model), layer)
    )
    return models


def answer(monkeypatch, name, value):
    """Let a file dialog answer at once."""
    monkeypatch.setattr(QFileDialog, name, lambda *_: value)


def test_the_options_in_force_are_shown(form):
    assert current_text(form.model) == BUNDLED
    assert current_text(form.device) == "CPU"
    assert current_text(form.contrast.box) == "automatic"
    assert current_text(form.cache) == "in memory only"


def test_unusual_options_are_shown_too(form, layer):
    weights, folder = Path("some/weights.pt"), Path("some/embeddings.zarr")
    form.show_state(ModelOptions(weights, "cuda:1", cache=folder), layer)
    assert current_text(form.model) == str(weights)
    assert current_text(form.device) == "cuda:1"
    assert current_text(form.cache) == str(folder)


def test_showing_options_wishes_nothing_and_adds_no_entry_twice(form, layer, requested):
    options = ModelOptions(Path("weights.pt"), cache=Path("folder"))
    form.show_state(options, layer)
    entries = texts(form.model), texts(form.cache)
    form.show_state(OPTIONS, layer)
    form.show_state(options, layer)
    assert (texts(form.model), texts(form.cache)) == entries
    assert requested == []


def test_only_models_that_are_here_are_offered(shown, monkeypatch, tmp_path):
    here = tmp_path / "weights.pt"
    here.touch()
    monkeypatch.setattr(
        catalogue,
        "local_path",
        lambda row: here if row.name in ("mobile_sam", "medsam") else tmp_path / "none",
    )
    form = shown(ModelForm())
    assert texts(form.model) == [BUNDLED, "medsam", "weights file…"]
    assert len(MODELS) > 2


def test_a_model_that_has_arrived_is_offered(shown, monkeypatch, tmp_path):
    paths = {"mobile_sam": tmp_path / "bundled", "sam_vit_b": tmp_path / "b.pth"}
    paths["mobile_sam"].touch()
    none = tmp_path / "none"
    monkeypatch.setattr(catalogue, "local_path", lambda row: paths.get(row.name, none))
    form = shown(ModelForm())
    form.show_state(OPTIONS, None)
    paths["sam_vit_b"].touch()
    form.offer_models()
    form.offer_models()
    assert texts(form.model) == [BUNDLED, "sam_vit_b", "weights file…"]
    assert current_text(form.model) == BUNDLED


def test_all_models_are_asked_for(form, heard, qtbot):
    asked = heard(form.models_requested)
    qtbot.mouseClick(form.models.native, Qt.MouseButton.LeftButton)
    assert len(asked) == 1


def test_without_any_model_here_the_one_in_force_is_shown(shown, monkeypatch, tmp_path):
    monkeypatch.setattr(catalogue, "local_path", lambda _: tmp_path / "none")
    form = shown(ModelForm())
    form.show_state(OPTIONS, None)
    assert texts(form.model) == ["mobile_sam", "weights file…"]
    assert current_text(form.model) == "mobile_sam"


def test_a_device_is_wished(form, requested):
    choose(form.device, "automatic")
    assert requested == [ModelOptions(device="auto", cache=None)]


def test_a_weights_file_is_wished(form, chosen, monkeypatch):
    answer(monkeypatch, "getOpenFileName", ("/somewhere/weights.pt", ""))
    choose(form.model, "weights file…")
    assert chosen == [Path("/somewhere/weights.pt")]
    assert current_text(form.model) == str(Path("/somewhere/weights.pt"))


def test_a_trained_decoder_is_wished(form, requested, monkeypatch):
    assert current_text(form.decoder) == "automatic"
    answer(monkeypatch, "getOpenFileName", ("/somewhere/mine.safetensors", ""))
    choose(form.decoder, "trained file…")
    assert requested[-1].decoder == Path("/somewhere/mine.safetensors")
    answer(monkeypatch, "getOpenFileName", ("", ""))
    choose(form.decoder, "trained file…")
    assert requested[-1].decoder == Path("/somewhere/mine.safetensors")
    assert current_text(form.decoder) == str(Path("/somewhere/mine.safetensors"))


def test_a_cancelled_file_dialog_changes_nothing(form, chosen, monkeypatch):
    answer(monkeypatch, "getOpenFileName", ("", ""))
    choose(form.model, "weights file…")
    assert chosen == [OPTIONS.model]
    assert current_text(form.model) == BUNDLED


def test_a_cache_is_wished(form, requested):
    choose(form.cache, "kept on this computer")
    assert requested == [ModelOptions(device="cpu", cache="auto")]


def test_a_folder_gets_a_cache_of_its_own_name(form, requested, monkeypatch):
    answer(monkeypatch, "getExistingDirectory", "/somewhere")
    choose(form.cache, "folder…")
    assert requested[-1].cache == Path("/somewhere/embeddings.zarr")


def test_a_cancelled_folder_dialog_changes_nothing(form, requested, monkeypatch):
    answer(monkeypatch, "getExistingDirectory", "")
    choose(form.cache, "folder…")
    assert requested[-1] == OPTIONS
    assert current_text(form.cache) == "in memory only"


def test_contrast_of_the_layer_is_wished(form, requested):
    choose(form.contrast.box, "as the layer is shown")
    assert requested == [ModelOptions(device="cpu", contrast=(3, 90), cache=None)]
    assert current_text(form.contrast.box) == "as the layer is shown"


def test_colours_have_no_contrast_to_take_over(form, requested):
    form.show_state(OPTIONS, Image(np.zeros((2, 4, 5, 3), np.uint8), rgb=True))
    choose(form.contrast.box, "as the layer is shown")
    assert requested == [OPTIONS]
    assert current_text(form.contrast.box) == "automatic"


def type_limits(form, low, high, qtbot):
    choose(form.contrast.box, "set by hand")
    for field, text in ((form.contrast.low, low), (form.contrast.high, high)):
        qtbot.keyClicks(field.native, text)
        qtbot.keyClick(field.native, Qt.Key.Key_Return)


def test_limits_are_asked_for_only_where_they_are_set_by_hand(form, requested):
    limits = form.contrast.low.native, form.contrast.high.native
    assert not any(field.isVisible() for field in limits)
    choose(form.contrast.box, "set by hand")
    assert all(field.isVisible() for field in limits)


def test_limits_set_by_hand_are_wished_once_both_are_there(form, requested, qtbot):
    type_limits(form, " 10", "2.5e3", qtbot)
    assert {options.contrast for options in requested[:-1]} == {None}
    assert requested[-1].contrast == (10, 2500)
    assert current_text(form.contrast.box) == "set by hand"


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        ("dark", "9", "must be two numbers, not dark and 9"),
        ("9", "3", "low < high, not 9, 3"),
        ("1", "inf", "finite"),
    ],
)
def test_limits_that_make_no_sense_are_refused(
    form, requested, heard, qtbot, low, high, told
):
    refused = heard(form.refused)
    type_limits(form, low, high, qtbot)
    assert isinstance(refused[-1], OptionError)
    assert told in str(refused[-1])
    assert {options.contrast for options in requested} == {None}


def test_back_to_automatic_contrast(form, requested, qtbot):
    type_limits(form, "1", "2", qtbot)
    choose(form.contrast.box, "as the layer is shown")
    choose(form.contrast.box, "automatic")
    assert requested[-1] == OPTIONS
    assert not form.contrast.low.native.isVisible()


def test_other_options_stay_as_they_were(form, layer, requested):
    form.show_state(ModelOptions("medsam", "cpu", (1.0, 2.0), "folder"), layer)
    choose(form.device, "automatic")
    assert requested == [ModelOptions("medsam", "auto", (1.0, 2.0), "folder")]


def test_contrast_that_a_script_has_set_is_shown(form, layer):
    form.show_state(ModelOptions(contrast=(1.0, 2.0)), layer)
    assert current_text(form.contrast.box) != "automatic"


def test_contrast_of_another_layer_is_not_called_that_of_this_one(form, requested):
    choose(form.contrast.box, "as the layer is shown")
    other = Image(np.zeros((2, 4, 5)), contrast_limits=(0, 7), name="other")
    form.show_state(requested[-1], other)
    is_said = current_text(form.contrast.box) == "as the layer is shown"
    assert not is_said or requested[-1].contrast == (0, 7)
