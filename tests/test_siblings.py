from __future__ import annotations

import os
from pathlib import Path

import pytest

from napari_sam_decoder.siblings import hidden_sibling, replacing, sibling


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


def test_what_is_written_whole_takes_the_place_of_what_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with replacing(tmp_path / "a.txt") as partial:
        partial.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_what_is_not_written_whole_is_removed(tmp_path):
    def fail():
        with replacing(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(tmp_path.iterdir()) == []
