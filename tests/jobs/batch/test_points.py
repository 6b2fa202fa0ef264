from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.jobs.batch.movies import FoundMovie
from napari_sam_decoder.jobs.batch.points import PointsSource

MOVIE = FoundMovie(Path("/data/day1/a.tif"), "day1/a", "day1/a.tif")


def ids(source, movie=MOVIE):
    return source.of(movie).prompts.object_ids


def test_a_table_of_all_movies_may_name_them_with_the_suffix(tmp_path):
    table = tmp_path / "points.csv"
    table.write_text(
        "movie,axis-0,axis-1,axis-2,object_id\n"
        "day1/a,0,1,1,1\nday1/a.tif,0,2,2,2\nday2/a,0,3,3,3\n"
    )
    source = PointsSource(str(table))
    assert ids(source) == (1, 2)
    assert source.unknown([MOVIE]) == ["day2/a"]


@pytest.mark.parametrize("place", ["points/{name}.csv", "{folder}/../day1-a.csv"])
def test_each_movie_may_have_a_table(tmp_path, place):
    folder = tmp_path / "day1"
    (tmp_path / "points" / "day1").mkdir(parents=True)
    folder.mkdir()
    for path in (tmp_path / "points/day1/a.csv", tmp_path / "day1-a.csv"):
        path.write_text("axis-0,axis-1,axis-2,object_id\n0,1,1,7\n")
    movie = FoundMovie(folder / "a.tif", "day1/a", "day1/a.tif")
    place = place if place.startswith("{") else f"{tmp_path}/{place}"
    assert ids(PointsSource(place), movie) == (7,)


@pytest.mark.parametrize("rows", [None, "other,0,1,1\n"])
def test_a_movie_without_points_is_refused_unless_none_are_needed(tmp_path, rows):
    place = str(tmp_path / "{name}.csv")
    if rows is not None:
        place = str(tmp_path / "points.csv")
        Path(place).write_text(f"movie,axis-0,axis-1,axis-2\n{rows}")
    with pytest.raises(PromptError, match=r"day1/a has no points.*--auto"):
        PointsSource(place).of(MOVIE)
    assert ids(PointsSource(place, is_needed=False)) == ()


def test_a_table_must_say_which_movie_a_point_is_in(tmp_path):
    table = tmp_path / "points.csv"
    table.write_text("axis-0,axis-1,axis-2\n0,1,1\n")
    with pytest.raises(PromptError, match="line 2: the column 'movie' is missing"):
        PointsSource(str(table)).of(MOVIE)
