"""What the forms of the dock are made of, on top of magicgui.

A form shows the values in use and emits a signal when a person changes one. `show` sets
a value without a signal.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

from magicgui.widgets import ComboBox, Container, FunctionGui, create_widget
from magicgui.widgets.bases import ButtonWidget, RangedWidget
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from napari.layers import Layer

__all__ = [
    "LayerChoice",
    "OpenChoice",
    "column_of",
    "compact",
    "form_layout",
    "form_of",
    "row_of",
    "show",
]

T = TypeVar("T")


def show(field: Any, value: object) -> None:
    """Show a value without emitting a signal; an equal value is left alone."""
    if field.value != value:
        with field.changed.blocked():
            field.value = value


def form_of(kind: type[T]) -> FunctionGui[..., T]:
    """Make the form of a dataclass: a field for each of its own.

    Names, types, defaults and tooltips are those of the dataclass; ``low``, ``high``
    and ``step`` in the metadata of a field limit it.

    Parameters
    ----------
    kind : type
        A dataclass whose fields have defaults, documented in numpydoc style.

    Returns
    -------
    FunctionGui
        Called without arguments it gives the value that is shown, or raises what the
        dataclass raises.
    """
    names = {"low": "min", "high": "max", "step": "step"}
    options = {
        field.name: {names[key]: value for key, value in field.metadata.items()}
        | {"label": field.name.replace("_", " ").capitalize()}
        for field in fields(cast("Any", kind))
    }
    form: FunctionGui[..., T] = FunctionGui(
        kind, call_button=False, labels=False, param_options=options
    )
    for field in form:
        if isinstance(field, RangedWidget):
            # Half a number may be out of range.
            field.native.setKeyboardTracking(False)
    return form


def form_layout(parts: Iterable[Any]) -> QFormLayout:
    """Lay fields out one below the other, with their labels in a column.

    magicgui would measure the labels before napari's style sheet gives them their font.
    """
    layout = QFormLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    for field in parts:
        if isinstance(field, ButtonWidget):
            layout.addRow(field.native)
        else:
            label = QLabel(field.label)
            label.setToolTip(field.tooltip)
            layout.addRow(label, field.native)
    return layout


def row_of(*parts: Any, **options: Any) -> Container:
    """Put fields side by side as one field of a form."""
    return _joined(parts, layout="horizontal", **options)


def column_of(*parts: Any, **options: Any) -> Container:
    """Put fields one below the other as one field of a form."""
    return _joined(parts, layout="vertical", **options)


def _joined(parts: tuple[Any, ...], **options: Any) -> Container:
    joined = Container(widgets=parts, labels=False, **options)
    joined.margins = (0, 0, 0, 0)
    return joined


def compact(box: ComboBox) -> ComboBox:
    """Let no long name in a choice widen the dock."""
    box.native.setMinimumContentsLength(8)
    box.native.setSizeAdjustPolicy(
        QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    return box


class OpenChoice(ComboBox):
    """A choice among known values that shows any other value, too, and can ask for one.

    Parameters
    ----------
    known : sequence of (str, value)
        Texts and values to choose from; None is no value.
    ask : (str, callable), optional
        Text of a last entry, and what asks for a value once it is chosen: it returns
        None to leave everything as it was.
    on_choice : callable
        Is told the value that a person has chosen.
    **options
        As magicgui takes them: name, label, tooltip.
    """

    def __init__(
        self,
        known: Iterable[tuple[str, object]],
        *,
        on_choice: Callable[[Any], None],
        ask: tuple[str, Callable[[], object | None]] | None = None,
        **options: Any,
    ) -> None:
        self._known = [*known]
        self._ask, self._on_choice = ask, on_choice
        self._shown: object = None
        super().__init__(choices=self._entries, **options)
        compact(self)
        self.changed.connect(self._on_changed)

    def offer(self, known: Iterable[tuple[str, object]]) -> None:
        """Offer further values, beside those that are offered already."""
        offered = [value for _, value in self._known]
        new = [(text, value) for text, value in known if value not in offered]
        if new:
            self._known.extend(new)
            with self.changed.blocked():
                # Entries that stay would keep their old places.
                self.choices = ()
                self.reset_choices()
                self.value = self._shown

    def show_value(self, value: object) -> None:
        """Show a value, as an entry of its own if it is not among the known ones."""
        with self.changed.blocked():
            if value not in [known for _, known in self._known]:
                texts = {text for text, _ in self._known}
                self._known.append((_distinct(str(value), texts), value))
                # Entries that stay would keep their old places.
                self.choices = ()
                self.reset_choices()
            self._shown = self.value = value

    def _entries(self, _: object) -> list[tuple[str, object]]:
        asking = [] if self._ask is None else [(self._ask[0], _ASK)]
        return [*self._known, *asking]

    def _on_changed(self, value: object) -> None:
        if self._ask is not None and value == _ASK:
            value = self._ask[1]() or self._shown
        self.show_value(value)
        self._on_choice(value)


_ASK = "\N{NULL}ask"
"""Stands for the entry that asks; nothing can be called like this."""


class LayerChoice:
    """A choice among the layers of the viewer that it is docked in.

    Parameters
    ----------
    kind : type
        Of the layers.
    without : str
        What stands first, for no layer.
    on_choice : callable
        Is told the layer that a person has chosen, or None.
    leave_out : str, optional
        Name of a layer that is not offered.
    **options
        As magicgui takes them: label, tooltip.

    Attributes
    ----------
    box : magicgui.widgets.ComboBox
    """

    def __init__(
        self,
        kind: Any,
        without: str,
        on_choice: Callable[[Any], None],
        *,
        leave_out: str | None = None,
        **options: Any,
    ) -> None:
        made = create_widget(annotation=kind | None, options=options)
        self.box = cast("ComboBox", made)
        # napari has told magicgui how to list the layers of a kind.
        self._list_layers = self.box.options["choices"]
        self._leave_out = leave_out
        self.box.null_string = without
        self.box.choices = self._entries
        compact(self.box)
        self.box.changed.connect(on_choice)

    def show(self, current: Layer | None) -> None:
        """List the current layers, and show which one is chosen."""
        native = self.box.native
        shown = [native.itemText(place) for place in range(1, native.count())]
        with self.box.changed.blocked():
            if shown != [text for text, _ in self._entries()]:
                # Entries that stay would keep their old places.
                self.box.choices = ()
            self.box.reset_choices()
            self.box.value = current if current in self.box.choices else None

    def _entries(self, _: object = None) -> list[tuple[str, Layer]]:
        layers = self._list_layers(self.box)
        return [
            (_distinct(layer.name, {self.box.null_string}), layer)
            for layer in layers
            if layer.name != self._leave_out
        ]


def _distinct(text: str, taken: set[str]) -> str:
    """Make a text unlike those taken: magicgui merges entries with equal texts."""
    return f"{text!r}" if text in taken else text
