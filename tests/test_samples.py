from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.samples import (
    SAMPLES,
    SampleClick,
    SampleMovie,
    load_sample,
)
from napari_sam_decoder.samples.sample_movie import BACK_IN_VIEW, place_clicks

SHAPES = {"cells": (60, 512, 512), "pictures": (40, 480, 640, 3)}
OBJECTS = {"cells": 7, "pictures": 4}
SEEDS = {"cells": (0, 1, 2), "pictures": (0, 1)}
# Both ends of the cells' stated size, as the area of a disc of that diameter.
SMALLEST, LARGEST = np.pi * 20**2, np.pi * 60**2


# The movies are large and take seconds each: share them.
generate = cache(load_sample)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, seed), id=f"{name}-{seed}", marks=marks)
        for name, seeds in SEEDS.items()
        for seed, marks in zip(seeds, [(), *[pytest.mark.slow] * 2], strict=False)
    ],
)
def movie(request: pytest.FixtureRequest) -> SampleMovie:
    return generate(*request.param)


@pytest.fixture(scope="module")
def cells() -> SampleMovie:
    return generate("cells", 0)


def areas(movie: SampleMovie) -> np.ndarray:
    count = OBJECTS[movie.name]
    return np.stack(
        [np.bincount(ids.ravel(), minlength=count + 1)[1:] for ids in movie.truth]
    )


def touch(ids: np.ndarray, first: int, second: int) -> bool:
    grown = ndimage.binary_dilation(ids == first)
    return bool((grown & (ids == second)).any())


def test_shapes_and_types(movie: SampleMovie) -> None:
    assert movie.frames.shape == SHAPES[movie.name]
    assert movie.frames.dtype == np.uint8
    assert movie.truth.shape == SHAPES[movie.name][:3]
    assert movie.truth.dtype == np.uint16
    assert movie.description
    assert movie.credit


def test_every_object_is_there_from_the_first_frame(movie: SampleMovie) -> None:
    ids = range(OBJECTS[movie.name] + 1)
    assert np.unique(movie.truth[0]).tolist() == list(ids)
    assert movie.truth.max() == ids[-1]


def test_each_object_is_one_piece(movie: SampleMovie) -> None:
    for ids in movie.truth:
        for object_id in np.unique(ids)[1:]:
            _, pieces = ndimage.label(ids == object_id)
            assert pieces == 1


def test_clicks_lie_on_their_objects(movie: SampleMovie) -> None:
    for click in movie.clicks:
        row, column = map(int, click.position)
        assert movie.truth[click.frame, row, column] == click.object_id


def test_every_object_is_clicked_on_the_first_frame(movie: SampleMovie) -> None:
    at_start = [click.object_id for click in movie.clicks if click.frame == 0]
    assert at_start == list(range(1, OBJECTS[movie.name] + 1))


def test_objects_stand_out(movie: SampleMovie) -> None:
    """Each differs from a band around it by far more than the noise."""
    ids, picture = movie.truth[0], movie.frames[0].astype(float)
    for object_id in range(1, OBJECTS[movie.name] + 1):
        mask = ids == object_id
        band = ndimage.binary_dilation(mask, iterations=8) & (ids == 0)
        contrast = picture[mask].mean(axis=0) - picture[band].mean(axis=0)
        assert np.abs(contrast).max() > 2 * picture[band].std(axis=0).max()


@pytest.mark.parametrize(
    "name", ["cells", pytest.param("pictures", marks=pytest.mark.slow)]
)
def test_same_seed_same_bytes(name: str) -> None:
    first, second = generate(name, 0), load_sample(name, 0)
    assert first.frames.tobytes() == second.frames.tobytes()
    assert first.truth.tobytes() == second.truth.tobytes()
    assert first.clicks == second.clicks


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLES)
def test_another_seed_is_another_movie(name: str) -> None:
    first, second = generate(name, 0), load_sample(name, 1)
    assert (first.truth != second.truth).any()


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 6))]
)
def test_story_of_the_cells(seed: int) -> None:
    movie = generate("cells", seed)
    for pair in ((1, 2), (3, 4)):
        assert sum(touch(ids, *pair) for ids in movie.truth) >= 10
        assert not touch(movie.truth[0], *pair)
    is_away = areas(movie)[:, 5] == 0
    _, absences = ndimage.label(is_away)
    assert absences == 1
    assert is_away.sum() >= 8
    assert not is_away[0]
    assert not is_away[-1]
    assert [click.object_id for click in movie.clicks if click.frame > 0] == [6]


def test_cells_have_the_stated_sizes(cells: SampleMovie) -> None:
    whole = np.delete(areas(cells), 5, axis=1)
    assert whole.min() >= SMALLEST
    assert whole.max() <= LARGEST
    assert SMALLEST <= areas(cells)[0, 5] <= LARGEST


def test_cells_move_a_few_pixels_per_frame_at_most(cells: SampleMovie) -> None:
    for object_id in (1, 2, 3, 4, 5, 7):
        centres = [ndimage.center_of_mass(ids == object_id) for ids in cells.truth]
        steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
        assert 0 < steps.max() < 5


def test_pictures_never_cover_each_other_or_leave() -> None:
    movie = generate("pictures", 0)
    border = np.ones(movie.truth.shape[1:], bool)
    border[1:-1, 1:-1] = False
    assert not movie.truth[:, border].any()
    for ids in movie.truth:
        assert ndimage.label(ids > 0)[1] == OBJECTS["pictures"]


def test_click_waits_until_the_object_is_well_in_view() -> None:
    truth = np.zeros((5, 9, 12), np.uint16)
    widths = [10, 0, 5, 9, 10]
    for ids, width in zip(truth, widths, strict=True):
        ids[2:7, :width] = 1
    clicks = place_clicks(truth, np.full((5, 1), 50.0))
    assert [click.frame for click in clicks] == [0, 3]
    assert 5 * widths[2] < BACK_IN_VIEW * 50 <= 5 * widths[3]


def test_click_is_at_the_most_interior_point() -> None:
    truth = np.zeros((1, 11, 11), np.uint16)
    truth[0, 0:5, 0:5] = 1
    assert place_clicks(truth, np.full((1, 1), 25.0)) == (
        SampleClick(1, 0, (2.0, 2.0)),
    )


def test_unknown_sample_names_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"'stars'.*cells, pictures"):
        load_sample("stars")


def test_negative_seed() -> None:
    with pytest.raises(OptionError, match="-1"):
        load_sample("cells", -1)
