"""Movies as cuts through arrays, as a project names them."""

from __future__ import annotations

import pytest

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project.movie_cut import MovieCut

SHAPE = (3, 4, 12, 16)


@pytest.mark.parametrize(
    ("shape", "scope", "cut"),
    [
        (SHAPE[2:], (-1,), MovieCut(SHAPE[2:], None)),
        (SHAPE[1:], (0,), MovieCut(SHAPE[1:], 0)),
        (SHAPE, (0, 1, 3), MovieCut(SHAPE, 0, ((1, 3),))),
        (SHAPE[1:], (-1, 0, 2), MovieCut(SHAPE[1:], None, ((0, 2),))),
    ],
)
def test_a_cut_is_found_by_its_scope(shape, scope, cut):
    found = MovieCut.of_scope(shape, scope)
    assert found == cut
    assert found.frame_shape == shape[-2:]


@pytest.mark.parametrize(
    "scope", [(), (0,), (0, 1), (0, 0, 1), (0, 1, 4), (0, 1, -1), (7, 1, 0), (-1, 1, 0)]
)
def test_a_scope_that_does_not_fit_is_damage(scope):
    with pytest.raises(ProjectError, match="the project is damaged"):
        MovieCut.of_scope(SHAPE, scope)
