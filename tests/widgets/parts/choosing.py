"""What Qt does when a person chooses an entry of a combo box."""

from __future__ import annotations


def choose(box, text):
    """Choose an entry by its text."""
    place = texts(box).index(text)
    box.setCurrentIndex(place)
    box.activated.emit(place)


def texts(box):
    return [box.itemText(place) for place in range(box.count())]
