"""The choice of a reader, and numpy files."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam_decoder.errors import FormatError, first_line, wrap_read_errors
from napari_sam_decoder.formats import open_movie

if TYPE_CHECKING:
    from pathlib import Path


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no file or folder .*gone.tif; check"):
        open_movie(tmp_path / "gone.tif")


def test_unknown_suffix(tmp_path: Path) -> None:
    (tmp_path / "movie.xyz").touch()

    with pytest.raises(FormatError, match=r"movie.xyz has an unknown format.*tif.*mp4"):
        open_movie(tmp_path / "movie.xyz")


def test_text_is_a_path(tmp_path: Path) -> None:
    np.save(tmp_path / "movie.npy", np.zeros((2, 3, 4)))

    assert open_movie(str(tmp_path / "movie.npy")).name == "movie"


def test_numpy_file_is_mapped(tmp_path: Path) -> None:
    movie = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    np.save(tmp_path / "movie.npy", movie)

    source = open_movie(tmp_path / "movie.npy")

    assert isinstance(source.data, np.memmap)
    assert (source.axes, source.scale) == (None, None)
    np.testing.assert_array_equal(source.data[1], movie[1])


def test_truncated_numpy_file(tmp_path: Path) -> None:
    path = tmp_path / "movie.npy"
    np.save(path, np.zeros((2, 30, 40)))
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(FormatError, match=r"cannot read .*movie.npy"):
        open_movie(path)


def test_numpy_file_with_a_damaged_header(tmp_path: Path) -> None:
    path = tmp_path / "movie.npy"
    np.save(path, np.zeros((2, 30, 40)))
    path.write_bytes(path.read_bytes().replace(b"), }", b"[, }"))

    with pytest.raises(FormatError, match=r"cannot read .*movie.npy, it is corrupt"):
        open_movie(path)


def test_python_objects_are_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(FormatError, match=r"o.npy holds Python objects.*of numbers"):
        open_movie(tmp_path / "o.npy")


def test_forbidden_file_is_said_to_be_so(tmp_path: Path) -> None:
    with (
        pytest.raises(
            FormatError, match=r"cannot read .*m.tif .*check its permissions"
        ),
        wrap_read_errors(tmp_path / "m.tif"),
    ):
        raise PermissionError(13, os.strerror(13))


def test_one_line_of_an_error() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(EOFError()) == "EOFError"


def test_import_is_cheap() -> None:
    script = (
        "import sys, napari_sam_decoder.formats; "
        "print({'torch', 'zarr', 'tifffile', 'PIL', 'av'} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "set()"
