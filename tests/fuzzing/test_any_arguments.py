"""Arguments of any kind in Python: they are used as they are meant, or refused.

``HYPOTHESIS_PROFILE=thorough`` tries 2,000 of each.
"""

from __future__ import annotations

import dataclasses
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sam_decoder import (
    MovieOptions,
    Prompt,
    SamDecoderError,
    Scribble,
    Session,
    Settings,
)

SHAPE = (3, 12, 16)
ODD_NUMBERS = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([2**31, 2**63, -(2**63), 10**400, True, -0.0, 1e308, 5e-324]),
    st.floats(),
    st.floats(0, 12),
    st.sampled_from([np.int8(3), np.float16(2), np.uint64(2**63), np.bool_(True)]),
    st.complex_numbers(max_magnitude=9),
)
TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(["TYX", "nan", "3", "z", "\0"]))
ARRAYS = st.builds(
    lambda shape, dtype: np.ones(shape, dtype),
    st.lists(st.integers(0, 5), max_size=3).map(tuple),
    st.sampled_from(["?", "u1", "i8", "f4", "c8", "U2", "O", "M8[s]"]),
)
ANYTHING = st.recursive(
    st.one_of(st.none(), ODD_NUMBERS, TEXTS, st.binary(max_size=3), ARRAYS)
    | st.sampled_from([object, object(), range(3), b"", {1, 2}, iter(())]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(TEXTS, inner, max_size=2)
    ),
    max_leaves=8,
)
MASK = np.zeros(SHAPE[1:], bool)
MASK[2:5, 3:8] = True
SOUND = {
    "object_id": 3,
    "frame": 1,
    "points": [(4.0, 5.0), (2, 3)],
    "signs": [True, False],
    "box": (1, 2, 9, 11),
    "hypothesis": 2,
    "mask": MASK,
    "lasso": [(1, 1), (9, 2), (6, 12)],
    "scribbles": [Scribble(MASK, True)],
}

several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def arguments(draw, sound):
    """Draw some arguments, of which one or two are anything."""
    names = draw(st.lists(st.sampled_from(sorted(sound)), unique=True, max_size=6))
    odd = draw(st.lists(st.sampled_from(sorted(sound)), unique=True, max_size=2))
    return {
        **{name: sound[name] for name in names},
        **{name: draw(ANYTHING) for name in odd},
    }


@pytest.fixture(scope="module")
def session(tiny_sam):
    pixels = np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)
    with Session(pixels, model=tiny_sam, cache=None) as session:
        yield session


@several
@given(arguments(SOUND))
def test_prompts(session, given_):
    try:
        prompt = Prompt(**{"object_id": 1, "frame": 0, **given_})
        session.add_prompt(prompt)
    except SamDecoderError:
        return
    with suppress(SamDecoderError):
        session.plan()
    session.remove_prompts(prompt.object_id)
    assert 0 <= prompt.frame < SHAPE[0]
    assert not session.prompts


@several
@given(ANYTHING, ANYTHING)
def test_scribbles(pixels, is_positive):
    with suppress(SamDecoderError):
        assert isinstance(Scribble(pixels, is_positive).is_positive, bool)


@several
@given(
    arguments(
        {
            "axes": "TYX",
            "channel": 0,
            "contrast": (0, 255),
            "at": {},
            "storage": "int8",
            "settings": Settings(),
        }
    )
)
def test_sessions(tiny_sam, given_):
    pixels = np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)
    with (
        suppress(SamDecoderError),
        Session(pixels, model=tiny_sam, cache=None, **given_) as session,
    ):
        assert session.movie.rgb(0).shape == (*SHAPE[1:], 3)


@pytest.fixture(scope="module")
def movie_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("movie") / "m.npy"
    np.save(path, np.zeros((2, *SHAPE), np.uint8))
    return path


@several
@given(
    arguments(
        {
            "axes": "ZTYX",
            "channel": None,
            "series": None,
            "contrast": (0, 255),
            "start": 1,
            "stop": 2,
            "at": {"z": 1},
        }
    )
)
def test_options_of_movies(movie_file, given_):
    with suppress(SamDecoderError):
        movie, frames = MovieOptions(movie_file, **given_).read()
        assert 0 <= frames.start < frames.stop <= len(movie)


FIELDS = {field.name: field.default for field in dataclasses.fields(Settings)}


@several
@given(arguments(FIELDS))
def test_settings(given_):
    with suppress(SamDecoderError):
        chosen = Settings(**given_)
        assert np.isfinite([float(value) for value in vars(chosen).values()]).all()
