from __future__ import annotations

import numpy as np
import pytest
from speed_parts.film import Film, Patience
from speed_parts.report import Row
from speed_parts.scaling import frame_rows, growth, object_rows
from speed_parts.scene import MOST_PROMPTS, Scene
from speed_parts.textures import NOISE, Repeated, Textures
from speed_parts.tiny import tiny_network


def test_rows_say_how_long_a_frame_takes():
    rows = [*frame_rows([1, 2]), *object_rows([1])]
    assert [(row.step, row.size) for row in rows] == [
        ("scale_frames", "frames=1"),
        ("scale_frames", "frames=2"),
        ("scale_objects", "objects=1"),
    ]
    assert all(row.ours_s > 0 and row.peer is None for row in rows)


def test_growth_compares_the_ends():
    rows = [Row("scale_frames", f"frames={n}", t) for n, t in [(1, 2), (5, 9), (9, 3)]]
    text = growth(rows)
    assert "1.50 x as long with frames=9 as with frames=1" in text


def test_the_tiny_network_is_always_the_same():
    frame = np.full((20, 30, 3), 90, np.uint8)
    first, second = (tiny_network().encode(frame).features for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize("objects", [1, 10, 16, 64])
def test_discs_stay_apart_and_inside(objects):
    movie = Textures(8, (240, 320), objects)
    radius = movie.radius
    for frame in range(8):
        centres = np.array(movie.centres(frame))
        assert len(centres) == objects
        assert (centres >= radius).all()
        assert (centres < np.array([240, 320]) - radius).all()
        apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        assert (apart[~np.eye(objects, dtype=bool)] > 2 * radius).all()


def test_discs_are_drawn_where_they_are_said_to_be():
    movie = Textures(4, (120, 160), 1)
    frames, half = movie.draw().astype(int), movie.radius // 2
    middles = []
    for frame in (0, 2):
        ((row, column),) = (map(int, centre) for centre in movie.centres(frame))
        rows, columns = (slice(at - half, at + half) for at in (row, column))
        middles.append(frames[frame, rows, columns])
    moved = np.abs(middles[0] - middles[1]).mean()
    stayed = np.abs(frames[0, rows, columns] - middles[1]).mean()
    assert moved < 2 * NOISE < stayed


def test_a_repeated_movie_starts_again():
    clip = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
    movie = Repeated(clip, 100)
    assert movie.shape == (100, 4, 5, 3)
    assert (movie[98] == clip[2]).all()


def test_embedding_stops_when_patience_ends(tiny_sam, tmp_path):
    film = Film(Textures(6, (48, 64), 1), tiny_sam, tmp_path)
    assert film.embed(Patience(seconds=0, frames=2)) == 2
    # One more may have been under way.
    assert {0, 1} <= film.session.embedded <= {0, 1, 2}
    assert film.embed(Patience(seconds=600, frames=1)) == 6
    assert film.embed() == 6
    film.close()


def test_a_scene_has_clicks_on_its_objects():
    scene = Scene.of((48, 64))
    assert scene.size == "48x64"
    assert scene.pixels.shape == (1, 3, 1024, 1024)
    assert scene.features.shape == (1, 256, 64, 64)
    positions, labels = scene.tokens(MOST_PROMPTS)
    assert positions.shape == (MOST_PROMPTS, 2, 2)
    assert labels.tolist() == [[1, -1]] * MOST_PROMPTS
    assert len(positions[:, 0].unique(dim=0)) == MOST_PROMPTS
