from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import distribution
from importlib.resources import files

import npe2
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sam_decoder.formats import LabelSink
from napari_sam_decoder.model.precision import Precision
from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.samples import SAMPLES
from napari_sam_decoder.widgets.commands import COMMANDS
from napari_sam_decoder.widgets.movie_state import ModelOptions

NAME = "napari-sam-decoder"
WIDGET = "Segment through a movie"
PLUGIN_MENU = f"napari/plugins/{NAME}"
MENUS = ("napari/layers/segment", "napari/layers/track", PLUGIN_MENU)
MANIFEST = npe2.PluginManifest.from_file(
    files("napari_sam_decoder").joinpath("napari.yaml")
)
CONTRIBUTIONS = MANIFEST.contributions
WIDGET_COMMANDS = {widget.command for widget in CONTRIBUTIONS.widgets}


def test_the_installed_package_is_found_as_a_plugin():
    assert npe2.PluginManifest.from_distribution(NAME) == MANIFEST
    assert "Framework :: napari" in distribution(NAME).metadata.get_all("Classifier")


@pytest.mark.parametrize(
    "python_name",
    [
        pytest.param(
            command.python_name,
            marks=[pytest.mark.gui] if command.id in WIDGET_COMMANDS else [],
        )
        for command in CONTRIBUTIONS.commands
    ],
)
def test_every_command_imports_without_a_screen(python_name):
    module, name = python_name.split(":")
    script = f"from {module} import {name}; assert callable({name})"
    screenless = os.environ.keys() - {"DISPLAY", "WAYLAND_DISPLAY"}
    subprocess.run(
        [sys.executable, "-c", script],
        env={variable: os.environ[variable] for variable in screenless},
        check=True,
    )


def test_every_command_is_contributed():
    contributed = {
        contribution.command
        for kind in (
            CONTRIBUTIONS.widgets,
            CONTRIBUTIONS.sample_data,
            CONTRIBUTIONS.readers,
            CONTRIBUTIONS.writers,
        )
        for contribution in kind
    }
    for items in CONTRIBUTIONS.menus.values():
        contributed |= {item.command for item in items}
    assert contributed == {command.id for command in CONTRIBUTIONS.commands}


def properties(section):
    return MANIFEST.contributions.configurations[section].properties


def test_the_preferences_are_the_defaults_of_the_dock():
    model = {name: one.default for name, one in properties("model").items()}
    assert model.pop("keep_embeddings") is True
    assert ModelOptions(**model) == ModelOptions()
    assert set(properties("model")["precision"].enum) == set(Precision)


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda one: one.name)
def test_the_preferences_of_propagation_are_its_settings(setting):
    names = [one.name for one in fields(Settings)]
    assert list(properties("propagation")) == names
    preference = properties("propagation")[setting.name]
    assert preference.default == setting.default
    assert preference.python_type is type(setting.default)
    limits = setting.metadata
    assert (preference.minimum, preference.maximum) == (limits["low"], limits["high"])


def test_every_command_has_a_key_in_the_preferences():
    declared = {
        name: (one.title, one.default, one.python_type)
        for name, one in properties("keys").items()
    }
    assert declared == {one.name: (one.title, one.key, str) for one in COMMANDS}


@pytest.fixture
def plugin(npe2pm):
    """napari's registry of plugins with ours alone."""
    npe2pm.register(MANIFEST)
    return npe2pm


@pytest.mark.usefixtures("plugin")
def test_napari_finds_the_reader_for_our_labels_only(tmp_path):
    path = tmp_path / "labels.zarr"
    with LabelSink(path, (2, 4, 5), "uint16") as sink:
        sink.finish({})
    ((_, _, kind),) = npe2.read([str(path)], stack=False)
    assert kind == "labels"
    with pytest.raises(ValueError, match="No readers returned data"):
        npe2.read([str(tmp_path)], stack=False)


@pytest.mark.usefixtures("plugin")
def test_napari_saves_labels_by_our_writer_and_opens_them_again(tmp_path):
    path = str(tmp_path / "saved.zarr")
    viewer = ViewerModel()
    viewer.add_labels(np.full((2, 4, 5), 3), scale=(1, 0.5, 0.5), name="cells")
    assert viewer.layers.save(path) == [path]
    (again,) = viewer.open(path, plugin=NAME)
    np.testing.assert_array_equal(again.data, viewer.layers["cells"].data)
    assert again.scale.tolist() == [1, 0.5, 0.5]
    assert type(again).__name__ == "Labels"


@pytest.mark.slow
@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("name", SAMPLES)
def test_napari_opens_every_sample(name):
    (layer,) = ViewerModel().open_sample(NAME, name)
    assert layer.name == name
    assert layer.metadata["credit"]


def test_every_sample_is_contributed():
    assert {sample.key for sample in CONTRIBUTIONS.sample_data} == set(SAMPLES)


@pytest.mark.gui
@pytest.mark.parametrize("menu", MENUS)
def test_a_menu_entry_opens_the_dock(make_napari_viewer, mock_app_model, npe2pm, menu):
    from napari_sam_decoder.widgets.dock import SamDecoderDock

    viewer = make_napari_viewer()
    npe2pm.register(MANIFEST)
    (entry,) = [
        item.command
        for item in mock_app_model.menus.get_menu(menu)
        if getattr(item, "command", None) and item.command.title.startswith(WIDGET)
    ]
    mock_app_model.commands.execute_command(entry.id).result()
    assert len(viewer.window._qt_window.findChildren(SamDecoderDock)) == 1
