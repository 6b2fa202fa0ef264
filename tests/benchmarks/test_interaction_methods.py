from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from interaction_parts.methods import METHODS, PARTS, Ours, PlainSam

from napari_sam_decoder import Prompt, Scribble, Session
from napari_sam_decoder.interactive import answers
from napari_sam_decoder.interactive.answers import REACHES
from napari_sam_decoder.interactive.refiner import refine

SHAPE = (48, 64)


@pytest.fixture
def session(pixels, tiny_sam):
    with Session(pixels, model=tiny_sam) as session:
        yield session


@pytest.fixture
def asked(session, monkeypatch):
    """What the decoder is asked, and what it answers."""
    calls = []
    decode = session.model.decode

    def listen(embedding, prompts, previous):
        answer = decode(embedding, prompts, previous)
        calls.append(
            SimpleNamespace(prompt=prompts[0], previous=previous[0], answer=answer)
        )
        return answer

    monkeypatch.setattr(session.model, "decode", listen)
    return calls


def click(row, column, sign=True):
    return Prompt(1, 2, [(row, column)], signs=[sign])


def drawn(session, logits):
    return session.model.upscale(logits[np.newaxis], SHAPE)[0] > 0


def test_sam_offers_three_masks_for_a_click_and_four_for_a_box(session, asked):
    method = PlainSam(session)
    assert [one.number for one in method.first(click(20, 20))] == [1, 2, 3]
    offers = method.first(Prompt(1, 2, box=(10, 10, 30, 30)))
    assert [one.number for one in offers] == [0, 1, 2, 3]
    for offer in offers:
        logits = asked[-1].answer.low_res_logits[0, offer.number]
        np.testing.assert_array_equal(offer.mask, drawn(session, logits))


def test_sam_is_told_all_prompts_and_its_last_logits(session, asked):
    method = PlainSam(session)
    offers = method.first(click(20, 20))
    method.take(offers[1])
    second = method.next(click(5, 6, sign=False))
    method.next(click(7, 8))
    assert asked[0].previous is None
    picked = asked[0].answer.low_res_logits[0, 2]
    np.testing.assert_array_equal(asked[1].previous, picked)
    best = asked[1].answer.iou_predictions[0].argmax()
    shown = asked[1].answer.low_res_logits[0, best]
    np.testing.assert_array_equal(asked[2].previous, shown)
    np.testing.assert_array_equal(second, drawn(session, shown))
    assert asked[2].prompt.signs.tolist() == [1, 0, 1]


def test_another_object_begins_anew(session, asked):
    method = PlainSam(session)
    method.take(method.first(click(20, 20))[0])
    method.next(click(5, 6))
    method.first(click(30, 30))
    assert asked[-1].previous is None
    assert len(asked[-1].prompt.points) == 1


def test_sam_takes_a_scribble_as_points_along_it(session, asked):
    method = PlainSam(session)
    line = Scribble.along([(10, 10), (10, 39)], SHAPE)
    offers = method.first(Prompt(1, 2, scribbles=[line]))
    assert len(offers) == 4, "three points are not ambiguous"
    method.take(offers[0])
    beside = Scribble.along([(30, 20), (40, 20)], SHAPE, is_positive=False)
    method.next(Prompt(1, 2, scribbles=[beside]))
    assert asked[1].prompt.signs.tolist() == [1, 1, 1, 0, 0, 0]
    expected = [(10, 14), (10, 24), (10, 34), (31, 20), (35, 20), (39, 20)]
    expected = session._views.whole.geometry.to_model(np.array(expected, float))
    scale = 256 / 64
    np.testing.assert_allclose(asked[1].prompt.points, expected, atol=1.5 * scale)


class Listening:
    """A session that notes what is previewed."""

    def __init__(self, session):
        self._session = session
        self.calls = []

    def preview_together(self, prompts, known=()):
        shown = self._session.preview_together(prompts, known)
        self.calls.append((*prompts, tuple(known), shown))
        return shown


def test_ours_offers_the_hypotheses_and_the_choice(session):
    offers = Ours(session).first(Prompt(1, 2, box=(10, 10, 30, 30)))
    shown = session.preview(Prompt(1, 2, box=(10, 10, 30, 30)))
    assert [one.number for one in offers] == [1, 2, 3, shown.chosen.number]
    np.testing.assert_array_equal(offers[-1].mask, shown.chosen.mask)


def test_ours_grows_the_prompt_and_knows_the_last_previews(session):
    listening = Listening(session)
    method = Ours(listening)
    method.take(method.first(click(20, 20))[2])
    mask = method.next(click(5, 6, sign=False))
    first, picked, second = listening.calls
    assert first[:2] == (click(20, 20), ())
    assert (picked[0].hypothesis, picked[1]) == (3, first[2])
    assert (second[0].points, second[0].hypothesis) == (((20, 20), (5, 6)), 3)
    assert second[1] == picked[2]
    assert mask is second[2][0].chosen.mask
    method.first(click(30, 30))
    assert listening.calls[-1][:2] == (click(30, 30), ())


def test_what_is_no_hypothesis_cannot_be_picked(session):
    listening = Listening(session)
    method = Ours(listening)
    method.first(click(20, 20))
    method.take(SimpleNamespace(number=0))
    method.next(click(5, 6))
    assert [call[0].hypothesis for call in listening.calls] == [None, None]


@pytest.mark.parametrize("part", PARTS)
def test_the_program_runs_without_a_part_and_has_it_again(session, part):
    method = METHODS[f"no {part}"](session)
    (*_, chosen) = method.first(click(20, 20))
    method.take(chosen)
    assert not method.next(click(5, 6, sign=False))[5, 6]
    assert answers.REACHES == REACHES
    assert answers.refine is refine


def test_without_the_refiner_the_decoder_draws(session):
    seen = np.zeros((1, 18, 96, 96), np.float32)
    seen[0, 4, :9] = np.tanh(0.5)
    stand_in = PARTS["refiner"]["answers.refine"]
    clues = SimpleNamespace(seen=lambda focus: seen[0])
    (found,) = stand_in(None, clues, [None])
    assert found.logits[0, 0] == pytest.approx(4 * 0.5, abs=1e-4)
    assert found.logits[20, 0] == 0
