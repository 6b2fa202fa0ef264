from __future__ import annotations

from dataclasses import fields, replace

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.propagation import Settings
from napari_sam_decoder.widgets.parts import PropagationForm

pytestmark = pytest.mark.gui

NAMES = [field.name for field in fields(Settings)]


@pytest.fixture
def form(shown):
    return shown(PropagationForm())


@pytest.fixture
def requested(form, heard):
    """What was requested, and is shown as if it had been granted."""
    requests = heard(form.requested)
    form.requested.connect(form.show_state)
    return requests


def type_number(form, name, text):
    """Type a number as a person does: over the old one, digit by digit."""
    native = form.fields[name].native
    native.setFocus()
    native.selectAll()
    QTest.keyClicks(native, text)
    QTest.keyClick(native, Qt.Key.Key_Return)


def test_every_setting_has_a_field_with_its_default_and_what_it_means(form):
    assert [field.name for field in form.fields] == NAMES
    assert form.fields() == Settings()
    assert all(len(field.tooltip) > 30 for field in form.fields)


@pytest.mark.parametrize("name", NAMES)
def test_the_limits_of_a_field_are_those_of_the_setting(form, name):
    field = form.fields[name]
    ends = Settings(doubtful_below=1, absent_below=0)
    for end in (field.min, field.max):
        replace(ends, **{name: type(field.value)(end)})
    beyond = Settings.__dataclass_fields__[name].metadata["low"] - 1
    with pytest.raises(OptionError):
        Settings(**{name: beyond})


def test_the_settings_in_force_are_shown_and_nothing_is_wished(form, requested):
    settings = Settings(0.7, 0.2, -0.5, 9, 0.25)
    form.show_state(settings)
    assert form.fields() == settings
    assert requested == []


def test_a_typed_setting_is_wished_once(form, requested):
    type_number(form, "doubtful_below", "0.55")
    type_number(form, "patience", "12")
    assert requested == [Settings(0.55), Settings(0.55, patience=12)]


def test_a_setting_is_changed_by_a_step(form, requested):
    QTest.keyClick(form.fields.stabilise.native, Qt.Key.Key_Up)
    assert requested == [Settings(stabilise=0.05)]


def test_other_settings_are_not_rounded_to_what_is_shown(form, requested):
    form.show_state(Settings(stabilise=1 / 3))
    type_number(form, "patience", "1")
    assert requested == [Settings(patience=1, stabilise=1 / 3)]


def test_settings_that_contradict_each_other_are_refused(form, requested, heard):
    refused = heard(form.refused)
    type_number(form, "absent_below", "0.9")
    assert requested == []
    assert "absent_below <= doubtful_below" in str(refused[-1])
    assert form.fields() == Settings()


def test_the_box_asks_for_the_outline_of_the_window(form, heard):
    asked = heard(form.window_toggled)
    form.window.click()
    form.window.click()
    assert asked == [True, False]
