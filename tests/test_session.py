from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from napari_sam_decoder import Prompt, PromptSet, Reason, Session, Verdict
from napari_sam_decoder.errors import (
    ClosedError,
    LabelsError,
    OptionError,
    PromptError,
)
from napari_sam_decoder.frames import Contrast, Movie

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


def test_pixels_that_were_edited_in_place_are_read_again(tiny_sam):
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
    session.add_prompt(Prompt(1, 1, [(20, 20)], signs=[False]))
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


def test_labels_have_one_type_that_is_known_before_the_first_result(session):
    assert session.labels_dtype == np.uint16
    # Found on frame 1 only, where the other object is not.
    session.add_prompt(Prompt(70000, 3, box=(2, 2, 8, 8)))
    assert session.labels_dtype == session.plan().labels_dtype == np.uint32
    labels = np.zeros(session.labels_shape, session.labels_dtype)
    for result in session.propagate():
        assert result.labels.dtype == session.labels_dtype
        labels[result.frame] = result.labels
    assert 70000 in labels
    assert set(np.unique(labels)) <= {0, 1, 70000}


def test_without_prompts_labels_have_a_type_too(movie, tiny_sam):
    assert Session(movie, model=tiny_sam).labels_dtype == np.uint16


@pytest.mark.parametrize("dtype", ["uint8", ">u2", "int64"])
def test_results_have_the_type_of_the_labels_that_were_there(session, dtype):
    existing = np.zeros(session.labels_shape, dtype)
    results = list(session.propagate(labels=existing))
    results += session.correct([Prompt(1, 2, [(20, 20)])], existing)
    assert {result.labels.dtype for result in results} == {np.dtype(dtype)}


def test_an_id_that_the_labels_cannot_hold_is_refused_before_any_work(session):
    session.add_prompt(Prompt(70000, 1, [(20, 20)]))
    existing = np.zeros(session.labels_shape, np.uint16)
    with pytest.raises(LabelsError, match=r"uint16 cannot hold object 70000"):
        session.propagate(labels=existing)
    with pytest.raises(LabelsError, match=r"uint16 cannot hold object 70000"):
        session.correct([Prompt(70000, 2, [(20, 20)])], existing)
    assert not session.embedded


@pytest.mark.parametrize("frames", [[1, 2], slice(1, 3), np.arange(1, 3), slice(-3, 3)])
def test_frames_may_be_given_in_many_ways(session, frames):
    assert {result.frame for result in session.propagate(frames)} == {1, 2}
    assert session.plan(frames).legs == session.plan(range(1, 3)).legs
    assert [step.frame for step in session.embed(frames)] == [1, 2]


@pytest.mark.parametrize("frames", [range(0, 4, 2), range(3, -1, -1), [0, 2]])
def test_only_embedding_takes_frames_with_gaps(session, frames):
    labels = np.zeros(session.labels_shape, np.uint16)
    prompt = Prompt(1, 2, [(20, 20)])
    for call in (
        lambda: session.plan(frames),
        lambda: session.propagate(frames),
        lambda: session.correct([prompt], labels, frames),
    ):
        with pytest.raises(OptionError, match="do not follow one another"):
            call()
    assert [step.frame for step in session.embed(frames)] == list(frames)


def test_an_iterator_that_is_not_taken_leaves_the_session_as_it_was(session):
    before = session.prompts
    labels = np.full(session.labels_shape, 1, np.uint16)
    session.correct([Prompt(1, 2, [(20, 20)])], labels)
    session.propagate()
    session.propagate(labels=labels)
    session.embed()
    assert session.prompts is before
    assert session.plan().visits == 4
    assert not session.embedded


def test_a_correction_counts_as_fixed_once_its_frame_has_come(session):
    labels = np.full(session.labels_shape, 1, np.uint16)
    corrections = [Prompt(1, frame, [(20, 20)], [False]) for frame in (0, 2, 3)]
    results = session.correct(corrections, labels)
    labels[0] = next(results).labels
    assert [prompt.frame for prompt in session.prompts] == [0, 1]
    results.close()
    assert [prompt.frame for prompt in session.prompts] == [0, 1]


def test_a_correction_that_fails_leaves_what_it_has_not_come_to(
    session, tiny_sam, monkeypatch
):
    labels = np.full(session.labels_shape, 1, np.uint16)
    # What is painted needs no decoder on its own frame.
    painted = Prompt(1, 3, mask=np.ones((ROWS, COLUMNS), bool))
    results = session.correct([painted, Prompt(1, 0, [(20, 20)], [False])], labels)
    assert next(results).frame == 3
    monkeypatch.setattr(tiny_sam, "decode", None)
    with pytest.raises(TypeError):
        list(results)
    assert [prompt.frame for prompt in session.prompts] == [1, 3]
    assert [prompt.frame for prompt in session.prompts.of_object(1)] == [1, 3]


