from __future__ import annotations

import numpy as np
import pytest
import zarr
from PIL import Image

from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.jobs.batch.movies import find_movies


def names(folder, pattern="*"):
    return [movie.name for movie in find_movies(folder, pattern, folder / "results")]


def test_files_arrays_and_folders_of_pictures_are_movies(tmp_path):
    (tmp_path / "stack.tif").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / ".hidden.tif").touch()
    (tmp_path / "empty").mkdir()
    pictures = tmp_path / "v1.5"
    pictures.mkdir()
    Image.new("L", (4, 4)).save(pictures / "0.png")
    zarr.save(tmp_path / "array.zarr", np.zeros((2, 4, 4)))
    assert names(tmp_path) == ["array", "stack", "v1.5"]


def test_movies_that_differ_in_their_suffix_only_keep_it(tmp_path):
    for name in ("a.tif", "a.mp4", "b.tif"):
        (tmp_path / name).touch()
    assert names(tmp_path) == ["a.mp4", "a.tif", "b"]
    assert names(tmp_path, "*.tif") == ["a", "b"]


def test_a_folder_without_movies_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(FormatError, match=r"is a movie; check the path.*--movies"):
        names(tmp_path)
    with pytest.raises(FormatError, match="there is no folder"):
        names(tmp_path / "missing")


@pytest.mark.parametrize("pattern", ["", "/etc/*"])
def test_patterns_stay_within_the_folder(tmp_path, pattern):
    with pytest.raises(OptionError, match="is not a pattern of movies"):
        names(tmp_path, pattern)
