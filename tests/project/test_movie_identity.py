from __future__ import annotations

from dataclasses import replace
from itertools import islice

import dask.array
import numpy as np
import pytest
import tifffile
import zarr

from napari_sam_decoder.formats import open_movie
from napari_sam_decoder.frames import reduced
from napari_sam_decoder.project.movie_identity import (
    MovieIdentity,
    describe_difference,
    movie_digest,
    plane_digests,
)


@pytest.fixture
def movie():
    rng = np.random.default_rng(0)
    return rng.integers(0, 60_000, (40, 9, 7), np.uint16)


def stored_as(kind, movie, folder):
    if kind == "tiff":
        tifffile.imwrite(folder / "movie.tif", movie, metadata={"axes": "TYX"})
        return open_movie(folder / "movie.tif").data
    if kind == "zarr":
        return zarr.create_array(folder / "movie.zarr", data=movie, chunks=(3, 9, 7))
    if kind == "dask":
        return dask.array.from_array(movie, chunks=(5, 4, 4))
    if kind == "big-endian":
        return movie.astype(">u2")
    return np.asfortranarray(movie)


@pytest.mark.parametrize("kind", ["tiff", "zarr", "dask", "big-endian", "transposed"])
def test_a_movie_has_one_digest_however_it_is_stored(kind, movie, tmp_path):
    assert movie_digest(stored_as(kind, movie, tmp_path)) == movie_digest(movie)


def test_the_digest_is_the_same_tomorrow():
    movie = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    beginning = "f851f0c90fe3b560"
    assert movie_digest(movie).startswith(beginning)


@pytest.mark.parametrize("frame", [0, 39])
def test_a_pixel_of_a_sampled_plane_counts(frame, movie):
    other = movie.copy()
    other[frame, 3, 3] += 1
    assert movie_digest(other) != movie_digest(movie)


def test_every_plane_of_a_short_movie_counts(movie):
    short = movie[:16]
    for frame in range(16):
        other = short.copy()
        other[frame, 8, 6] += 1
        assert movie_digest(other) != movie_digest(short)


def test_shape_and_dtype_count():
    movie = np.zeros((4, 6, 8), np.uint8)
    digests = {
        movie_digest(movie),
        movie_digest(movie.astype(np.int8)),
        movie_digest(movie.reshape(4, 8, 6)),
        movie_digest(movie[:3]),
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("shape", "planes"),
    [
        ((8, 9), 1),
        ((8, 9, 3), 1),
        ((5, 8, 9), 5),
        ((40, 8, 9), 16),
        ((40, 8, 9, 3), 16),
        ((4, 3, 8, 9), 12),
        ((0, 8, 9), 0),
        ((9,), 1),
    ],
)
def test_planes_have_rows_and_columns_and_perhaps_colours(shape, planes):
    assert len(list(plane_digests(np.zeros(shape)))) == planes


class Counting:
    def __init__(self, data):
        self.data, self.shape, self.dtype, self.read = data, data.shape, data.dtype, []

    def __getitem__(self, key):
        self.read.append(key)
        return self.data[key]


def test_large_planes_are_read_in_bands(movie, monkeypatch):
    whole = movie_digest(movie)
    monkeypatch.setattr(reduced, "BAND_PIXELS", 21)
    lazy = Counting(movie[:16])
    assert movie_digest(lazy) == movie_digest(movie[:16])
    heights = {key[1].stop - key[1].start for key in lazy.read}
    assert heights == {3}
    assert movie_digest(movie) == whole


def test_one_can_stop_between_planes(movie):
    lazy = Counting(movie)
    assert len(list(islice(plane_digests(lazy), 3))) == 3
    assert len(lazy.read) == 3


def test_planes_that_were_hashed_one_by_one_make_the_digest(movie):
    lazy = Counting(movie)
    planes = list(plane_digests(lazy))
    identity = MovieIdentity.of(lazy, "cells", "/data/cells.tif", planes)
    assert len(lazy.read) == 16
    assert identity == MovieIdentity(
        "/data/cells.tif", "cells", (40, 9, 7), "uint16", movie_digest(movie)
    )


@pytest.mark.parametrize("source", [None, "/data/cells.tif"])
def test_an_identity_survives_json(source, movie):
    identity = MovieIdentity.of(movie, "cells", source)
    assert MovieIdentity.from_json(identity.to_json()) == identity


@pytest.mark.parametrize(
    ("field", "value"),
    [("source", 3), ("name", None), ("shape", [1.5]), ("shape", 3), ("shape", [-1])],
)
def test_an_identity_with_other_types_is_refused(field, value, movie):
    stored = {**MovieIdentity.of(movie, "cells").to_json(), field: value}
    with pytest.raises((TypeError, ValueError)):
        MovieIdentity.from_json(stored)


def test_a_movie_that_has_moved_does_not_differ(movie):
    identity = MovieIdentity.of(movie, "cells", "/data/cells.tif")
    moved = replace(identity, source="/elsewhere.tif", name="elsewhere")
    assert describe_difference(identity, moved) is None


def test_the_difference_is_named(movie):
    identity = MovieIdentity.of(movie, "cells")

    def difference(other):
        return describe_difference(identity, MovieIdentity.of(other, "cells"))

    assert difference(movie[:39]) == ("its shape is (39, 9, 7) instead of (40, 9, 7)")
    assert difference(movie.astype(float)) == (
        "its pixels are of type float64 instead of uint16"
    )
    assert "other pixels" in difference(movie + 1)