def test_prompts_added_during_a_correction_stay(session):
    labels = np.full(session.labels_shape, 1, np.uint16)
    results = session.correct([Prompt(1, 2, [(20, 20)], [False])], labels)
    session.add_prompt(Prompt(2, 0, [(5, 5)]))
    list(results)
    places = [(prompt.object_id, prompt.frame) for prompt in session.prompts]
    assert places == [(1, 1), (1, 2), (2, 0)]


PROMPT = Prompt(1, 2, [(20, 20)])


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.add_prompt(PROMPT),
        lambda s: s.remove_prompts(1),
        lambda s: s.embedded,
        lambda s: s._views,
        lambda s: s.embed(),
        lambda s: s.hypotheses(1, 1),
        lambda s: s.preview(PROMPT),
        lambda s: s.plan(),
        lambda s: s.propagate(),
        lambda s: s.propagate(labels=np.zeros(s.labels_shape, int)),
        lambda s: s.correct([PROMPT], np.zeros(s.labels_shape, int)),
    ],
)
def test_a_closed_session_refuses_further_work(session, call):
    call(session)
    session.close()
    session.close()
    with pytest.raises(ClosedError, match="open another one"):
        call(session)
    assert session.labels_shape == (FRAMES, ROWS, COLUMNS)


@pytest.mark.parametrize("taken", [0, 1])
@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.embed(),
        lambda s: s.propagate(),
        lambda s: s.propagate(labels=np.zeros(s.labels_shape, int)),
        lambda s: s.correct([PROMPT], np.zeros(s.labels_shape, int)),
    ],
)
def test_a_closed_session_refuses_further_steps(session, call, taken):
    steps = call(session)
    for _ in range(taken):
        next(steps)
    session.close()
    with pytest.raises(ClosedError):
        next(steps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "mobile_sam"}, r"model=load_sam\('mobile_sam'\)"),
        ({"cache": 5}, "a cache must be a name or a path, not 5"),
        ({"cache": True}, "a cache must be a name or a path"),
        ({"cache": ""}, "a cache must be a name or a path"),
        ({"storage": 8}, "storage must be 'int8' or 'float16', not 8"),
        ({"storage": "int4"}, "cannot be stored as 'int4'"),
        ({"settings": {"stabilise": 1}}, "settings must be a Settings"),
    ],
)
def test_options_of_another_type_are_refused(movie, tiny_sam, options, message):
    with pytest.raises(OptionError, match=message):
        Session(movie, **{"model": tiny_sam, **options})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.add_prompt(Prompt(1, 9, [(1, 1)])), PromptError, "frames 0 to 3"),
        (lambda s: s.remove_prompts(2), PromptError, "no such prompt"),
        (lambda s: s.hypotheses(1, 0), PromptError, "no prompt on frame 0"),
        (lambda s: s.propagate(range(2, 9)), OptionError, "frames 2:9 are not in"),
        (lambda s: s.plan(direction="up"), OptionError, "choose one of both, forward"),
        (lambda s: s.preview(Prompt(1, 9, [(1, 1)])), PromptError, "frames 0 to 3"),
        (lambda s: s.embed(range(2, 2)), OptionError, "frames 2:2 are not in"),
        (
            lambda s: s.propagate(labels=np.zeros((1, 2, 3))),
            LabelsError,
            "its labels have shape",
        ),
        (lambda s: s.propagate(replace="no"), OptionError, "replace must be True or"),
        (lambda s: s.propagate(objects=1), OptionError, "a list of object ids"),
        (lambda s: s.propagate(objects="1"), OptionError, "a list of object ids"),
        (lambda s: s.propagate(objects=[1.0]), OptionError, "must be a whole number"),
        (lambda s: s.propagate(objects=[1, 7]), PromptError, "object 7 has no prompt"),
        (lambda s: s.propagate(direction=1), OptionError, "choose one of both"),
        (lambda s: s.propagate(labels=[[[1]]]), LabelsError, "not a list"),
        (lambda s: s.add_prompt({"object_id": 1}), PromptError, "is not a Prompt"),
        (lambda s: s.preview((20, 20)), PromptError, "is not a Prompt"),
        (lambda s: s.remove_prompts(1.0), PromptError, "an object id must be a whole"),
        (lambda s: s.remove_prompts(1, True), PromptError, "a frame must be a whole"),
        (lambda s: s.hypotheses(1, 1.0), PromptError, "a frame must be a whole"),
        (lambda s: s.hypotheses(True, 1), PromptError, "an object id must be a whole"),
        (
            lambda s: s.correct(PROMPT, np.zeros(s.labels_shape, int)),
            PromptError,
            "give a list of prompts",
        ),
        (
            lambda s: s.correct([(20, 20)], np.zeros(s.labels_shape, int)),
            PromptError,
            "is not a Prompt",
        ),
        (lambda s: s.correct([PROMPT], None), LabelsError, "not a NoneType"),
    ],
)
def test_mistakes_are_refused_at_once(session, call, error, message):
    with pytest.raises(error, match=message):
        call(session)


