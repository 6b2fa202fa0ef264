"""What Qt does when a person chooses an entry of a combo box, magicgui's or its own."""

from __future__ import annotations


def choose(box, text):
    """Choose an entry by its text."""
    native = getattr(box, "native", box)
    place = texts(box).index(text)
    native.setCurrentIndex(place)
    native.activated.emit(place)


def texts(box):
    native = getattr(box, "native", box)
    return [native.itemText(place) for place in range(native.count())]


def current_text(box):
    return getattr(box, "native", box).currentText()
