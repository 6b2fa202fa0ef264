from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr

from napari_sam_decoder.errors import (
    CheckpointError,
    FormatError,
    is_corruption,
    one_line,
    os_error_advice,
    wrap_os_errors,
    wrap_read_errors,
    wrap_write_errors,
)
from napari_sam_decoder.formats import open_labels, open_movie, tiff

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path("movie.tif")

USERS = [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENAMETOOLONG]
MACHINES = [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM, errno.EBADF]


@pytest.mark.parametrize("context", [wrap_read_errors, wrap_write_errors])
@pytest.mark.parametrize("number", USERS)
def test_what_a_user_can_correct_names_the_remedy(
    context: Callable[[Path], object], number: int
) -> None:
    error = OSError(number, os.strerror(number))
    remedy = os_error_advice(error)
    assert remedy
    message = f"movie.tif .*; {remedy}"
    with pytest.raises(FormatError, match=message) as caught, context(FILE):
        raise error
    assert "corrupt" not in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("context", [wrap_read_errors, wrap_write_errors])
@pytest.mark.parametrize("number", MACHINES)
def test_what_is_the_machines_goes_on(
    context: Callable[[Path], object], number: int
) -> None:
    error = OSError(number, os.strerror(number))
    with pytest.raises(OSError, match=os.strerror(number)) as caught, context(FILE):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        IndexError("x"),
        AttributeError("x"),
        TypeError("x"),
        NameError("x"),
        AssertionError("x"),
        RecursionError("x"),
    ],
)
def test_mistakes_of_the_program_are_not_damage(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, wrap_read_errors(FILE):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        EOFError("x"),
        RuntimeError("x"),
        ZeroDivisionError("x"),
        OSError("image file is truncated"),
        OSError(errno.EINVAL, "Invalid argument"),
        zipfile.BadZipFile("x"),
    ],
)
def test_what_bytes_lead_to_is_damage(error: Exception) -> None:
    assert is_corruption(error)
    with (
        pytest.raises(CheckpointError, match=r"movie.tif, it is corrupt.*; fetch it"),
        wrap_read_errors(FILE, CheckpointError, "fetch it"),
    ):
        raise error


def test_a_decoder_may_make_any_error_of_broken_bytes() -> None:
    def in_a_decoder() -> None:
        source = compile("{}[1]", "decoder", "eval")
        eval(source, {"__name__": "tifffile.codecs"})

    with pytest.raises(FormatError, match=r"it is corrupt"), wrap_read_errors(FILE):
        in_a_decoder()


def test_a_decoder_may_make_it_in_a_library_that_it_uses() -> None:
    def in_a_decoder() -> None:
        library: dict[str, object] = {"__name__": "tokenize"}
        exec("def tokens():\n    return {}[1]", library)
        decoder = {"__name__": "numpy.lib.format", "tokens": library["tokens"]}
        exec("tokens()", decoder)

    with pytest.raises(FormatError, match=r"it is corrupt"), wrap_read_errors(FILE):
        in_a_decoder()


def test_a_mistake_of_ours_below_a_decoder_is_not_damage() -> None:
    def mistaken() -> None:
        ours: dict[str, object] = {"__name__": "napari_sam_decoder.formats.remote"}
        exec("def read():\n    return {}[1]", ours)
        exec("read()", {"__name__": "zarr.core", "read": ours["read"]})

    with pytest.raises(KeyError), wrap_read_errors(FILE):
        mistaken()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError("Unable to allocate"), "more memory than there is"),
        (NotImplementedError("JPEG XS"), "not supported; export it in another format"),
    ],
)
def test_what_is_too_much_is_not_called_damaged(error: Exception, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught, wrap_read_errors(FILE):
        raise error
    assert "corrupt" not in str(caught.value)


def test_a_picture_that_is_too_large_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    Image.new("L", (40, 40)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9)
    with pytest.raises(FormatError, match="too large") as caught:
        open_movie(tmp_path / "large.png")
    assert "corrupt" not in str(caught.value)


def test_our_own_errors_pass() -> None:
    with pytest.raises(CheckpointError, match=r"^mine$"), wrap_read_errors(FILE):
        raise CheckpointError("mine")
    with pytest.raises(CheckpointError, match=r"^mine$"), wrap_os_errors("cannot"):
        raise CheckpointError("mine")


def test_a_mistake_in_a_reader_comes_out_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, object]:
        return {}["sizes"]

    path = tmp_path / "movie.tif"
    tifffile.imwrite(path, np.zeros((5, 8, 9), np.uint8))
    monkeypatch.setattr(tiff, "_pixel_sizes", broken)
    with pytest.raises(KeyError, match="sizes"):
        open_movie(path)


def test_too_many_open_files_are_not_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    path = tmp_path / "movie.npy"
    np.save(path, np.zeros((3, 8, 9), np.uint8))
    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        open_movie(path)


def test_a_file_that_nobody_may_look_at_is_not_said_to_be_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)
    for read in (open_movie, open_labels):
        with pytest.raises(FormatError, match="check its permissions"):
            read(tmp_path / "movie.npy")


def test_a_file_that_has_gone_meanwhile_is_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "labels.zarr"
    zarr.create_array(path, shape=(2, 3, 4), dtype="uint8")
    labels = open_labels(path)
    (path / "zarr.json").unlink()
    assert labels[0].shape == (3, 4)
    long = tmp_path / ("x" * 300)
    with pytest.raises(FormatError, match=r"shorter name|check the path"):
        open_movie(long)


def test_a_message_of_several_lines_becomes_one():
    error = ValueError("made for another job:\n  model: a\n  shape: b\n\nchoose")
    assert one_line(error) == "made for another job: model: a; shape: b; choose"
