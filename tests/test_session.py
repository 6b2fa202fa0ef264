from __future__ import annotations

import numpy as np
import pytest

from napari_sam_decoder import Prompt, PromptSet, Session
from napari_sam_decoder.errors import LabelsError, OptionError, PromptError
from napari_sam_decoder.frames import Movie

FRAMES, ROWS, COLUMNS = 4, 48, 64


@pytest.fixture
def movie():
    pixels = np.random.default_rng(0).integers(0, 255, (FRAMES, ROWS, COLUMNS))
    return Movie(pixels.astype(np.uint8))


@pytest.fixture
def session(movie, tiny_sam):
    with Session(movie, model=tiny_sam) as session:
        session.add_prompt(Prompt(1, 1, box=(10, 10, 30, 40)))
        yield session


def test_labels_come_for_every_frame(session):
    results = list(session.propagate())
    assert {result.frame for result in results if result.is_final} == set(range(FRAMES))
    assert all(result.labels.shape == (ROWS, COLUMNS) for result in results)
    assert all(result.labels.dtype == np.uint16 for result in results)


def test_arrays_and_files_are_movies_too(movie, tiny_sam, tmp_path):
    pixels = np.stack([movie.raw(frame) for frame in range(FRAMES)])
    np.save(tmp_path / "movie.npy", pixels)
    for source in (pixels, tmp_path / "movie.npy", str(tmp_path / "movie.npy")):
        with Session(source, model=tiny_sam) as session:
            assert session.labels_shape == (FRAMES, ROWS, COLUMNS)


def test_a_cache_gives_the_same_labels_without_the_encoder(
    movie, tiny_sam, tmp_path, monkeypatch
):
    def labels_of(session):
        session.add_prompt(Prompt(1, 0, [(20, 30)], hypothesis=1))
        return [result.labels for result in session.propagate()]

    with Session(movie, model=tiny_sam, cache=tmp_path / "cache.zarr") as session:
        first = labels_of(session)
    monkeypatch.setattr(tiny_sam, "encode", None)
    with Session(movie, model=tiny_sam, cache=tmp_path / "cache.zarr") as session:
        np.testing.assert_array_equal(labels_of(session), first)
        assert all(step.was_cached for step in session.embed())


def test_pixels_that_were_edited_in_place_are_read_anew(tiny_sam):
    pixels = np.random.default_rng(0).integers(0, 255, (2, ROWS, COLUMNS))
    pixels = pixels.astype(np.uint8)
    prompt = Prompt(1, 0, box=(10, 10, 30, 40))
    with Session(Movie(pixels, contrast=(0, 255)), model=tiny_sam) as edited:
        edited.add_prompt(prompt)
        list(edited.propagate())
        pixels[:] = pixels[:, ::-1].copy()
        found = [result.labels for result in edited.propagate()]
    with Session(Movie(pixels, contrast=(0, 255)), model=tiny_sam) as fresh:
        fresh.add_prompt(prompt)
        expected = [result.labels for result in fresh.propagate()]
    np.testing.assert_array_equal(found, expected)


def test_only_the_needed_frames_are_embedded(session):
    list(session.propagate(range(1, 3)))
    cached = [step.was_cached for step in session.embed()]
    assert cached == [False, True, True, False]


def test_three_hypotheses_are_offered(session):
    hypotheses = session.hypotheses(1, 1)
    assert [hypothesis.number for hypothesis in hypotheses] == [1, 2, 3]
    for hypothesis in hypotheses:
        assert hypothesis.mask.shape == (ROWS, COLUMNS)
        assert hypothesis.mask.dtype == bool
        assert 0 <= hypothesis.iou_prediction <= 1


def test_a_picked_hypothesis_is_what_the_frame_shows(session):
    offered = session.hypotheses(1, 1)[1].mask
    session.add_prompt(Prompt(1, 1, box=(10, 10, 30, 40), hypothesis=2))
    (result,) = session.propagate(range(1, 2))
    # Packing halves the precision of the logits, which may move single pixels.
    assert np.mean((result.labels == 1) == offered) > 0.99


def test_a_preview_shows_what_propagation_starts_from(session):
    for prompt in (
        Prompt(1, 1, [(20, 20)]),
        Prompt(1, 1, box=(10, 10, 30, 40)),
        Prompt(1, 1, [(20, 20)], hypothesis=3),
    ):
        session.prompts = PromptSet([prompt])
        chosen = session.preview(prompt).chosen
        (result,) = session.propagate(range(1, 2))
        assert result.objects[1].hypothesis == chosen.number
        assert np.mean((result.labels == 1) == chosen.mask) > 0.99


def test_one_click_is_answered_with_one_of_the_three_hypotheses(session):
    preview = session.preview(Prompt(1, 0, [(20, 20)]))
    assert any(preview.chosen is offered for offered in preview.hypotheses)
    assert session.prompts.of_object(1)[0].frame == 1, "a preview adds nothing"


def test_objects_are_carried_one_way_if_asked(session):
    def frames_of(direction):
        return [result.frame for result in session.propagate(direction=direction)]

    assert frames_of("forward") == [1, 2, 3]
    assert frames_of("backward") == [1, 0]
    assert session.plan(direction="backward").visits == 2


def test_frames_are_embedded_around_the_focus(session):
    order = [step.frame for step in session.embed(focus=lambda: 2)]
    assert order == [2, 3, 1, 0]
    assert session.embedded == {0, 1, 2, 3}


def test_prompts_added_during_a_run_count_for_the_next(session):
    existing = np.full(session.labels_shape, 2, np.uint8)
    results = session.propagate(range(1, 3), labels=existing)
    next(results)
    session.add_prompt(Prompt(2, 1, [(20, 20)]))
    assert all((result.labels == 2).all() for result in results)


def test_prompts_add_up_and_can_be_removed(session):
    session.add_prompt(Prompt(1, 1, [(20, 20)], labels=[False]))
    assert len(session.prompts) == 1
    session.remove_prompts(1, 1)
    assert len(session.prompts) == 0


def test_labels_that_were_there_stay_unless_told(session):
    existing = np.full(session.labels_shape, 9, np.uint8)
    kept = list(session.propagate(labels=existing))
    assert all((result.labels == 9).all() for result in kept)
    alone = {result.frame: result.labels for result in session.propagate()}
    for result in session.propagate(labels=existing, replace=True):
        expected = np.where(alone[result.frame] > 0, 1, 9)
        np.testing.assert_array_equal(result.labels, expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.add_prompt(Prompt(1, 9, [(1, 1)])), PromptError, "frames 0 to 3"),
        (lambda s: s.remove_prompts(2), PromptError, "no such prompt"),
        (lambda s: s.hypotheses(1, 0), PromptError, "no prompt on frame 0"),
        (lambda s: s.propagate(range(2, 9)), OptionError, "frames 2:9 do not lie"),
        (lambda s: s.plan(direction="up"), OptionError, "choose one of both, forward"),
        (lambda s: s.preview(Prompt(1, 9, [(1, 1)])), PromptError, "frames 0 to 3"),
        (lambda s: s.embed(range(2, 2)), OptionError, "frames 2:2 do not lie"),
        (
            lambda s: s.propagate(labels=np.zeros((1, 2, 3))),
            LabelsError,
            "its labels have shape",
        ),
    ],
)
def test_mistakes_are_refused_at_once(session, call, error, message):
    with pytest.raises(error, match=message):
        call(session)
