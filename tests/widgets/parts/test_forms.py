from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from choosing import choose, current_text, texts
from napari.layers import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.widgets.parts.forms import (
    LayerChoice,
    OpenChoice,
    form_of,
    show,
)

pytestmark = pytest.mark.gui


@pytest.fixture
def chosen():
    return []


@pytest.fixture
def choice(docked, chosen):
    choice = LayerChoice(Image, "none", chosen.append)
    docked(choice.box.native)
    return choice


@pytest.fixture
def layers(bench):
    added = [bench.viewer.add_image(np.zeros((2, 2)), name=name) for name in "ab"]
    bench.viewer.add_points(np.zeros((1, 2)), name="clicks")
    return added


def test_layers_of_a_kind_are_listed_by_name_after_none(choice, bench, layers):
    choice.show(layers[1])
    assert texts(choice.box) == ["none", "a", "b"]
    assert current_text(choice.box) == "b"


@pytest.mark.parametrize("current", [None, Image(np.zeros((2, 2)))])
def test_without_a_choice_none_is_shown(choice, layers, current):
    choice.show(layers[1])
    choice.show(current)
    assert current_text(choice.box) == "none"


def test_a_choice_is_told_as_a_layer(choice, layers, chosen):
    choice.show(None)
    for text in ("a", "b", "none"):
        choose(choice.box, text)
    assert chosen == [*layers, None]


def test_a_layer_is_chosen_by_keys(choice, layers, chosen):
    choice.show(layers[0])
    QTest.keyClick(choice.box.native, Qt.Key.Key_Down)
    assert chosen == [layers[1]]


def test_listing_is_not_choosing(choice, bench, layers, chosen):
    choice.show(layers[0])
    bench.viewer.layers.remove(layers[0])
    choice.show(None)
    choice.show(layers[1])
    assert texts(choice.box) == ["none", "b"]
    assert chosen == []


def test_another_order_or_name_is_shown(choice, bench, layers):
    choice.show(layers[0])
    layers[0].name = "renamed"
    bench.viewer.layers.move(0, 3)
    choice.show(layers[0])
    assert texts(choice.box) == ["none", "b", "renamed"]
    assert current_text(choice.box) == "renamed"


def test_a_layer_can_be_left_out(docked, layers, chosen):
    choice = LayerChoice(Image, "none", chosen.append, leave_out="a")
    docked(choice.box.native)
    choice.show(None)
    assert texts(choice.box) == ["none", "b"]


def test_a_layer_with_the_name_of_no_layer_is_another_choice(choice, layers, chosen):
    layers[0].name = "none"
    choice.show(layers[1])
    assert texts(choice.box) == ["none", "'none'", "b"]
    choose(choice.box, "'none'")
    choose(choice.box, "none")
    assert chosen == [layers[0], None]


def test_a_long_name_does_not_widen_the_dock(choice, layers):
    choice.show(None)
    before = choice.box.native.sizeHint().width()
    layers[0].name = "long " * 50
    choice.show(None)
    assert choice.box.native.sizeHint().width() == before


@pytest.fixture
def answers():
    return []


@pytest.fixture
def open_choice(shown, chosen, answers):
    choice = OpenChoice(
        [("one", 1), ("two", 2)],
        ask=("other…", answers.pop),
        on_choice=chosen.append,
    )
    shown(choice.native)
    return choice


def test_a_known_value_is_chosen(open_choice, chosen):
    choose(open_choice, "two")
    choose(open_choice, "one")
    assert chosen == [2, 1]


def test_any_value_can_be_shown_and_is_told_to_nobody(open_choice, chosen):
    for value in (5, 2, 5):
        open_choice.show_value(value)
        assert open_choice.value == value
    assert texts(open_choice) == ["one", "two", "5", "other…"]
    assert chosen == []


def test_a_value_that_reads_like_a_known_one_is_another(open_choice, chosen):
    open_choice.show_value("two")
    assert texts(open_choice) == ["one", "two", "'two'", "other…"]
    choose(open_choice, "two")
    choose(open_choice, "'two'")
    assert chosen == [2, "two"]


def test_a_value_is_asked_for(open_choice, chosen, answers):
    answers.append(7)
    choose(open_choice, "other…")
    assert chosen == [7]
    assert current_text(open_choice) == "7"


def test_asking_in_vain_leaves_what_was_there(open_choice, chosen, answers):
    open_choice.show_value(2)
    for _ in range(2):
        answers.append(None)
        choose(open_choice, "other…")
        assert current_text(open_choice) == "two"
    assert set(chosen) == {2}


@dataclass(frozen=True)
class Recipe:
    """How to bake.

    Attributes
    ----------
    minutes : int
        Time in the oven.
    oven_share : float
        0..1: how much of the oven is taken.
    """

    minutes: int = field(default=20, metadata={"low": 1, "high": 90})
    oven_share: float = field(default=0.5, metadata={"low": 0, "high": 1, "step": 0.1})

    def __post_init__(self):
        if self.minutes == 13:
            raise OptionError("thirteen minutes bring no luck")


def test_a_form_has_the_fields_of_its_dataclass(shown):
    form = form_of(Recipe)
    assert [one.label for one in form] == ["Minutes", "Oven share"]
    assert form.minutes.tooltip == "Time in the oven."
    assert form() == Recipe()
    assert (form.minutes.min, form.minutes.max) == (1, 90)
    shown(form.oven_share.native)
    QTest.keyClick(form.oven_share.native, Qt.Key.Key_Up)
    assert form() == Recipe(oven_share=0.6)


def test_a_form_refuses_what_its_dataclass_refuses():
    form = form_of(Recipe)
    form.minutes.value = 13
    with pytest.raises(OptionError, match="no luck"):
        form()


def test_a_value_that_is_shown_is_told_to_nobody(chosen):
    form = form_of(Recipe)
    form.minutes.changed.connect(chosen.append)
    show(form.minutes, 30)
    assert chosen == []
    assert form().minutes == 30