def test_axes_channel_and_series_reach_arrays_and_files(movie, tiny_sam, tmp_path):
    pixels = np.stack([movie.raw(frame) for frame in range(FRAMES)])
    stacked = np.stack([pixels // 2, pixels], 1)
    np.save(tmp_path / "movie.npy", stacked)
    for source in (stacked, tmp_path / "movie.npy"):
        with Session(source, axes="TCYX", channel=1, model=tiny_sam) as session:
            np.testing.assert_array_equal(session.movie.raw(2), pixels[2])
    with Session(tmp_path / "movie.npy", axes="TCYX", channel=0, series=0) as session:
        np.testing.assert_array_equal(session.movie.raw(2), pixels[2] // 2)


def test_choices_that_have_no_meaning(movie, tiny_sam):
    with pytest.raises(OptionError, match=r"already has its axes"):
        Session(movie, channel=1, model=tiny_sam)
    with pytest.raises(OptionError, match=r"an array is only one; leave series out"):
        Session(np.zeros((2, 8, 9)), series=1, model=tiny_sam)


@pytest.mark.parametrize(
    "layout",
    [
        lambda labels: labels.astype(">u2"),
        np.asfortranarray,
        lambda labels: labels[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
    ],
    ids=["big endian", "columns first", "reversed"],
)
def test_labels_may_lie_in_any_order(session, layout):
    labels = np.zeros((FRAMES, ROWS, COLUMNS), np.uint16)
    labels[:, 30:40, 20:50] = 7
    there = layout(labels)
    results = list(session.propagate(labels=there))
    for result, plain in zip(results, session.propagate(labels=labels), strict=True):
        np.testing.assert_array_equal(result.labels, plain.labels)
        labels[result.frame] = there[result.frame] = result.labels
    corrections = [Prompt(1, 3, points=[(12, 12)])]
    corrected = [one.labels for one in session.correct(corrections, there)]
    session.remove_prompts(1, 3)
    plainly = [one.labels for one in session.correct(corrections, labels)]
    np.testing.assert_array_equal(corrected, plainly)


def test_an_object_that_loses_all_to_labels_that_stay_is_absent(session):
    labels = np.full(session.labels_shape, 9, np.uint16)
    for result in session.propagate(labels=labels):
        found = result.objects[1]
        assert found.verdict is Verdict.ABSENT
        assert not (result.labels == 1).any()
        if found.reason is Reason.TAKEN:
            assert found.rival == 9


def test_verdicts_follow_the_pixels(movie, tiny_sam):
    with Session(movie, model=tiny_sam) as session:
        session.add_prompt(Prompt(1, 1, [(20, 20)], hypothesis=2))
        session.add_prompt(Prompt(2, 1, [(20, 21)], hypothesis=2))
        for result in session.propagate():
            for object_id, found in result.objects.items():
                is_there = bool((result.labels == object_id).any())
                assert is_there == (found.verdict is not Verdict.ABSENT)
                is_clear = found.verdict in (Verdict.PROMPTED, Verdict.SURE)
                assert is_clear == (found.reason is None)


def test_objects_that_are_not_carried_keep_their_prompts(session):
    session.add_prompt(Prompt(2, 1, [(20, 45)]))
    results = list(session.propagate(objects=[2]))
    assert {key for result in results for key in result.objects} == {2}
    assert session.plan(objects=[2]).others.object_ids == (1,)


def test_previews_on_two_frames_are_not_decided_together(session):
    prompts = [Prompt(1, 0, [(20, 20)]), Prompt(2, 1, [(20, 40)])]
    with pytest.raises(PromptError, match="one frame"):
        session.preview_together(prompts)
    one, other = session.preview_together([prompts[0], replace(prompts[1], frame=0)])
    assert (one.prompt.object_id, other.prompt.object_id) == (1, 2)


def test_a_contrast_reaches_arrays_and_files(movie, tiny_sam, tmp_path):
    np.save(tmp_path / "movie.npy", np.stack([movie.raw(f) for f in range(len(movie))]))
    for given in (tmp_path / "movie.npy", np.load(tmp_path / "movie.npy")):
        with Session(given, model=tiny_sam, contrast=(5, 99)) as session:
            assert session.movie.contrast == Contrast(5, 99)
    with pytest.raises(OptionError, match=r"pass these to Movie\(\.\.\.\)"):
        Session(movie, model=tiny_sam, contrast=(5, 99))


def test_a_session_shows_its_movie_and_prompts(session):
    session.add_prompt(Prompt(2, 0, [(20, 20)]))
    shown = repr(session)
    assert shown.startswith("Session(Movie(TYX (4, 48, 64), uint8), ")
    assert shown.endswith(", 2 prompts)")
    assert repr(session.plan()) == f"Itinerary({session.plan().visits} results, 3 legs)"
    (step, *_) = session.embed()
    assert re.fullmatch(r"EmbeddedFrame\(0, computed in \d\.\d{3} s\)", repr(step))
    session.close()
    assert repr(session).endswith(", 2 prompts, closed)")
