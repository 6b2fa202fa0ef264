"""Which keys the commands of the docks may have."""

from __future__ import annotations

import pytest

pytest.importorskip("qtpy")
pytestmark = pytest.mark.gui

from qtpy.QtWidgets import QMainWindow  # noqa: E402

from napari_sam_decoder.errors import OptionError  # noqa: E402
from napari_sam_decoder.widgets.commands import DEFAULT_KEYS  # noqa: E402
from napari_sam_decoder.widgets.keys import (  # noqa: E402
    as_key,
    require_free,
    taken_by_napari,
    usable_keys,
)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("alt+n", "Alt+N"),
        ("Shift+Alt+J", "Alt+Shift+J"),
        ("Alt+.", "Alt+."),
        ("Ctrl++", "Ctrl++"),
        ("q", "Q"),
        ("F5", "F5"),
        ("Ctrl+Up", "Ctrl+Up"),
        (" ", ""),
    ],
)
def test_a_key_is_spelled_in_one_way(qapp, text, key):
    assert as_key(text) == key


@pytest.mark.parametrize("text", ["nonsense", "Alt+", "Ctrl+K, Ctrl+C"])
def test_what_is_no_key_is_refused(qapp, text):
    with pytest.raises(OptionError, match=r"no key: write one such as Alt\+N"):
        as_key(text)


@pytest.mark.parametrize("text", ["Tab", "Return", "Shift+Up", "Esc", "Del", "Space"])
def test_fields_and_tables_keep_the_keys_to_move_in_them(qapp, text):
    with pytest.raises(OptionError, match="hold Ctrl or Alt with it"):
        as_key(text)


def test_the_usual_keys_can_be_used(qapp):
    assert usable_keys({}) == (DEFAULT_KEYS, ())
    assert {key: as_key(key) for key in DEFAULT_KEYS.values()} == {
        key: key for key in DEFAULT_KEYS.values()
    }


def test_a_kept_key_that_cannot_be_used_is_told(qapp):
    keys, wrong = usable_keys({"new_object": "nonsense", "stop": "Alt+J"})
    assert keys["new_object"] == ""
    assert keys["stop"] == "Alt+J"
    assert keys["next_doubtful"] == "", "its usual key is that of another command"
    assert len(wrong) == 2
    assert all("'Keys…'" in text for text in wrong)
    assert "'New object' has no key now: 'nonsense' is no key" in wrong[0]


def test_a_key_of_another_command_is_refused(qapp):
    keys = dict(DEFAULT_KEYS)
    with pytest.raises(OptionError, match=r"'Stop': choose another, or change that"):
        require_free("new_object", "Alt+.", keys, {})
    require_free("stop", "Alt+.", keys, {})
    require_free("new_object", "", keys | {"stop": ""}, {})


def test_what_napari_does_is_refused_unless_it_is_the_usual_key(qapp):
    taken = {"Alt+S": "napari (save)", "Alt+Q": "napari (quit)"}
    require_free("scribble", "Alt+S", DEFAULT_KEYS, taken)
    with pytest.raises(OptionError, match=r"Alt\+Q is taken by napari \(quit\)"):
        require_free("scribble", "Alt+Q", DEFAULT_KEYS, taken)


def test_napari_has_keys_of_layers_settings_menus_and_plugins(viewer, qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    menu = window.menuBar().addMenu("&Plugins")
    menu.addAction("&Cut the cake").setShortcut("Ctrl+Alt+X")
    viewer.bind_key("Control-Alt-P", lambda _: None)
    taken = taken_by_napari(viewer, window)
    assert taken["Alt+P"] == "napari (menu 'Plugins')"
    assert taken["Ctrl+Alt+X"] == "napari ('Cut the cake' in its menus)"
    assert taken["Ctrl+Alt+P"] == "the viewer"
    assert taken["Ctrl+R"] == "napari (reset view)"
