from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_sam_decoder.siblings import hidden_sibling, sibling


def test_short_names_are_kept():
    assert sibling(Path("a/b.tif"), ".new") == Path("a/b.tif.new")
    assert hidden_sibling(Path("a/b.tif"), ".new") == Path("a/.b.tif.new")


@pytest.mark.parametrize("letter", ["y", "\u00e4", "\u65e5"])
def test_long_names_leave_room(letter):
    size = len(letter.encode())
    first, second = (Path(f"{letter * (250 // size)}{end}") for end in ("1", "2"))
    names = {hidden_sibling(path, "." + 49 * "x").name for path in (first, second)}
    assert len(names) == 2
    assert all(len(os.fsencode(name)) <= 255 for name in names)
    assert all(name.startswith(f".{letter}") for name in names)
