"""The hidden folder beside a target: swept, taken back, put in place."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_sam_decoder import atomic_files
from napari_sam_decoder.atomic_files import (
    atomic_write,
    hidden_sibling_path,
    make_partial_folder,
    replace_folder,
    sibling_path,
)
from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats import LabelSink, open_labels, open_movie


def test_short_names_are_kept():
    assert sibling_path(Path("a/b.tif"), ".new") == Path("a/b.tif.new")
    assert hidden_sibling_path(Path("a/b.tif"), ".new") == Path("a/.b.tif.new")


@pytest.mark.parametrize("letter", ["y", "\u00e4", "\u65e5"])
def test_long_names_leave_room(letter):
    size = len(letter.encode())
    first, second = (Path(f"{letter * (250 // size)}{end}") for end in ("1", "2"))
    names = {hidden_sibling_path(path, "." + 49 * "x").name for path in (first, second)}
    assert len(names) == 2
    assert all(len(os.fsencode(name)) <= 255 for name in names)
    assert all(name.startswith(f".{letter}") for name in names)


def test_what_is_written_whole_takes_the_place_of_what_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with atomic_write(tmp_path / "a.txt") as partial:
        partial.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_what_is_not_written_whole_is_removed(tmp_path):
    def fail():
        with atomic_write(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(tmp_path.iterdir()) == []


SHAPE = (4, 5, 6)


@pytest.fixture(params=[".zarr", ".tif"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"labels{request.param}"


def write_whole(path: Path, value: int = 1) -> None:
    with LabelSink(path, SHAPE, "uint16") as sink:
        sink.write(0, np.full(SHAPE[1:], value, np.uint16))
        sink.finish({})


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_failed_replacement_puts_the_old_labels_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "labels.zarr"
    write_whole(target, 1)
    rename = Path.rename

    def fail_for_new(path: Path, other: Path) -> Path:
        if path.name == "labels":
            raise OSError(5, "Input/output error")
        return rename(path, other)

    monkeypatch.setattr(Path, "rename", fail_for_new)

    with (
        LabelSink(target, SHAPE, np.uint16) as sink,
        pytest.raises(OSError, match="Input/output error"),
    ):
        sink.finish({})

    assert open_labels(target)[0].max() == 1
    assert names_in(tmp_path) == ["labels.zarr"]


def dead_process() -> int:
    """Number of a process that was there and is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def leave_partial(target: Path, monkeypatch: pytest.MonkeyPatch, process: int) -> Path:
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process)
        return make_partial_folder(target)


def test_partials_of_dead_processes_go(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = leave_partial(target, monkeypatch, dead_process())
    (stale / "labels").mkdir()

    write_whole(target)

    assert names_in(target.parent) == [target.name]


def test_partials_of_others_stay(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = dead_process()
    other_target = target.with_name("other.zarr")
    kept = [
        leave_partial(target, monkeypatch, os.getpid()),
        leave_partial(target, monkeypatch, 2**70),
        leave_partial(other_target, monkeypatch, dead),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(platform, "node", lambda: "another machine")
        kept.append(leave_partial(target, monkeypatch, dead))

    write_whole(target)

    assert all(path.exists() for path in kept)


def test_nothing_is_swept_where_processes_cannot_be_asked(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = leave_partial(target, monkeypatch, dead_process())
    monkeypatch.setattr("napari_sam_decoder.atomic_files.CAN_PROBE", False)

    write_whole(target)

    assert stale.exists()


def test_labels_set_aside_by_a_killed_process_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "labels.zarr"
    write_whole(target, 7)
    stale = leave_partial(target, monkeypatch, dead_process())
    target.rename(stale / "replaced")

    with LabelSink(target, SHAPE, np.uint8):
        assert open_labels(target)[0].max() == 7
        assert not stale.exists()


def test_labels_set_aside_are_not_deleted_if_they_cannot_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "labels.zarr"
    write_whole(target, 7)
    stale = leave_partial(target, monkeypatch, dead_process())
    target.rename(stale / "replaced")

    def refuse(path: Path, other: Path) -> Path:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", refuse)

    with LabelSink(target, SHAPE, np.uint8):
        assert open_movie(stale / "replaced").data[0].max() == 7


def test_replacing_what_is_not_there(tmp_path: Path) -> None:
    made = make_partial_folder(tmp_path / "labels.zarr") / "labels"
    made.mkdir()

    replace_folder(made, tmp_path / "labels.zarr")

    assert (tmp_path / "labels.zarr").is_dir()


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
@pytest.mark.parametrize("letter", ["y", "\u65e5"])
def test_names_as_long_as_they_can_be(
    tmp_path: Path, suffix: str, letter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 255 - len(suffix)
    target = tmp_path / f"{letter * (room // len(letter.encode()))}{suffix}"
    stale = leave_partial(target, monkeypatch, dead_process())

    write_whole(target)
    write_whole(target, 2)

    assert not stale.exists()
    assert names_in(tmp_path) == [target.name]
    assert open_labels(target)[0].max() == 2


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_names_that_are_too_long(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(
        FormatError, match=r"File name too long.*; choose a shorter name"
    ):
        LabelSink(tmp_path / f"{'y' * 252}{suffix}", SHAPE, np.uint8)
    for reader in (open_movie, open_labels):
        with pytest.raises(FormatError, match="no file or folder"):
            reader(tmp_path / f"{'y' * 252}{suffix}")


def test_a_folder_appears_once_it_is_whole(tmp_path):
    target = tmp_path / "made"
    target.mkdir()
    (target / "old").touch()
    with atomic_files.atomic_folder(target) as made:
        made.mkdir()
        (made / "new").touch()
        assert [one.name for one in target.iterdir()] == ["old"]
    assert [one.name for one in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_not_finished_leaves_nothing(tmp_path):
    def stop_in_between():
        with atomic_files.atomic_folder(tmp_path / "made") as made:
            made.mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_in_between()
    assert list(tmp_path.iterdir()) == []
