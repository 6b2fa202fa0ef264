from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_sam_decoder.jobs import MovieOptions
from napari_sam_decoder.jobs.batch import BatchJob

HEADER = "movie,axis-0,axis-1,axis-2,object_id\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SAM_DECODER_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def write_movie(tmp_path):
    """Write a short movie into the folder of movies."""

    def write(name, frames=3, seed=0):
        path = tmp_path / "movies" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (frames, 32, 40))
        stack = pixels.astype(np.uint8)
        tifffile.imwrite(
            path, stack, photometric="minisblack", metadata={"axes": "TYX"}
        )
        return path

    return write


@pytest.fixture
def movies(write_movie):
    for seed, name in enumerate(["a.tif", "b.tif", "deep/c.tif"]):
        write_movie(name, seed=seed)
    return write_movie("a.tif").parent


@pytest.fixture
def points(tmp_path):
    """Points in the movies a and b."""
    path = tmp_path / "points.csv"
    path.write_text(HEADER + "a,0,12,12,1\nb.tif,0,20,20,1\nb,1,10,30,4\n")
    return path


@pytest.fixture
def make_job(movies, points, tmp_path):
    def make(**options):
        asked = {"points": str(points), "pattern": "*.tif", **options}
        reading = asked.pop("movies", MovieOptions(movies))
        return BatchJob(reading, tmp_path / "results", **asked)

    return make
