"""Which channels the network sees as red, green and blue."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sam_decoder.widgets.layers import channels_of
from napari_sam_decoder.widgets.parts.controls import narrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.widgets.layers import Channel
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["CompositeChoice"]

# Readable on dark and on light.
_COLOURS = {"Red": "#e05252", "Green": "#3f9f4d", "Blue": "#5a8be8"}
_NAMES = tuple(_COLOURS)
_FEWEST = 2
_NONE = "none"
_TIP = (
    "Let the network see two or three channels at once, as red, green and blue, "
    "instead of the movie alone. Each is stretched by the contrast limits of its layer "
    "if you have set them, else by its own pixels"
)


class CompositeChoice(QWidget):
    """Which channels the network sees as red, green and blue; hidden without any.

    Attributes
    ----------
    box : QCheckBox
        Whether there is a composite.
    colours : list of QComboBox
        Red, green and blue, the last of which may be none.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._offered: tuple[Channel, ...] = ()
        self._chosen: tuple[Channel, ...] = ()
        self._texts: list[str] = []
        self.box = QCheckBox("Composite of channels")
        self.box.setToolTip(_TIP)
        self.box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.box.clicked.connect(self._on_toggled)
        self.colours = [self._make(place) for place in range(len(_COLOURS))]
        # Below each other: side by side, names that begin alike cannot be told apart.
        self._rows = QWidget()
        rows = QGridLayout(self._rows)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.setColumnStretch(1, 1)
        for place, (named, box) in enumerate(
            zip(_COLOURS.items(), self.colours, strict=True)
        ):
            rows.addWidget(_label(*named), place, 0)
            rows.addWidget(box, place, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.box)
        layout.addWidget(self._rows)

    def show_state(self, bench: Workbench) -> None:
        """Show what can be chosen, and what is, without a signal."""
        movie, chosen = bench.movie, bench.controller.state.channels
        offered = () if movie is None else channels_of(movie, bench.viewer.layers)
        lost = [one for one in chosen if _place(one, offered) is None]
        self._offered, self._chosen = (*offered, *lost), chosen
        texts = [] if movie is None else [one.title(movie) for one in offered]
        texts += [f"{one.noted} (missing)" for one in lost]
        if texts != self._texts:
            self._texts = texts
            for place, box in enumerate(self.colours):
                box.clear()
                box.addItems(texts if place < _FEWEST else [*texts, _NONE])
        for place, box in enumerate(self.colours):
            is_there = place < len(chosen)
            at = _place(chosen[place], self._offered) if is_there else len(texts)
            box.setCurrentIndex(-1 if at is None else at)
            # Long names are cut off.
            box.setToolTip(f"{_NAMES[place]}: {box.currentText()}\n{_TIP}")
        self.box.setChecked(bool(chosen))
        self._rows.setVisible(bool(chosen))
        self.setVisible(bool(chosen) or len(offered) >= _FEWEST)

    def _make(self, place: int) -> QComboBox:
        box = QComboBox()
        # Long names must not widen the dock.
        box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        box.activated.connect(partial(self._on_activated, place))
        return box

    def _on_toggled(self, is_wanted: bool) -> None:
        most = len(self.colours)
        self.chosen.emit(self._offered[:most] if is_wanted else ())

    def _on_activated(self, place: int, entry: int) -> None:
        chosen = list(self._chosen)
        if entry >= len(self._offered):
            del chosen[place:]
        else:
            new = self._offered[entry]
            twice = _place(new, chosen)
            if twice is not None and place < len(chosen):
                # It changes places with the one that was here.
                chosen[twice] = chosen[place]
            chosen[place : place + 1] = [new]
        self.chosen.emit(tuple(chosen))


def _label(name: str, colour: str) -> QWidget:
    label = QLabel(name)
    label.setStyleSheet(f"color: {colour}; font-weight: bold")
    return narrow(label)


def _place(channel: Channel, among: Sequence[Channel]) -> int | None:
    """Find the same channel in a list; None if it is not there."""
    places = (at for at, one in enumerate(among) if one.is_same_as(channel))
    return next(places, None)
