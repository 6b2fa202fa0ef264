from __future__ import annotations

import pytest

pytest.importorskip("napari.components")

from napari.components import ViewerModel
from napari.utils.key_bindings import KeymapHandler

from napari_sam_decoder.widgets.key_bindings import bind_keys, release_keys


class Keyboard:
    """Presses keys on a viewer, and notes what they call."""

    def __init__(self):
        self.viewer = ViewerModel()
        self.called = []
        self._handler = KeymapHandler()
        self._handler.keymap_providers = [self.viewer]

    def actions(self, *keys):
        return {key: lambda key=key: self.called.append(key) for key in keys}

    def press(self, *keys):
        for key in keys:
            self._handler.press_key(key)
            self._handler.release_key(key)
        called, self.called = self.called, []
        return called


@pytest.fixture
def keyboard():
    return Keyboard()


def test_each_key_calls_its_own_action(keyboard):
    bind_keys(keyboard.viewer, keyboard.actions("Alt-1", "Alt-N", "Alt-."))
    assert keyboard.press("Alt-N", "Alt-1", "Alt-.", "N") == ["Alt-N", "Alt-1", "Alt-."]


def test_released_keys_call_nothing(keyboard):
    before = bind_keys(keyboard.viewer, keyboard.actions("Alt-1", "Alt-N"))
    release_keys(keyboard.viewer, before)
    assert keyboard.press("Alt-N", "Alt-1") == []


def test_keys_of_others_stay(keyboard):
    keyboard.viewer.bind_key("Alt-M", lambda _: keyboard.called.append("mine"))
    before = bind_keys(keyboard.viewer, keyboard.actions("Alt-N"))
    release_keys(keyboard.viewer, before)
    assert keyboard.press("Alt-M") == ["mine"]


def test_the_last_dock_has_the_keys(keyboard):
    bind_keys(keyboard.viewer, keyboard.actions("Alt-N"))
    second = {"Alt-N": lambda: keyboard.called.append("second")}
    bind_keys(keyboard.viewer, second)
    assert keyboard.press("Alt-N") == ["second"]


def test_releasing_twice_does_no_harm(keyboard):
    before = bind_keys(keyboard.viewer, keyboard.actions("Alt-N"))
    for _ in range(2):
        release_keys(keyboard.viewer, before)
    assert keyboard.press("Alt-N") == []


def test_a_key_that_was_taken_is_given_back(keyboard):
    keyboard.viewer.bind_key("Alt-N", lambda _: keyboard.called.append("mine"))
    before = bind_keys(keyboard.viewer, keyboard.actions("Alt-N"))
    release_keys(keyboard.viewer, before)
    assert keyboard.press("Alt-N") == ["mine"]
